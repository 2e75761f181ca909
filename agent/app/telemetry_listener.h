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
  TelemetryListener(telemetry::Metrics& metrics, const Clock& clock);

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
  // After the desk took alerts in (`arrived`: the clock's monotonic time at which the sender's
  // request was read) or reconciled a poll's answer (no receipts).
  void OnAlerts(const AlertDesk& desk, const std::vector<AlertReceipt>& receipts,
                std::chrono::nanoseconds arrived);

 private:
  // What is remembered of a guard: what its series say now, and what latencies are counted from.
  struct Known {
    std::optional<release::Phase> phase;
    std::pair<int64_t, size_t> spec_version{-1, 0};
    std::string release;
    std::string trigger;                                       // of its rollback
    std::map<std::string, std::chrono::nanoseconds> alerts;    // arrived, by name
    std::map<std::string, std::chrono::nanoseconds> breaches;  // began to fire, by rule
    std::optional<std::chrono::nanoseconds> rolled_back;
  };
  void Show(const spec::Guard& guard, const release::GuardState& state,
            const release::Observation& observation);
  void EndRelease(std::string_view ns, std::string_view name);
  void CountEnd(const spec::Guard& guard, const release::GuardState& before,
                const release::LastOutcome& last);

  telemetry::Metrics& metrics_;
  const Clock& clock_;
  std::map<std::string, Known> known_;
};

}  // namespace rollguard::app
