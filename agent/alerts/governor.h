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

  // A guard wants to roll back. `releasing`: how many guards are releasing now. One guard that asks
  // again within the window counts once.
  GovernorVerdict Ask(Time now, const std::string& guard, int64_t releasing);
  // A rollback was carried out.
  void RolledBack(Time now) { rollbacks_.push_back(now); }
  void SetLimits(const spec::FleetLimits& limits) { limits_ = limits; }

 private:
  void Forget(Time now);

  struct Trigger {
    Time at;
    std::string guard;
  };
  spec::FleetLimits limits_;
  std::deque<Trigger> triggers_;
  std::deque<Time> rollbacks_;
};

}  // namespace rollguard::alerts
