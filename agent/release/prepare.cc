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

// True when the template moved on and the release was ended for it.
bool EndedBySuperseding(Context& c) {
  if (c.plan.kind == Plan::Kind::kRolling) return false;  // Advance and Bake see to it
  if (c.tracks.roles_swap) {
    if (!c.candidate().exists || c.candidate().revision == c.rel().candidate) return false;
    BeginRollback(c, "the candidate's template was replaced", "rollguard", {}, false, true);
    return true;
  }
  const std::string& now = c.obs.target.revision;
  if (now == c.rel().candidate || c.rel().touched_target) return false;
  if (now == c.rel().stable) {
    BeginRollback(c, "the template went back to the stable one", "rollguard", {}, false, true);
  } else {
    BeginRollback(c, StrCat("revision ", now, " takes its place"), "rollguard", {}, false, true);
  }
  return true;
}

void Prepare(Context& c) {
  if (EndedBySuperseding(c)) return;
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
  WatchProgress(c, c.candidate().ready + c.candidate().updated, false);
  if (ApplySplit(c, routing::Split{}, "routes are pinned to stable") != Progress::kDone) return;
  if (!Settled(c)) return;
  if (EnsureCandidate(c, FirstNeed(c)) != Progress::kDone) return;
  WatchProgress(c, 0, true);
  c.Enter(Phase::kProgressing);
}

}  // namespace rollguard::release
