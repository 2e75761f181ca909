// SPDX-License-Identifier: Apache-2.0
// Everything before the candidate may get traffic: hooks, snapshots, routes pinned to stable (so
// that a coming pod is not found by accident), the first pods.
#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

int64_t FirstNeed(const Context& c) {
  if (c.rel().fast) return CandidateNeed(c, 100);
  for (const spec::Step& step : c.plan.steps) {
    if (const auto* weight = std::get_if<spec::SetWeight>(&step.action)) {
      if (weight->percent > 0) return CandidateNeed(c, weight->percent);
    }
    if (const auto* scale = std::get_if<spec::SetCandidateScale>(&step.action)) {
      if (scale->replicas) return *scale->replicas;
      if (scale->weight) return (*scale->weight * FullSize(c) + 99) / 100;
    }
  }
  return CandidateNeed(c, 100);
}

}  // namespace

namespace {

// A rollout in place: the next revision goes on from here, the stable one is gone back to.
void RollingMovedOn(Context& c) {
  const std::string& now = c.obs.target.revision;
  const bool back = now == c.rel().stable || c.state().Quarantined(now, c.obs.now) != nullptr;
  if (back && !c.observing()) {
    BeginRollback(c, "the template was replaced", "rollguard", {}, false, true);
  } else {
    Complete(c, "superseded", StrCat("revision ", now, " takes its place"));
  }
}

// Ends the release for what came in its place; one that knows no way back is held instead.
void GiveUp(Context& c, const std::string& reason) {
  if (Irreversible(c) && (c.rel().weight > 0 || c.rel().wanted.candidate > 0)) {
    HoldAndPage(c, reason, "the release is irreversible", {});
  } else {
    BeginRollback(c, reason, "rollguard", {}, false, true);
  }
}

}  // namespace

// True when the template moved on and the release was ended, or held, for it.
bool EndedBySuperseding(Context& c) {
  if (c.plan.kind == Plan::Kind::kRolling) {
    if (c.obs.target.revision == c.rel().candidate) return false;
    RollingMovedOn(c);
    return true;
  }
  if (c.tracks.roles_swap) {
    if (!c.candidate().exists || c.candidate().revision == c.rel().candidate) return false;
    GiveUp(c, "the candidate's template was replaced");
    return true;
  }
  const std::string& now = c.obs.target.revision;
  if (now == c.rel().candidate || c.rel().touched_target) return false;
  GiveUp(c, now == c.rel().stable ? std::string("the template went back to the stable one")
                                  : StrCat("revision ", now, " takes its place"));
  return true;
}

void Prepare(Context& c) {
  if (EndedBySuperseding(c) || !KeepHeld(c)) return;
  std::string failure;
  const Progress hooks = RunHooks(c, c.guard.hooks.pre_release, failure);
  if (hooks == Progress::kFailed) {
    BeginRollback(c, failure, "rollguard", {}, true, true);
    return;
  }
  if (hooks == Progress::kWaiting) return;
  if (SnapshotConfigs(c) != Progress::kDone) return;
  if (c.plan.kind == Plan::Kind::kRolling) {
    c.Enter(Phase::kProgressing);
    return;
  }
  FloorHpa(c);
  // Before it is there nothing is late but ourselves.
  const WorkloadView& w = c.candidate();
  WatchProgress(c, w.ready + w.updated, !w.exists);
  if (ApplySplit(c, routing::Split{}, "routes are pinned to stable") != Progress::kDone) return;
  if (!Settled(c)) return;
  // Without a router the first pods are the first traffic: they come with the first step.
  const bool later = FollowsReplicas(c) && c.plan.max_surge.has_value();
  if (!later && EnsureCandidate(c, FirstNeed(c)) != Progress::kDone) return;
  WatchProgress(c, 0, true);
  c.Enter(Phase::kProgressing);
}

}  // namespace rollguard::release
