// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/brain.h"

#include "agent/app/agent_metrics.h"
#include "agent/app/blind.h"
#include "agent/app/gate_sensor.h"
#include "agent/app/governor_desk.h"
#include "agent/app/health_sensor.h"
#include "agent/app/measurements.h"
#include "agent/app/notifier.h"
#include "agent/app/recorder.h"
#include "agent/app/store_pulse.h"
#include "agent/app/telemetry_listener.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "agent/probe/net_prober.h"
#include "agent/serve/kube_events.h"
#include "agent/serve/log_listener.h"
#include "agent/serve/other_clusters.h"
#include "agent/serve/scoped_cluster.h"

namespace rollguard::serve {

struct Brain::Parts {
  explicit Parts(Ground& g)
      : ground(g),
        alerts(g.clock),
        poller(g.http, g.loop, g.clock, alerts, g.history.get(),
               {.members = g.config.alertmanagers, .read_secret = {}}),
        rules(g.loop, g.clock, g.sources),
        analysis(g.loop, g.clock, g.sources, *g.cluster, &g.http),
        gates(g.loop, g.clock, &g.http),
        prober(g.net, g.clock),
        prober_on_loop(prober, g.loop),
        health({.timers = &g.loop,
                .clock = &g.clock,
                .sources = &g.sources,
                .prober = &prober_on_loop,
                .cluster = g.cluster.get(),
                .firing =
                    [this](const std::vector<spec::Matcher>& matchers, std::optional<Time> since) {
                      return alerts.FindFiring(matchers, since);
                    },
                .alerts_trouble = [this] { return poller.Blind(); },
                .seed = g.NextSeed()}),
        blind(g.loop, g.clock, g.sources, [this] { return poller.Blind(); }),
        governor(g.clock, g.config.limits),
        telemetry(g.metrics, g.clock),
        recorder(*g.history),
        measurements(*g.history, g.clock),
        log(g.log),
        events(*g.cluster, g.clock, g.log, IdentityOf(g.options)),
        outlets(g.loop, g.clock, g.config.notifications,
                app::MakeChannels(g.config, {.http = &g.http}, *g.cluster, IdentityOf(g.options)),
                g.NextSeed()),
        notices(outlets, g.loop, g.clock, g.config.cluster.name),
        others(g),
        replica(g),
        pulse(*g.cluster, g.loop,
              g.config.cluster.namespaces.empty() ? "" : g.config.cluster.namespaces[0],
              [this](int64_t from, int64_t to) { WentBack(from, to); }) {}

  void WentBack(int64_t from, int64_t to) {
    ground.log.Error("the cluster's store went back to an older state: everything is read anew",
                     {{"from", from}, {"to", to}});
    controller->WentBack();
    replica.Relist();
  }

  Ground& ground;
  app::AlertDesk alerts;
  app::AlertPoller poller;
  app::RuleSensor rules;
  app::AnalysisSensor analysis;
  app::GateSensor gates;
  probe::NetProber prober;
  app::ProberOnLoop prober_on_loop;
  app::HealthSensor health;
  app::BlindSensor blind;
  app::GovernorDesk governor;
  app::TelemetryListener telemetry;
  app::Recorder recorder;
  app::Measurements measurements;
  LogListener log;
  KubeEvents events;
  notify::Dispatcher outlets;
  app::NotifyListener notices;
  OtherClusters others;
  Replica replica;
  app::StorePulse pulse;

