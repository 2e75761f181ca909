// SPDX-License-Identifier: Apache-2.0
// Limits above a single guard: when many guards trigger within a short time it is likely the
// platform, and automatic rollbacks stop; per hour there are so many rollbacks of the fleet and of
// a group, and at one time so many releases. A guard that follows the rollback of its group is let
// through: half a group is worse than none.
//
// The last of the controller's sensors: it looks at what the others found. What was rolled back
// lately is counted from the guards' own states, so a restart forgets nothing of it. Belongs to the
// deciding thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "agent/alerts/governor.h"
#include "agent/app/controller.h"

namespace rollguard::app {

class GovernorDesk : public Sensor {
 public:
  GovernorDesk(const Clock& clock, const spec::FleetLimits& limits)
      : clock_(clock), limits_(limits), governor_(limits) {}
  void Attach(Controller* controller) { controller_ = controller; }
  void SetLimits(const spec::FleetLimits& limits);
  // Called once when automatic rollbacks stop, with the reason: people must know.
  void SetPager(std::function<void(const std::string& reason)> pager) { pager_ = std::move(pager); }

  // Why automatic rollbacks are stopped now; empty: they are not.
  std::string Stopped() const;

  void Contribute(const spec::Guard& guard, const release::GuardState& state,
                  release::Observation& observation) override;
  void Follow(const GuardView&) override {}
  void Forget(const std::string&) override {}

 private:
  std::string LimitFor(const spec::Guard& guard);

  const Clock& clock_;
  spec::FleetLimits limits_;
  alerts::FleetGovernor governor_;
  Controller* controller_ = nullptr;
  std::function<void(const std::string&)> pager_;
  std::string stopped_;
  std::optional<Time> stopped_until_;
};

}  // namespace rollguard::app
