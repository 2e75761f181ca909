// SPDX-License-Identifier: Apache-2.0
// The workload belongs to another controller; it carries out, we decide. An Argo Rollout is told by
// patches of the fields its own tools patch (argo.cc). A Flagger Canary asks: see FlaggerGate in
// step.h. What is bad goes back in external_back.cc.
#include "agent/release/external.h"

#include "agent/base/text.h"

namespace rollguard::release {
namespace {

using Controller = spec::ExternalStrategy::Controller;

constexpr Duration kLook = std::chrono::seconds(15);  // as signals are weighed

// When its controller made it new; alerts that began since then may be its fault, however late it
// is noticed. A revision that comes back begins when it is seen.
Time BeganAt(const Context& c, const std::string& revision) {
  const RevisionView* made = c.obs.target.Find(revision);
  if (made == nullptr || made->object == nullptr) return c.obs.now;
  const auto at = ParseRfc3339(made->object->At("metadata", "creationTimestamp").Str());
  const bool is_new = at && *at <= c.obs.now && (!c.state().last || *at > c.state().last->at);
  return is_new ? *at : c.obs.now;
}

void Start(Context& c, const ExternalView& view) {
  ReleaseState rel;
  rel.id = StrCat(view.current, "-", c.state().sequence);
  rel.candidate = view.current;
  rel.stable = view.stable;
  rel.actor = "rollguard";
  rel.started = BeganAt(c, view.current);
  GuardState& state = c.Edit();
  state.release = std::move(rel);
  state.seen.clear();
  state.blocked_by.clear();
  state.queued_since.reset();
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
  if (view.argo) StandStill(c, view, "it may not start yet");
}

void ForgetNews(Context& c, const ExternalView& view) {
  if (c.state().phase != Phase::kIdle) c.Enter(Phase::kIdle);
  if (!c.state().blocked_by.empty()) c.Edit().blocked_by.clear();
  if (!c.state().seen.empty()) c.Edit().seen.clear();
  if (c.state().queued_since) c.Edit().queued_since.reset();
  if (view.argo) GoOn(c, view, "nothing waits any more");
}

void AtRest(Context& c, const ExternalView& view) {
  if (c.state().stable != view.stable) c.Edit().stable = view.stable;
  // A Canary that waits has not begun: what was applied last is the one before.
  const bool waits = !view.argo && view.phase == "Waiting";
  const bool news = view.current != view.stable && !view.aborted && !waits;
  if (const Rejection* known = c.state().Quarantined(view.current, c.obs.now); news && known) {
    RefuseRejected(c, view, *known);
    return;
  }
  c.SetCondition("Quarantined", false, "None", "");
  if (!news) {
    ForgetNews(c, view);
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

// A person's word, until its effect is seen: the write may fail, or the agent die before it.
void PassOn(Context& c) {
  const Json& status = c.obs.target.object->At("status");
  const int64_t step = status.At("currentStepIndex").IntOr(0);
  const bool first = c.rel().progress_mark < 0;
  const bool passed =
      c.rel().full ? status.At("promoteFull").BoolOr(false)
                   : status.At("pauseConditions").size() == 0 || step != c.rel().progress_mark;
  if (!first && passed) {
    c.EditRelease().scratch.confirmed = false;
    c.EditRelease().progress_mark = -1;
    return;
  }
  if (first) c.EditRelease().progress_mark = step;
  PromoteRollout(c, c.rel().full, "a person promotes");
}

// All is well only once the signals have had a look at what the step has brought: of pods that have
// just come up none of them knows anything yet.
bool AllIsWell(Context& c) {
  for (const Signal& signal : c.obs.signals) {
    const bool counts = signal.action != spec::TriggerAction::kObserve && !signal.pre_existing;
    if (counts && signal.state == Signal::State::kPending) {
      c.Wait(StrCat(signal.name, " is pending"));
      return false;
    }
  }
  const RunView* run = c.obs.FindRun(c.rel().background_run);
  if (c.plan.background != nullptr && (run == nullptr || run->phase == RunView::Phase::kPending)) {
    c.Wait("the background analysis has measured nothing yet");
    return false;
  }
  const Json& pause = c.obs.target.object->At("status", "pauseConditions").At(size_t{0});
  const auto since = ParseRfc3339(pause.At("startTime").Str());
  if (!since || c.obs.now >= *since + kLook) return true;
  c.Wake(*since + kLook);
  c.Wait("its pause is watched before it is told to go on");
  return false;
}

// What people and signals asked for, and the word to go on.
void Steer(Context& c, const ExternalView& view) {
  const bool held = c.state().phase == Phase::kHeld;
  const std::vector<std::string> holds = HoldReasons(c);
  const std::string reason = held ? c.rel().held_reason : holds.empty() ? "" : holds.front();
  if (c.state().blocked_by != reason) c.Edit().blocked_by = reason;  // the gate of a Canary
  if (!reason.empty()) c.Wait(reason);
  if (!view.argo) return;
  if (c.rel().paused || held) {
    StandStill(c, view, reason);
    return;
  }
  if (GoOn(c, view, "it may go on")) return;
  if (c.rel().scratch.confirmed) {
    PassOn(c);
    return;
  }
  // Its pause is over once the conditions are gone, though its phase says so only later.
  const bool waits = view.phase == "Paused" && !view.paused &&
                     c.obs.target.object->At("status", "pauseConditions").size() > 0;
  if (Settings(c).promote && waits && holds.empty() && !held && AllIsWell(c)) {
    PromoteRollout(c, false, "all is well: go on");
  }
}

void Watch(Context& c, const ExternalView& view) {
  if (view.current == view.stable) {
    c.Edit().stable = view.stable;
    const bool ours = view.current == c.rel().candidate;
    EndWatch(c, ours ? "promoted" : "superseded",
             ours ? StrCat("revision ", view.current, " is stable now")
                  : std::string("the template went back to the stable one"));
    return;
  }
  if (view.current != c.rel().candidate) {
    EndWatch(c, "superseded", StrCat("revision ", view.current, " takes its place"));
    return;
  }
  if (view.aborted) {
    Quarantine(c, c.rel().candidate, "its controller aborted it");
    EndWatch(c, "rolledBack", "its controller aborted it");
    return;
  }
  Judge(c);
  if (c.state().phase == Phase::kRollingBack) return;
  c.Wait(StrCat("watched while its controller says ", view.phase));
  Steer(c, view);
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
