// SPDX-License-Identifier: Apache-2.0
#include "agent/app/agent_metrics.h"

#include "agent/base/text.h"

namespace rollguard::app {

using telemetry::Metric;
using telemetry::Metrics;

void CountApiCall(Metrics& metrics, const kube::KubeCallRecord& call) {
  const std::string code = std::to_string(call.code);
  metrics.CounterOf(Metric::kApiCalls, {call.verb, call.resource, code}).Add();
  if (call.verb == "watch") {
    metrics.CounterOf(Metric::kWatchRestarts, {call.resource}).Add();
  } else {
    metrics.HistogramOf(Metric::kApiCallDuration, {call.verb}).Observe(call.elapsed);
  }
}

void CountQuery(Metrics& metrics, const std::string& source, Duration elapsed, bool ok) {
  metrics.HistogramOf(Metric::kQueryDuration, {source}).Observe(elapsed);
  metrics.CounterOf(Metric::kQueryFailures, {source}).Add(ok ? 0 : 1);
  metrics.GaugeOf(Metric::kSourceUp, {source}).Set(ok);
}

void ExposeLoop(Metrics& metrics, const Loop& loop) {
  metrics.OnExpose([&metrics, &loop] {
    metrics.GaugeOf(Metric::kQueueDepth).Set(static_cast<double>(loop.queued()));
    metrics.GaugeOf(Metric::kQueueWait)
        .Set(std::chrono::duration<double>(loop.last_wait()).count());
    metrics.CounterOf(Metric::kLoopBusy)
        .RaiseTo(std::chrono::duration<double>(loop.busy()).count());
  });
}

void ExposeHistory(Metrics& metrics, History& history) {
  metrics.OnExpose([&metrics, &history] {
    const HistoryHealth health = history.Health();
    metrics.GaugeOf(Metric::kHistoryDegraded).Set(health.degraded);
    metrics.GaugeOf(Metric::kHistoryWaiting).Set(static_cast<double>(health.waiting));
    metrics.GaugeOf(Metric::kHistoryLag).Set(std::chrono::duration<double>(health.lag).count());
  });
}

void ExposeServer(Metrics& metrics, const http::Server& server) {
  metrics.OnExpose([&metrics, &server] {
    const http::ServerStats stats = server.stats();
    metrics.GaugeOf(Metric::kHttpConnections).Set(static_cast<double>(stats.open));
    metrics.GaugeOf(Metric::kHttpStreams).Set(static_cast<double>(stats.streams));
    metrics.CounterOf(Metric::kHttpRequests).RaiseTo(static_cast<double>(stats.requests));
    metrics.CounterOf(Metric::kHttpRefused).RaiseTo(static_cast<double>(stats.refused));
  });
}

void ExposeFolding(Metrics& metrics, const std::string& source,
                   const prometheus::FoldCounters& counters) {
  metrics.OnExpose([&metrics, &counters, source] {
    auto raise = [&](Metric metric, const std::atomic<uint64_t>& total) {
      metrics.CounterOf(metric, {source})
          .RaiseTo(static_cast<double>(total.load(std::memory_order_relaxed)));
    };
    raise(Metric::kQueries, counters.questions);
    raise(Metric::kQueryRequests, counters.requests);
    raise(Metric::kQueryFoldedRequests, counters.folded_requests);
    raise(Metric::kQueryBisections, counters.bisections);
    raise(Metric::kQueryShadowDifferences, counters.shadow_differences);
  });
}

}  // namespace rollguard::app
