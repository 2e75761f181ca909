// SPDX-License-Identifier: Apache-2.0
// The workload belongs to another controller; it carries out, we decide. An Argo Rollout is told by
// patches of the fields its own tools patch (argo.cc). A Flagger Canary asks: see FlaggerGate in
// step.h.
#include "agent/release/external.h"

#include "agent/base/text.h"

namespace rollguard::release {
namespace {

using Controller = spec::ExternalStrategy::Controller;
using OnBad = spec::ExternalStrategy::OnBad;

void Start(Context& c, const ExternalView& view) {
  ReleaseState rel;
  rel.id = StrCat(view.current, "-", c.state().sequence);
  rel.candidate = view.current;
  rel.stable = view.stable;
  rel.actor = "rollguard";
  rel.started = c.obs.now;
  rel.touched_target = !c.state().pause_version.empty();
  GuardState& state = c.Edit();
  state.release = std::move(rel);
  state.seen.clear();
  state.blocked_by.clear();
  state.queued_since.reset();
  state.pause_version.clear();
  state.scores.clear();
  state.confident_looks = 0;
  state.last_look.reset();
  c.Enter(Phase::kProgressing);
  c.Decide(Verdict::kStart, StrCat("release of ", view.current, " is watched"));
  c.Tell("started", spec::RuleSeverity::kLow, StrCat("release of ", view.current, " is watched"));
}

// It may not begin: a Rollout is paused until it may, a Canary finds its gate shut.
void Keep(Context& c, const ExternalView& view, const Block& block) {
  c.Wait(block.reason);
  const bool told = c.state().phase == Phase::kPending && c.state().seen == view.current &&
                    (c.state().blocked_by == block.reason || block.kind == Block::Kind::kTurn);
  if (!told) {
    c.Edit().seen = view.current;
    c.Edit().blocked_by = block.reason;
    c.Enter(Phase::kPending);
    c.Decide(Verdict::kHold, StrCat("revision ", view.current, " may not start: ", block.reason))
        .revision = view.current;
    c.Tell(block.frozen ? "frozen" : "waiting", spec::RuleSeverity::kLow,
           StrCat("revision ", view.current, ": ", block.reason));
  }
  if (view.argo && !view.paused) {
    c.Edit().pause_version = c.obs.target.resource_version;
    PauseRollout(c, true, "it may not start yet");
  }
}

void AtRest(Context& c, const ExternalView& view) {
  if (c.state().stable != view.stable) c.Edit().stable = view.stable;
  const bool news = view.current != view.stable && !view.aborted;
  if (const Rejection* known = c.state().Quarantined(view.current, c.obs.now); news && known) {
    c.SetCondition("Quarantined", true, "Rejected",
                   StrCat("revision ", view.current, " was rejected: ", known->reason));
    c.Wait(StrCat("revision ", view.current, " is quarantined; `retry` lets it out"));
    return;
  }
  c.SetCondition("Quarantined", false, "None", "");
  if (!news) {
    if (c.state().phase != Phase::kIdle) c.Enter(Phase::kIdle);
    if (!c.state().blocked_by.empty()) c.Edit().blocked_by.clear();
    if (!c.state().seen.empty()) c.Edit().seen.clear();
    if (c.state().queued_since) c.Edit().queued_since.reset();
    if (c.state().pause_version.empty()) return;
    c.Edit().pause_version.clear();
    if (view.argo && view.paused) PauseRollout(c, false, "nothing waits any more");
    return;
  }
  const StartView::Artifacts& images = c.obs.start.artifacts;
  if (images.state == StartView::Artifacts::State::kRefused) {
    Start(c, view);
    BeginRollback(c, images.reason, "rollguard", {}, true, true);
    return;
  }
  const Block block = StartBlock(c, view.current);
  if (block.kind == Block::Kind::kNone || c.observing()) {
    Start(c, view);
  } else if (block.kind != Block::Kind::kRejected) {
    Keep(c, view, block);
  }
}

// What people and signals asked for, and the word to go on.
void Steer(Context& c, const ExternalView& view) {
  const bool held = c.state().phase == Phase::kHeld;
  const std::vector<std::string> holds = HoldReasons(c);
  const std::string reason = held ? c.rel().held_reason : holds.empty() ? "" : holds.front();
  if (c.state().blocked_by != reason) c.Edit().blocked_by = reason;  // the gate of a Canary
  if (!reason.empty()) c.Wait(reason);
  if (!view.argo) return;
  const bool pause = c.rel().paused || held;
  if (pause != view.paused && (pause || c.rel().touched_target)) {
    c.EditRelease().touched_target = pause;
    PauseRollout(c, pause, pause ? reason : "it may go on");
    return;
  }
  if (c.rel().scratch.confirmed) {
    c.EditRelease().scratch.confirmed = false;
    PromoteRollout(c, c.rel().full, "a person promotes");
    return;
  }
  // Its pause is over once the conditions are gone, though its phase says so only later.
  const bool waits = view.phase == "Paused" && !view.paused &&
                     c.obs.target.object->At("status", "pauseConditions").size() > 0;
  if (Settings(c).promote && waits && holds.empty() && !held) {
    PromoteRollout(c, false, "all is well: go on");
  }
}

void Watch(Context& c, const ExternalView& view) {
  if (view.current == view.stable) {
    c.Edit().stable = view.stable;
    const bool ours = view.current == c.rel().candidate;
    Complete(c, ours ? "promoted" : "superseded",
             ours ? StrCat("revision ", view.current, " is stable now")
                  : std::string("the template went back to the stable one"));
    return;
  }
  if (view.current != c.rel().candidate) {
    Complete(c, "superseded", StrCat("revision ", view.current, " takes its place"));
    return;
  }
  if (view.aborted) {
    Quarantine(c, c.rel().candidate, "its controller aborted it");
    Complete(c, "rolledBack", "its controller aborted it");
    return;
  }
  Judge(c);
  if (c.state().phase == Phase::kRollingBack) return;
  c.Wait(StrCat("watched while its controller says ", view.phase));
  Steer(c, view);
}

void TakeBack(Context& c, const ExternalView& view) {
  if (!c.state().blocked_by.empty()) c.Edit().blocked_by.clear();
  const bool undone = view.current == view.stable || view.current != c.rel().candidate;
  const bool pause = Settings(c).on_bad == OnBad::kPause && view.argo;
  if (c.rel().awaiting_approval && !view.aborted && !undone) {
    WaitsForApproval(c);
    if (c.rel().awaiting_approval) return;
  }
  if (view.aborted || undone) {
    const bool verified = c.rel().trigger->quarantine && !c.observing();
    if (verified) c.Enter(Phase::kVerifying);
    if (!verified) Complete(c, "superseded", c.rel().trigger->reason);
    return;
  }
  if (pause && view.paused) {
    Complete(c, "failed", StrCat("paused for people: ", c.rel().trigger->reason));
    return;
  }
  if (!view.argo) {
    c.Wait("Flagger is told when it asks its rollback gate");
  } else if (pause) {
    PauseRollout(c, true, c.rel().trigger->reason);
  } else {
    AbortRollout(c, view, Settings(c).on_bad == OnBad::kUndo);
  }
}

void VerifyBack(Context& c, const ExternalView& view) {
  if (c.rel().scratch.started == Time{}) c.EditRelease().scratch.started = c.obs.now;
  const Time until = c.rel().scratch.started + c.guard.rollback.verify_for;
  const bool fix = view.current != c.rel().candidate && view.current != view.stable;
  if (c.obs.now < until && !fix) {
    c.Wake(until);
    c.Wait(StrCat("verifies the rollback until ", FormatRfc3339(until)));
    return;
  }
  ConcludeRollback(c, !fix);
}

}  // namespace

const spec::ExternalStrategy& Settings(const Context& c) {
  return std::get<spec::ExternalStrategy>(c.guard.strategy);
}

ExternalView ReadExternal(const Context& c) {
  ExternalView view;
  view.argo = Settings(c).controller == Controller::kArgo;
  const Json& object = *c.obs.target.object;
  const Json& status = object.At("status");
  view.phase = status.At("phase").Str();
  view.paused = object.At("spec", "paused").BoolOr(false);
  if (view.argo) {
    view.current = status.At("currentPodHash").Str();
    view.stable = status.At("stableRS").Str();
    view.aborted = status.At("abort").BoolOr(false);
  } else {
    view.current = status.At("lastAppliedSpec").Str();
    view.stable = status.At("lastPromotedSpec").Str();
    view.aborted = view.phase == "Failed";
  }
  return view;
}

bool FlaggerGate(const GuardState& state, FlaggerHook hook) {
  return FlaggerReason(state, hook).empty();
}

std::string FlaggerReason(const GuardState& state, FlaggerHook hook) {
  const bool back =
      state.release && state.phase == Phase::kRollingBack && !state.release->awaiting_approval;
  if (hook == FlaggerHook::kRollback) {
    return back ? std::string() : std::string("nothing is to be rolled back");
  }
  if (back) return "the release is being rolled back";
  if (!state.blocked_by.empty()) return state.blocked_by;
  if (!state.release) return {};
  if (state.phase == Phase::kRollingBack) return "the rollback waits for approval";
  if (state.phase == Phase::kHeld) return StrCat("held: ", state.release->held_reason);
  return state.release->paused ? StrCat("paused: ", state.release->pause_reason) : std::string();
}

void External(Context& c) {
  const ExternalView view = ReadExternal(c);
  if (view.current.empty() || view.stable.empty()) {
    c.Wait("its controller has not reported a stable revision yet");
    return;
  }
  if (!c.active()) AtRest(c, view);
  if (!c.active()) return;
  const Phase phase = c.state().phase;
  if (phase == Phase::kVerifying) {
    VerifyBack(c, view);
    return;
  }
  if (phase != Phase::kRollingBack) Watch(c, view);
  if (c.active() && c.state().phase == Phase::kRollingBack) TakeBack(c, view);
}

}  // namespace rollguard::release
