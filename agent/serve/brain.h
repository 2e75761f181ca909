// SPDX-License-Identifier: Apache-2.0
// What decides: the controller with its sensors and listeners. Belongs to the deciding thread once
// that runs.
//
// To add a part: make it a member of Brain::Parts in brain.cc, put it into the list of sensors or
// listeners there (order is the order of asking), and attach it to the controller if it wants that.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/app/alert_desk.h"
#include "agent/app/alert_poller.h"
#include "agent/app/analysis_sensor.h"
#include "agent/app/controller.h"
#include "agent/app/read_back.h"
#include "agent/app/rule_sensor.h"
#include "agent/ports/notifier.h"
#include "agent/serve/ground.h"
#include "agent/serve/replica.h"

namespace rollguard::serve {

class Brain {
 public:
  explicit Brain(Ground& ground);
  ~Brain();

  // Told besides the brain's own listeners; before Build.
  void AddListener(app::Listener* listener);
  // Runs after each evaluated rule.
  void OnRule(std::function<void(const app::RuleReading&)> observer);
  // Runs after each measured analysis metric.
  void OnMetric(std::function<void(const app::AnalysisReading&)> observer);
  // Makes the controller.
  void Build();

  app::Controller& controller();
  app::AlertDesk& alerts();
  app::RuleSensor& rules();
  app::AnalysisSensor& analysis();
  const app::AlertPoller& poller() const;
  Notifier& notifier();
  const std::vector<app::Sensor*>& sensors() const;
  Replica& replica();
  // What arrived at the intake and became of it, for metrics.
  void Received(const std::vector<app::AlertReceipt>& receipts, std::chrono::nanoseconds arrived);

  // No look begins any more; `done` runs once those under way have ended and other replicas can
  // go on.
  void Quiesce(std::function<void()> done);
  // Begins to watch guards, with what an earlier process knew.
  void Start(app::ReadBack earlier);
  bool started() const;
  // Why guards are not decided on yet; empty: they are.
  std::string Waiting() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace rollguard::serve