  std::vector<app::Sensor*> sensors;
  std::vector<app::Listener*> listeners;
  std::vector<std::function<void(const app::RuleReading&)>> rule_observers;
  std::vector<std::function<void(const app::AnalysisReading&)>> metric_observers;
  std::unique_ptr<app::Controller> controller;
  bool started = false;
};

Brain::Brain(Ground& ground) : parts_(std::make_unique<Parts>(ground)) {
  Parts& p = *parts_;
  // Those who ask, then who judges whether one can see at all, then the fleet, then who counts.
  p.sensors = {&p.alerts, &p.rules, &p.analysis, &p.gates,
               &p.health, &p.blind, &p.governor, &p.telemetry};
  p.listeners = {&p.recorder, &p.measurements, &p.telemetry, &p.log, &p.events, &p.notices};
  p.outlets.SetObserver([&p](const DeadLetter& letter) {
    p.ground.log.Warn(
        "a notice could not be told",
        {{"channel", letter.channel}, {"event", letter.notice.event}, {"error", letter.error}});
  });
  p.governor.SetPager([&p](const std::string& reason) {
    p.ground.log.Error("automatic rollbacks are stopped", {{"reason", reason}});
  });
  OnRule([&p](const app::RuleReading& reading) {
    p.telemetry.OnRule(reading);
    p.measurements.Observed(reading);
  });
  OnMetric([&p](const app::AnalysisReading& reading) { p.measurements.Observed(reading); });
}

// The controller goes first: it may speak to its sensors to the end.
Brain::~Brain() { parts_->controller.reset(); }

void Brain::AddListener(app::Listener* listener) { parts_->listeners.push_back(listener); }

void Brain::OnRule(std::function<void(const app::RuleReading&)> observer) {
  parts_->rule_observers.push_back(std::move(observer));
}

void Brain::OnMetric(std::function<void(const app::AnalysisReading&)> observer) {
  parts_->metric_observers.push_back(std::move(observer));
}

void Brain::Build() {
  Parts& p = *parts_;
  app::ControllerPorts ports;
  ports.cluster = p.ground.cluster.get();
  ports.timers = &p.ground.loop;
  ports.clock = &p.ground.clock;
  ports.executor = [](std::function<void()> fn) { fn(); };  // callbacks are on the loop already
  ports.seed = p.ground.NextSeed();
  app::ControllerParts parts;
  parts.sensors = p.sensors;
  parts.listeners = p.listeners;
  parts.analysis = &p.analysis;
  parts.gates = &p.gates;
  parts.environments = p.others.environments();
  parts.owns = [&config = p.ground.config.cluster](const std::string& guard) {
    return CoversNamespace(config, std::string_view(guard).substr(0, guard.find('/')));
  };
  parts.ownership = p.replica.ownership();
  parts.inbox = [&p](const alerts::Alert& alert) { p.alerts.TakeKept(alert); };
  parts.inbox_lost = [&p](const std::string& guard, const alerts::Alert& alert) {
    p.alerts.Withdraw(guard, alert.fingerprint);
  };
  p.controller = std::make_unique<app::Controller>(std::move(ports), std::move(parts));
  p.alerts.Attach(p.controller.get());
  p.rules.Attach(p.controller.get());
  p.analysis.Attach(p.controller.get());
  p.gates.Attach(p.controller.get());
  p.health.Attach(p.controller.get());
  p.blind.Attach(p.controller.get());
  p.governor.Attach(p.controller.get());
  p.others.Attach(p.controller.get());
  p.rules.SetObserver([&p](const app::RuleReading& reading) {
    for (const auto& observer : p.rule_observers) observer(reading);
  });
  p.analysis.SetObserver([&p](const app::AnalysisReading& reading) {
    for (const auto& observer : p.metric_observers) observer(reading);
  });
}

app::Controller& Brain::controller() { return *parts_->controller; }
app::AlertDesk& Brain::alerts() { return parts_->alerts; }
app::RuleSensor& Brain::rules() { return parts_->rules; }
app::AnalysisSensor& Brain::analysis() { return parts_->analysis; }
const app::AlertPoller& Brain::poller() const { return parts_->poller; }
Notifier& Brain::notifier() { return parts_->outlets; }
Replica& Brain::replica() { return parts_->replica; }
const std::vector<app::Sensor*>& Brain::sensors() const { return parts_->sensors; }

void Brain::Received(const std::vector<app::AlertReceipt>& receipts,
                     std::chrono::nanoseconds arrived) {
  parts_->telemetry.OnAlerts(parts_->alerts, receipts, arrived);
  for (const app::AlertReceipt& receipt : receipts)
    parts_->ground.log.Info("alert",
                            {{"name", receipt.alert.Name()},
                             {"status", alerts::ToString(receipt.alert.status)},
                             {"disposition", alerts::ToString(receipt.disposition)},
                             {"guard", receipt.matches.empty() ? "" : receipt.matches[0].guard},
                             {"startsAt", FormatRfc3339(receipt.alert.starts_at)}});
}

void Brain::Start(app::ReadBack earlier) {
  if (parts_->started) return;
  parts_->started = true;
  parts_->recorder.Restore(earlier.running);
  // Among several replicas the end of an alert may have been told to another, or is being told just
  // now: what was accepted for a release under way is in the guard's inbox.
  if (parts_->replica.ownership() == nullptr) (void)parts_->alerts.Receive(earlier.alerts);
  parts_->controller->Remember(std::move(earlier.newest));
  parts_->controller->Start();
  parts_->pulse.Start();
  parts_->replica.Start(*parts_->controller);
  parts_->poller.Start();
  app::FollowAlerts(parts_->ground.metrics, parts_->ground.loop, parts_->alerts, parts_->poller);
  app::FollowNotifier(parts_->ground.metrics, parts_->ground.loop, parts_->outlets);
}

void Brain::Quiesce(std::function<void()> done) {
  parts_->controller->Quiesce(
      [this, done = std::move(done)] { parts_->replica.Stop(std::move(done)); });
}

bool Brain::started() const { return parts_->started; }

std::string Brain::Waiting() const {
  if (parts_->controller->synced()) return {};
  std::string trouble =
      parts_->started ? parts_->controller->mirror().Trouble(kube::resources::Guards()) : "";
  return StrCat("waiting for the list of guards", trouble.empty() ? "" : ": ", trouble);
}

}  // namespace rollguard::serve
