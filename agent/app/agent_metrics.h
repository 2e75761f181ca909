// SPDX-License-Identifier: Apache-2.0
// The metrics of the agent's parts other than guards: one call per part when the process is put
// together. What is watched must outlive the last scrape; Metrics::Expose reads it, on whatever
// thread scrapes.
#pragma once

#include <memory>
#include <string>

#include "agent/app/alert_poller.h"
#include "agent/app/controller.h"
#include "agent/app/loop.h"
#include "agent/http/server.h"
#include "agent/kube/client.h"
#include "agent/ports/history.h"
#include "agent/ports/metrics_source.h"
#include "agent/ports/notifier.h"
#include "agent/prometheus/metrics_round.h"
#include "agent/telemetry/metrics.h"

namespace rollguard::app {

// KubeClient::OnCall. Thread-safe.
void CountApiCall(telemetry::Metrics& metrics, const kube::KubeCallRecord& call);

// A metrics source whose answers are counted and timed: put before each source of the
// configuration.
class CountedSource : public MetricsSource {
 public:
  // `metrics` and `clock` must outlive it.
  CountedSource(telemetry::Metrics& metrics, const Clock& clock, std::string name,
                std::unique_ptr<MetricsSource> inner)
      : metrics_(metrics), clock_(clock), name_(std::move(name)), inner_(std::move(inner)) {}
  void Query(MetricQuery query, MetricDone done) override;
  void Ask(Round round) override;

 private:
  MetricDone Counted(MetricDone done);

  telemetry::Metrics& metrics_;
  const Clock& clock_;
  const std::string name_;
  std::unique_ptr<MetricsSource> inner_;
};

// Looked at every 15 seconds on the deciding thread, whose timers these are, until it stops.
void FollowAlerts(telemetry::Metrics& metrics, Timers& timers, const AlertDesk& desk,
                  const AlertPoller& poller);
void FollowNotifier(telemetry::Metrics& metrics, Timers& timers, const Notifier& notifier);

void ExposeLoop(telemetry::Metrics& metrics, const Loop& loop);
void ExposeHistory(telemetry::Metrics& metrics, History& history);
void ExposeServer(telemetry::Metrics& metrics, const http::Server& server);
void ExposeFolding(telemetry::Metrics& metrics, const std::string& source,
                   const prometheus::FoldCounters& counters);

}  // namespace rollguard::app
