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
#include "agent/app/analysis_sensor.h"
#include "agent/app/controller.h"
#include "agent/app/rule_sensor.h"
#include "agent/serve/ground.h"

namespace rollguard::serve {

class Brain {
 public:
  // The ground has its cluster, sources and history. `listeners` are told besides the brain's own.
  Brain(Ground& ground, std::vector<app::Listener*> listeners);
  ~Brain();

  app::Controller& controller();
  app::AlertDesk& alerts();
  app::RuleSensor& rules();
  app::AnalysisSensor& analysis();
  const std::vector<app::Sensor*>& sensors() const;

  // Begins to watch guards.
  void Start();
  bool started() const;
  // Why guards are not decided on yet; empty: they are.
  std::string Waiting() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace rollguard::serve
