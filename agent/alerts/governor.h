// SPDX-License-Identifier: Apache-2.0
// The fleet governor: when many guards trigger within a short time it is likely the platform, not
// the releases. It then stops automatic rollbacks and pages; a person decides.
#pragma once

#include <deque>
#include <string>

#include "agent/base/time.h"
#include "agent/spec/agent_config.h"

namespace rollguard::alerts {

struct GovernorVerdict {
  bool allowed = true;
  std::string reason;  // when not allowed
};

// Not thread-safe. Times must not go backwards.
class FleetGovernor {
 public:
  explicit FleetGovernor(const spec::FleetLimits& limits) : limits_(limits) {}

  // A guard wants to roll back. `releasing`: how many guards are releasing now; `rollbacks`: how
  // many were rolled back within the last hour. One guard that asks again counts once.
  GovernorVerdict Ask(Time now, const std::string& guard, int64_t releasing, int64_t rollbacks);
  void SetLimits(const spec::FleetLimits& limits) { limits_ = limits; }

 private:
  void Forget(Time now);

  struct Trigger {
    Time at;
    std::string guard;
  };
  spec::FleetLimits limits_;
  std::deque<Trigger> triggers_;
};

}  // namespace rollguard::alerts
