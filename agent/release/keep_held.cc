// SPDX-License-Identifier: Apache-2.0
// Somebody may take the hold off in the middle of a release. Kubernetes then rolls the target
// behind the routes, which are pinned to stable's pods: with the last of them the users would be
// lost. So the hold is put back at once, and when stable's pods are going already, the release goes
// back.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

constexpr int64_t kEnough = 75;   // percent of stable's pods; what a rolling update leaves standing
constexpr int64_t kCarries = 80;  // what it needs for a step; see StableShort

bool MustBeHeld(const Context& c) {
  return c.plan.hold && c.plan.kind == Plan::Kind::kSibling && !c.tracks.roles_swap &&
         !c.observing() && !c.rel().touched_target;
}

}  // namespace

bool RollsAround(const Context& c) {
  if (!MustBeHeld(c)) return false;
  const WorkloadView& w = c.obs.target;
  if (!w.held && w.revision != c.rel().stable) return true;
  return HasStrays(c, c.rel().stable);
}

// What the target itself counts as of one template is of one: its ReplicaSets are seen later.
bool HasStrays(const Context& c, const std::string& stable) {
  const WorkloadView& w = c.obs.target;
  if (w.revision == stable && w.RolledOut()) return false;
  const auto& revisions = w.revisions;
  return std::any_of(revisions.begin(), revisions.end(),
                     [&](const RevisionView& r) { return r.revision != stable && r.replicas > 0; });
}

bool KeepHeld(Context& c) {
  if (!MustBeHeld(c)) return true;
  const WorkloadView& w = c.obs.target;
  const RevisionView* stable = w.Find(c.rel().stable);
  const int64_t left = stable != nullptr ? stable->replicas : 0;
  // Held again in the middle, its pods do not change places any more: what is short stays short.
  const int64_t needed = w.held && w.observed ? kCarries : kEnough;
  if (RollsAround(c) && left * 100 < w.replicas * needed) {
    BeginRollback(c, "somebody took the hold off the target and it rolls behind the routes",
                  "rollguard", {}, false, true);
    return false;
  }
  if (w.held) return true;
  c.SetCondition("Conflict", true, "Unpaused",
                 "the hold was taken off the target while a release runs: it was put back");
  Hold(c, "a release runs: the target is held");
  c.Wait("the target is held again");
  return false;
}

}  // namespace rollguard::release
