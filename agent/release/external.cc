// SPDX-License-Identifier: Apache-2.0
// The workload belongs to another controller; it carries out, we decide. An Argo Rollout is told by
// patches of the fields its own tools patch. A Flagger Canary asks: see FlaggerGate in step.h.
#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

struct RolloutView {
  std::string current;
  std::string stable;
  std::string phase;
  bool aborted = false;
};

RolloutView ReadRollout(const Json& rollout) {
  const Json& status = rollout.At("status");
  return {status.At("currentPodHash").Str(), status.At("stableRS").Str(), status.At("phase").Str(),
          status.At("abort").BoolOr(false)};
}

RolloutView ReadCanary(const Json& canary) {
  const Json& status = canary.At("status");
  return {status.At("lastAppliedSpec").Str(), status.At("lastPromotedSpec").Str(),
          status.At("phase").Str(), status.At("phase").Str() == "Failed"};
}

const spec::ExternalStrategy& Settings(const Context& c) {
  return std::get<spec::ExternalStrategy>(c.guard.strategy);
}

void Patch(Context& c, Json patch, const char* subresource, const std::string& why) {
  c.Do(PatchObject{
      TargetId(c.guard), PatchObject::Kind::kMerge, std::move(patch), why, {}, subresource});
}

void TakeBack(Context& c, const RolloutView& view) {
  if (Settings(c).controller == spec::ExternalStrategy::Controller::kFlagger) {
    c.Wait("Flagger is told when it asks its rollback gate");
    return;
  }
  switch (Settings(c).on_bad) {
    case spec::ExternalStrategy::OnBad::kAbort:
      if (!view.aborted) {
        Patch(c, Json::Obj({{"status", Json::Obj({{"abort", true}})}}), "status", "abort");
      }
      return;
    case spec::ExternalStrategy::OnBad::kPause:
      if (!c.obs.target.object->At("spec", "paused").BoolOr(false)) {
        Patch(c, Json::Obj({{"spec", Json::Obj({{"paused", true}})}}), "", "pause");
      }
      return;
    case spec::ExternalStrategy::OnBad::kUndo: {
      for (const RevisionView& revision : c.obs.target.revisions) {
        if (revision.pod_hash != view.stable) continue;
        PutTemplate(c, TemplateOf(revision), false, "undo");
        return;
      }
      if (!view.aborted) {
        Patch(c, Json::Obj({{"status", Json::Obj({{"abort", true}})}}), "status", "abort");
      }
      return;
    }
  }
}

void Watch(Context& c, const RolloutView& view) {
  if (view.current != c.rel().candidate) {
    Complete(c, "superseded", StrCat("revision ", view.current, " takes its place"));
    return;
  }
  if (view.current == view.stable) {
    c.Edit().stable = view.stable;
    Complete(c, "promoted", StrCat("revision ", view.current, " is stable now"));
    return;
  }
  if (view.aborted) {
    Quarantine(c, c.rel().candidate, "its controller aborted it");
    Complete(c, "rolledBack", "its controller aborted it");
    return;
  }
  Judge(c);
  if (c.state().phase != Phase::kProgressing) return;
  c.Wait(StrCat("watched while its controller says ", view.phase));
  const bool paused = view.phase == "Paused";
  if (Settings(c).promote && paused && HoldReasons(c).empty() &&
      Settings(c).controller == spec::ExternalStrategy::Controller::kArgo) {
    Patch(c, Json::Obj({{"status", Json::Obj({{"pauseConditions", Json()}})}}), "status",
          "all is well: go on");
  }
}

}  // namespace

bool FlaggerGate(const GuardState& state, FlaggerHook hook) {
  const bool back = state.release && state.phase == Phase::kRollingBack;
  if (hook == FlaggerHook::kRollback) return back;
  const bool held = state.release && (state.phase == Phase::kHeld || state.release->paused);
  return !back && !held && state.blocked_by.empty();
}

void External(Context& c) {
  const bool argo = Settings(c).controller == spec::ExternalStrategy::Controller::kArgo;
  const RolloutView view =
      argo ? ReadRollout(*c.obs.target.object) : ReadCanary(*c.obs.target.object);
  if (view.current.empty() || view.stable.empty()) {
    c.Wait("its controller has not reported a stable revision yet");
    return;
  }
  if (!c.active()) {
    if (c.state().stable != view.stable) c.Edit().stable = view.stable;
    if (c.state().phase != Phase::kIdle) c.Enter(Phase::kIdle);
    if (view.current == view.stable || view.aborted ||
        c.state().Quarantined(view.current, c.obs.now) != nullptr) {
      return;
    }
    ReleaseState rel;
    rel.id = StrCat(view.current, "-", c.state().sequence);
    rel.candidate = view.current;
    rel.stable = view.stable;
    rel.started = c.obs.now;
    c.Edit().release = std::move(rel);
    c.Enter(Phase::kProgressing);
    c.Decide(Verdict::kStart, StrCat("release of ", view.current, " is watched"));
    return;
  }
  if (c.state().phase == Phase::kProgressing || c.state().phase == Phase::kHeld) {
    if (c.state().phase == Phase::kHeld && c.rel().trigger) return;
    Watch(c, view);
    if (!c.active() || c.state().phase != Phase::kRollingBack) return;
  }
  if (c.state().phase == Phase::kRollingBack) {
    TakeBack(c, view);
    const bool undone = view.current == view.stable || view.current != c.rel().candidate;
    const bool paused = Settings(c).on_bad == spec::ExternalStrategy::OnBad::kPause &&
                        c.obs.target.object->At("spec", "paused").BoolOr(false);
    if (view.aborted || undone || paused) Complete(c, "rolledBack", c.rel().trigger->reason);
  }
}

}  // namespace rollguard::release
