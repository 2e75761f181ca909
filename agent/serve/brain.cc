// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/brain.h"

#include "agent/app/gate_sensor.h"
#include "agent/app/recorder.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "agent/serve/kube_events.h"
#include "agent/serve/log_listener.h"
#include "agent/serve/scoped_cluster.h"

namespace rollguard::serve {

struct Brain::Parts {
  explicit Parts(Ground& g)
      : ground(g),
        alerts(g.clock),
        rules(g.loop, g.clock, g.sources),
        analysis(g.loop, g.clock, g.sources, *g.cluster, &g.http),
        gates(g.loop, g.clock, &g.http),
        recorder(*g.history),
        log(g.log),
        events(*g.cluster, g.clock, g.log, IdentityOf(g.options)) {}

  Ground& ground;
  app::AlertDesk alerts;
  app::RuleSensor rules;
  app::AnalysisSensor analysis;
  app::GateSensor gates;
  app::Recorder recorder;
  LogListener log;
  KubeEvents events;

  std::vector<app::Sensor*> sensors;
  std::unique_ptr<app::Controller> controller;
  bool started = false;
};

Brain::Brain(Ground& ground, std::vector<app::Listener*> more)
    : parts_(std::make_unique<Parts>(ground)) {
  Parts& p = *parts_;
  p.sensors = {&p.alerts, &p.rules, &p.analysis, &p.gates};
  std::vector<app::Listener*> listeners = {&p.recorder, &p.log, &p.events};
  listeners.insert(listeners.end(), more.begin(), more.end());

  app::ControllerPorts ports;
  ports.cluster = ground.cluster.get();
  ports.timers = &ground.loop;
  ports.clock = &ground.clock;
  ports.executor = [](std::function<void()> fn) { fn(); };  // callbacks are on the loop already
  ports.seed = ground.NextSeed();
  app::ControllerParts parts;
  parts.sensors = p.sensors;
  parts.listeners = std::move(listeners);
  parts.analysis = &p.analysis;
  parts.gates = &p.gates;
  parts.owns = [&config = ground.config.cluster](const std::string& guard) {
    return CoversNamespace(config, std::string_view(guard).substr(0, guard.find('/')));
  };
  p.controller = std::make_unique<app::Controller>(std::move(ports), std::move(parts));
  p.alerts.Attach(p.controller.get());
  p.rules.Attach(p.controller.get());
  p.analysis.Attach(p.controller.get());
  p.gates.Attach(p.controller.get());
}

// The controller goes first: it may speak to its sensors to the end.
Brain::~Brain() { parts_->controller.reset(); }

app::Controller& Brain::controller() { return *parts_->controller; }
app::AlertDesk& Brain::alerts() { return parts_->alerts; }
app::RuleSensor& Brain::rules() { return parts_->rules; }
app::AnalysisSensor& Brain::analysis() { return parts_->analysis; }
const std::vector<app::Sensor*>& Brain::sensors() const { return parts_->sensors; }

void Brain::Start() {
  if (parts_->started) return;
  parts_->started = true;
  parts_->controller->Start();
}

bool Brain::started() const { return parts_->started; }

std::string Brain::Waiting() const {
  if (parts_->controller->synced()) return {};
  std::string trouble =
      parts_->started ? parts_->controller->mirror().Trouble(kube::resources::Guards()) : "";
  return StrCat("waiting for the list of guards", trouble.empty() ? "" : ": ", trouble);
}

}  // namespace rollguard::serve
