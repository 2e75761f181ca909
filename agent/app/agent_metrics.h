// SPDX-License-Identifier: Apache-2.0
// The metrics of the agent's parts other than guards: one call per part when the process is put
// together. What is watched must outlive the last scrape; Metrics::Expose reads it, on whatever
// thread scrapes.
#pragma once

#include <string>

#include "agent/app/controller.h"
#include "agent/app/loop.h"
#include "agent/http/server.h"
#include "agent/kube/client.h"
#include "agent/ports/history.h"
#include "agent/prometheus/metrics_round.h"
#include "agent/telemetry/metrics.h"

namespace rollguard::app {

// KubeClient::OnCall. Thread-safe.
void CountApiCall(telemetry::Metrics& metrics, const kube::KubeCallRecord& call);
// One request to a metrics source, as it ended. Thread-safe.
void CountQuery(telemetry::Metrics& metrics, const std::string& source, Duration elapsed, bool ok);

void ExposeLoop(telemetry::Metrics& metrics, const Loop& loop);
void ExposeHistory(telemetry::Metrics& metrics, History& history);
void ExposeServer(telemetry::Metrics& metrics, const http::Server& server);
void ExposeFolding(telemetry::Metrics& metrics, const std::string& source,
                   const prometheus::FoldCounters& counters);

}  // namespace rollguard::app
