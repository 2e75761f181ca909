// SPDX-License-Identifier: Apache-2.0
// Decisions and notices in the agent's log, one line each.
#pragma once

#include "agent/app/sensor.h"
#include "agent/telemetry/log.h"

namespace rollguard::serve {

class LogListener : public app::Listener {
 public:
  explicit LogListener(telemetry::Log& log) : log_(log) {}

  void Decided(const spec::Guard& guard, const release::Decision& decision) override;
  void Changed(const spec::Guard& guard, const release::GuardState& before,
               const release::GuardState& after, const release::Observation&) override;
  void Told(const spec::Guard& guard, const release::Notify& notice) override;
  void Removed(const std::string& guard) override;
  void Unusable(const Json& object, const std::string& problem) override;

 private:
  telemetry::Log& log_;
};

}  // namespace rollguard::serve
