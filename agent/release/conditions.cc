// SPDX-License-Identifier: Apache-2.0
// Conditions that are true at a glance: is the way back there, is someone needed.
#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

// Why going back would not work now; empty: it would.
std::string NotReady(const Context& c) {
  if (c.plan.kind == Plan::Kind::kExternal) return {};
  if (c.active() && Irreversible(c)) return "the release is irreversible";
  const std::string& stable = c.active() ? c.rel().stable : c.state().stable;
  if (stable.empty()) return "no stable revision is known";
  if (c.tracks.roles_swap) return c.stable().exists ? "" : "the stable Deployment is gone";
  const RevisionView* revision = c.obs.target.Find(stable);
  if (revision == nullptr) {
    return StrCat("the stable revision ", stable, " is in no ReplicaSet or ControllerRevision");
  }
  return StableShort(c);
}

}  // namespace

void UpdateConditions(Context& c) {
  const std::string why = NotReady(c);
  const Condition* known = c.state().FindCondition("RollbackReady");
  const bool news = !why.empty() && (known == nullptr || known->status);
  if (known == nullptr)
    c.Edit().conditions.push_back({"RollbackReady", !why.empty(), "", "", c.obs.now});
  c.SetCondition("RollbackReady", why.empty(), why.empty() ? "Ready" : "NotReady", why);
  if (news && c.active()) {
    c.Tell("notReady", spec::RuleSeverity::kHigh, StrCat("there is no way back now: ", why));
  }
  c.SetCondition("Blind", !c.obs.blind.empty(), c.obs.blind.empty() ? "Seeing" : "NoMetrics",
                 c.obs.blind);
  const bool paused = c.active() && c.rel().paused;
  c.SetCondition("Paused", paused, paused ? "Paused" : "NotPaused",
                 paused ? c.rel().pause_reason : "");
}

}  // namespace rollguard::release
