// SPDX-License-Identifier: Apache-2.0
// Asks webhook gates whether a release may go on, at their interval, until the release has passed
// them. 2xx opens the gate; anything else, and silence, keep it shut. Belongs to the deciding
// thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "agent/app/controller.h"
#include "agent/ports/http_client.h"

namespace rollguard::app {

class GateSensor : public Sensor, public GateActions {
 public:
  GateSensor(Timers& timers, const Clock& clock, HttpClient* http);
  ~GateSensor() override;
  void Attach(Controller* controller) { controller_ = controller; }

  void Ask(const spec::Guard& guard, const release::AskGate& action) override;
  void Contribute(const spec::Guard& guard, const release::GuardState& state,
                  release::Observation& observation) override;
  void Follow(const GuardView& view) override;
  void Forget(const std::string& guard) override;

 private:
  struct Gate;
  void Send(const std::shared_ptr<Gate>& gate);
  void Hear(const std::shared_ptr<Gate>& gate, const Expected<HttpResponse>& response);

  Timers& timers_;
  const Clock& clock_;
  HttpClient* http_;
  Controller* controller_ = nullptr;
  std::map<std::string, std::map<std::string, std::shared_ptr<Gate>>> gates_;  // guard -> key
};

}  // namespace rollguard::app
