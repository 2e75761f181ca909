// SPDX-License-Identifier: Apache-2.0
// One Step: commands, then signals, then the phase's own function; when that changes the phase the
// next one runs at once, so that a trigger and the patch that answers it are one Step apart.
#include "agent/release/step.h"

#include <algorithm>

#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

constexpr int kMaxPhasesPerStep = 6;

bool Judged(const Context& c) {
  switch (c.state().phase) {
    case Phase::kPreparing:
    case Phase::kProgressing:
    case Phase::kBaking:
    case Phase::kPromoting: return c.active();
    case Phase::kHeld: return c.active() && !c.rel().trigger;
    case Phase::kAdopting:
    case Phase::kIdle:
    case Phase::kPending:
    case Phase::kRollingBack:
    case Phase::kVerifying: return false;
  }
  return false;
}

void RunPhase(Context& c) {
  switch (c.state().phase) {
    case Phase::kAdopting: Adopt(c); return;
    case Phase::kIdle:
    case Phase::kPending: Rest(c); return;
    case Phase::kPreparing: Prepare(c); return;
    case Phase::kProgressing: Advance(c); return;
    case Phase::kBaking: Bake(c); return;
    case Phase::kPromoting: Promote(c); return;
    case Phase::kRollingBack: RollBack(c); return;
    case Phase::kVerifying: Verify(c); return;
    case Phase::kHeld: StayHeld(c); return;
  }
}

// A state that names a release without having one, or the other way round, cannot come from us.
void Mend(Context& c) {
  const bool needs = c.state().phase >= Phase::kPreparing;
  if (needs && !c.active()) c.Enter(c.state().stable.empty() ? Phase::kAdopting : Phase::kIdle);
  if (!needs && c.active()) c.Edit().release.reset();
  const bool back = c.state().phase == Phase::kRollingBack || c.state().phase == Phase::kVerifying;
  if (back && c.active() && !c.rel().trigger) {
    c.EditRelease().trigger = Trigger{"unknown", "", "rollguard", {}, c.obs.now, false};
  }
}

// The last decision of this Step says what follows from it.
void NameChanges(StepResult& result) {
  Decision* last = nullptr;
  for (Action& action : result.actions) {
    if (auto* record = std::get_if<RecordDecision>(&action)) last = &record->decision;
    if (last != nullptr && ChangesCluster(action) && last->changes.size() < 20) {
      last->changes.push_back(Describe(action));
    }
  }
}

SeenWorkload SeenOf(const WorkloadView& w) {
  return w.exists ? SeenWorkload{w.uid, w.resource_version} : SeenWorkload{};
}

// Versions count upwards; of what is no number nothing is known.
bool IsOlder(const WorkloadView& w, const SeenWorkload& known) {
  if (!w.exists || w.uid != known.uid) return false;
  const auto now = ParseInt(w.resource_version), then = ParseInt(known.version);
  return now && then && *now < *then;
}

// A watch that lags, or another agent's: what is seen is older than what was decided on.
bool OutOfDate(const Context& c) {
  return IsOlder(c.obs.target, c.state().seen_target) ||
         IsOlder(c.obs.candidate, c.state().seen_candidate);
}

bool ChangesSomething(const StepResult& result) {
  return std::any_of(result.actions.begin(), result.actions.end(),
                     [](const Action& action) { return ChangesCluster(action); });
}

std::string RoutesSeen(const Observation& obs) {
  std::string versions;
  for (const auto& [id, object] : obs.objects) {
    if (object != nullptr)
      versions += StrCat(id.Text(), " ", object->At("metadata", "resourceVersion").Str(), "\n");
  }
  return versions.empty() ? versions : ShortHash(versions);
}

// Goes along with a state that is written anyway. What follows from a target or routes that the
// status does not know of waits for it to be written: another agent may have changed them and have
// gone further, and who is told that the status moved on undoes nothing of that.
void RememberViews(Context& c) {
  const bool changes = ChangesSomething(c.out());
  if (!changes && !c.out().state_changed) return;
  const SeenWorkload target = SeenOf(c.obs.target);
  std::string routes = RoutesSeen(c.obs);
  const bool news = target.version != c.state().seen_target.version ||
                    target.uid != c.state().seen_target.uid || routes != c.state().seen_routes;
  if (!news && !c.out().state_changed) return;
  c.Edit().seen_target = target;
  const bool may_exist = c.state().seen_candidate.uid == SeenWorkload::kMayExist;
  if (c.obs.candidate.exists || !may_exist) c.Edit().seen_candidate = SeenOf(c.obs.candidate);
  c.Edit().seen_routes = std::move(routes);
}

}  // namespace

StepResult Step(const spec::Guard& guard, GuardState state, const Observation& observation) {
  StepResult result;
  result.state = std::move(state);
  Context c(guard, observation, result);
  Mend(c);
  if (IsOlderThanKnown(c) && !observation.deleting) {
    RefuseOlder(c);
    return result;
  }
  if (observation.stale || OutOfDate(c)) {
    StepUnseen(c);
    NameChanges(result);
    return result;
  }
  if (observation.deleting) {
    if (c.active() && !FailedHook(c).empty()) HandleCommands(c);
    Remove(c);
    RememberViews(c);
    return result;
  }
  if (guard.suspend) {
    c.Wait("suspended");
    return result;
  }
  if (!observation.target.exists) {
    c.Wait(StrCat(TargetId(guard).Text(), " is not there"));
    c.SetCondition("Ready", false, "NoTarget", "the target is not there");
    return result;
  }
  AcceptOlder(c);
  HandleCommands(c);
  if (c.plan.kind == Plan::Kind::kExternal) {
    External(c);
    UpdateConditions(c);
    c.SetCondition("Ready", true, "Watching", "");
    RememberViews(c);
    NameChanges(result);
    return result;
  }
  if (c.active()) FollowScaling(c);
  if (Judged(c)) Judge(c);
  Phase before = Phase::kAdopting;
  for (int i = 0; i < kMaxPhasesPerStep; ++i) {
    before = c.state().phase;
    const size_t step = c.active() ? c.rel().step : 0;
    RunPhase(c);
    const bool moved = c.state().phase != before || (c.active() && c.rel().step != step);
    // What was asked for must be seen before the next phase builds on it.
    if (!moved || ChangesSomething(result) || c.state().phase == Phase::kIdle) break;
    if (c.active() && c.rel().bypass && before < Phase::kPreparing) break;
  }
  if (Judged(c)) {
    if (ChangesSomething(result)) {
      AllowTime(c);
    } else if (JudgeProgress(c)) {
      RunPhase(c);
    }
  }
  if (c.state().phase != before) c.Wake(observation.now);
  UpdateConditions(c);
  c.SetCondition("Ready", true, "Watching", "");
  RememberViews(c);
  NameChanges(result);
  return result;
}

}  // namespace rollguard::release
