// SPDX-License-Identifier: Apache-2.0
#include "agent/alerts/governor.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::alerts {
namespace {

constexpr int64_t kShareNeeds = 5;  // a share says nothing about a handful of releases

}  // namespace

void FleetGovernor::Forget(Time now) {
  while (!triggers_.empty() && now - triggers_.front().at > limits_.within) triggers_.pop_front();
}

GovernorVerdict FleetGovernor::Ask(Time now, const std::string& guard, int64_t releasing,
                                   int64_t rollbacks) {
  Forget(now);
  bool known = std::any_of(triggers_.begin(), triggers_.end(),
                           [&](const Trigger& t) { return t.guard == guard; });
  if (!known) triggers_.push_back({now, guard});
  auto count = static_cast<int64_t>(triggers_.size());
  std::string window = FormatShortDuration(limits_.within);
  if (limits_.max_triggers > 0 && count > limits_.max_triggers) {
    return {false,
            StrCat(count, " guards triggered within ", window, " (limit ", limits_.max_triggers,
                   "): this looks like the platform, not the releases")};
  }
  double share = releasing > 0 ? static_cast<double>(count) / static_cast<double>(releasing) : 0;
  if (releasing >= kShareNeeds && count > 1 && share > limits_.max_share) {
    return {false, StrCat(count, " of ", releasing, " releasing guards triggered within ", window,
                          ": this looks like the platform, not the releases")};
  }
  if (limits_.max_rollbacks_per_hour > 0 && rollbacks >= limits_.max_rollbacks_per_hour) {
    return {false, StrCat(rollbacks, " rollbacks within the last hour (limit ",
                          limits_.max_rollbacks_per_hour, ")")};
  }
  return {};
}

}  // namespace rollguard::alerts
