// SPDX-License-Identifier: Apache-2.0
// The Guard is being deleted: what runs is brought to an end, what was changed is given back.
#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {

void Remove(Context& c) {
  if (c.observing()) {
    if (c.active()) Complete(c, "superseded", "the guard is deleted");
    c.out().finalized = true;
    return;
  }
  if (c.plan.kind == Plan::Kind::kExternal) {
    RemoveExternal(c);
    return;
  }
  if (c.active()) {
    const Phase phase = c.state().phase;
    if (phase == Phase::kVerifying) {
      Complete(c, "rolledBack", "the guard is deleted");
    } else if (phase == Phase::kRollingBack) {
      if (c.rel().awaiting_approval) c.EditRelease().awaiting_approval = false;
      RollBack(c);
    } else if (phase == Phase::kPromoting && c.rel().touched_target) {
      Promote(c);
    } else {
      BeginRollback(c, "the guard is deleted", "rollguard", {}, false, true);
      RollBack(c);
    }
    if (c.active()) return;
  }
  if (!c.obs.target.exists) {
    c.out().finalized = true;
    return;
  }
  if (c.plan.kind == Plan::Kind::kSibling) {
    if (!c.tracks.roles_swap && RemoveCandidate(c) != Progress::kDone) return;
    if (ApplyRest(c, routing::RestAfter::kRollback) == Progress::kWaiting) return;
  }
  if (!UnfloorHpa(c)) return;
  if (!GivenBack(c) && !c.observing()) {
    if (c.state().decisions.empty() || c.state().decisions.back().verdict != Verdict::kAdopt) {
      c.Decide(Verdict::kAdopt, "the guard is deleted: the target is given back");
    }
    GiveBack(c);
    c.Wait("the target is given back");
    return;
  }
  c.out().finalized = true;
}

}  // namespace rollguard::release
