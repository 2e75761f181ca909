// SPDX-License-Identifier: Apache-2.0
#include "agent/app/gate_sensor.h"

#include "agent/base/text.h"

namespace rollguard::app {

struct GateSensor::Gate {
  std::string guard;
  std::string release;
  std::string body;
  spec::WebhookGate settings;
  release::GateView view;
  bool answered = false;
  TimerId timer = 0;
};

GateSensor::GateSensor(Timers& timers, const Clock& clock, HttpClient* http)
    : timers_(timers), clock_(clock), http_(http) {}

GateSensor::~GateSensor() {
  while (!gates_.empty()) Forget(gates_.begin()->first);
}

void GateSensor::Ask(const spec::Guard& guard, const release::AskGate& action) {
  std::shared_ptr<Gate>& gate = gates_[guard.Id()][action.key];
  if (gate != nullptr) return;
  gate = std::make_shared<Gate>();
  gate->guard = guard.Id();
  gate->settings = action.gate;
  gate->view.key = action.key;
  gate->body =
      Json::Obj(
          {{"guard", guard.metadata.name}, {"namespace", guard.metadata.ns}, {"gate", action.key}})
          .Dump();
  Send(gate);
}

void GateSensor::Send(const std::shared_ptr<Gate>& gate) {
  if (http_ == nullptr) {
    Hear(gate, Error(ErrorCode::kUnavailable, "there is no network here"));
    return;
  }
  HttpRequest request;
  request.method = "POST";
  request.url = gate->settings.url;
  for (const auto& [name, value] : gate->settings.headers)
    request.headers.emplace_back(name, value);
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = gate->body;
  request.timeout = gate->settings.request_timeout;
  request.max_body = 64 << 10;
  http_->Send(std::move(request),
              [this, weak = std::weak_ptr(gate)](const Expected<HttpResponse>& response) {
                if (auto held = weak.lock()) Hear(held, response);
              });
}

void GateSensor::Hear(const std::shared_ptr<Gate>& gate, const Expected<HttpResponse>& response) {
  bool before = gate->view.open;
  gate->answered = true;
  gate->view.at = clock_.Now();
  gate->view.open = response && response->status >= 200 && response->status < 300;
  gate->view.message =
      !response ? response.error().message
                : StrCat("answered ", response->status, " ", Abbreviate(Trim(response->body), 200));
  if (gate->view.open != before || !gate->view.open) controller_->Touch(gate->guard);
  if (gate->view.open) return;
  gate->timer = timers_.After(gate->settings.interval, [this, weak = std::weak_ptr(gate)] {
    if (auto held = weak.lock()) {
      held->timer = 0;
      Send(held);
    }
  });
}

void GateSensor::Contribute(const spec::Guard& guard, const release::GuardState&,
                            release::Observation& observation) {
  auto found = gates_.find(guard.Id());
  if (found == gates_.end()) return;
  for (const auto& [key, gate] : found->second) {
    if (gate->answered) observation.gates.push_back(gate->view);
  }
}

void GateSensor::Follow(const GuardView& view) {
  if (!view.state.release) Forget(view.guard.Id());
}

void GateSensor::Forget(const std::string& guard) {
  auto found = gates_.find(guard);
  if (found == gates_.end()) return;
  for (auto& [key, gate] : found->second) {
    if (gate->timer != 0) timers_.CancelTimer(gate->timer);
  }
  gates_.erase(found);
}

}  // namespace rollguard::app
