// SPDX-License-Identifier: Apache-2.0
// Says when the agent cannot see: the metrics source of a guard does not answer, too few of the
// release's pods are scraped, the Watchdog is missing. What follows is the guard's `blind` policy;
// a release is never taken back because monitoring died unless the policy says so in that word.
//
// Scrape coverage is the share of a track's ready pods with `up == 1`, asked every half minute for
// guards that are releasing. It counts as lost only where it was there before (for this release, or
// for the stable pods): servers that do not label `up` with `pod` prove nothing.
//
// Belongs to the deciding thread. Put it after the sensors that ask, before the governor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/app/controller.h"
#include "agent/app/metrics_sources.h"

namespace rollguard::app {

class BlindSensor : public Sensor {
 public:
  // `watchdog`: why alerts cannot be trusted to arrive, empty when they can; may be null.
  BlindSensor(Timers& timers, const Clock& clock, MetricsSources& sources,
              std::function<std::string()> watchdog = {});
  ~BlindSensor() override;
  void Attach(Controller* controller) { controller_ = controller; }

  void Contribute(const spec::Guard& guard, const release::GuardState& state,
                  release::Observation& observation) override;
  void Follow(const GuardView& view) override;
  void Forget(const std::string& guard) override;

 private:
  struct Watch;
  void Arm();
  void Tick();
  void AskCoverage(const std::shared_ptr<Watch>& watch, bool candidate,
                   MetricsSource::Round& round);
  void Judge(Watch& watch) const;
  std::string SourceTrouble(const spec::Guard& guard) const;

  Timers& timers_;
  const Clock& clock_;
  MetricsSources& sources_;
  std::function<std::string()> watchdog_;
  Controller* controller_ = nullptr;
  std::map<std::string, std::shared_ptr<Watch>> watches_;
  TimerId timer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // an answer may come later
};

}  // namespace rollguard::app
