// SPDX-License-Identifier: Apache-2.0
// Turns what happens to guards into metrics. Belongs to the deciding thread; the Metrics it fills
// may be scraped at any time.
//
// Wiring: it is one of the controller's listeners and the last of its sensors (as a sensor it adds
// nothing; it sees guards at rest that no event speaks of after a restart). OnRule is the rule
// sensor's observer; OnAlerts gets what the alert desk answered, before the loop runs on.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/app/alert_desk.h"
#include "agent/app/rule_sensor.h"
#include "agent/app/sensor.h"
#include "agent/telemetry/metrics.h"

namespace rollguard::app {

class TelemetryListener : public Sensor, public Listener {
 public:
  // Both must outlive it.
  TelemetryListener(telemetry::Metrics& metrics, const Clock& clock)
      : metrics_(metrics), clock_(clock) {}

  void Contribute(const spec::Guard&, const release::GuardState&, release::Observation&) override {}
  void Follow(const GuardView& view) override;
  void Forget(const std::string& guard) override;

  void Decided(const spec::Guard& guard, const release::Decision& decision) override;
  void Changed(const spec::Guard& guard, const release::GuardState& before,
               const release::GuardState& after, const release::Observation& observation) override;
  void Told(const spec::Guard& guard, const release::Notify& notice) override;
  void Removed(const std::string& guard) override;

  // RuleSensor::SetObserver.
  void OnRule(const RuleReading& reading);
  // `arrived`: the clock's monotonic time at which the sender's request was read.
  void OnAlerts(const std::vector<AlertReceipt>& receipts, std::chrono::nanoseconds arrived);

 private:
  // What the latency of a rollback is counted from.
  struct Marks {
    std::optional<std::chrono::nanoseconds> alert;   // the first alert that triggers
    std::optional<std::chrono::nanoseconds> breach;  // the first look at which a rule fired
    std::optional<std::chrono::nanoseconds> rollback;
  };

  telemetry::Metrics& metrics_;
  const Clock& clock_;
  std::map<std::string, Marks> marks_;  // by guard, while one of them is set
};

}  // namespace rollguard::app
