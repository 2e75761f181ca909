// SPDX-License-Identifier: Apache-2.0
#include "agent/app/agent_metrics.h"

#include "agent/base/text.h"

namespace rollguard::app {

using telemetry::Metric;
using telemetry::Metrics;

namespace {

constexpr Duration kLookEvery = std::chrono::seconds(15);

}  // namespace

void CountApiCall(Metrics& metrics, const kube::KubeCallRecord& call) {
  const std::string code = std::to_string(call.code);
  metrics.CounterOf(Metric::kApiCalls, {call.verb, call.resource, code}).Add();
  if (call.verb == "watch") {
    metrics.CounterOf(Metric::kWatchRestarts, {call.resource}).Add();
  } else {
    metrics.HistogramOf(Metric::kApiCallDuration, {call.verb}).Observe(call.elapsed);
  }
}

MetricDone CountedSource::Counted(MetricDone done) {
  return [&metrics = metrics_, &clock = clock_, name = name_, asked = clock_.Monotonic(),
          done = std::move(done)](Expected<MetricAnswer> answer) {
    // What is wrong with the question says nothing of the source.
    const bool ok = answer.ok() || answer.error().code == ErrorCode::kInvalid;
    metrics.HistogramOf(Metric::kQueryDuration, {name}).Observe(clock.Monotonic() - asked);
    metrics.CounterOf(Metric::kQueryFailures, {name}).Add(ok ? 0 : 1);
    metrics.GaugeOf(Metric::kSourceUp, {name}).Set(ok);
    done(std::move(answer));
  };
}

void CountedSource::Query(MetricQuery query, MetricDone done) {
  inner_->Query(std::move(query), Counted(std::move(done)));
}

void CountedSource::Ask(Round round) {
  for (auto& [query, done] : round) done = Counted(std::move(done));
  inner_->Ask(std::move(round));
}

void FollowAlerts(Metrics& metrics, Timers& timers, const AlertDesk& desk,
                  const AlertPoller& poller) {
  metrics.GaugeOf(Metric::kAlertsFiring).Set(static_cast<double>(desk.firing()));
  metrics.GaugeOf(Metric::kWatchdogMissing).Set(!poller.Blind().empty());
  timers.After(kLookEvery, [&metrics, &timers, &desk, &poller] {
    FollowAlerts(metrics, timers, desk, poller);
  });
}

void FollowNotifier(Metrics& metrics, Timers& timers, const Notifier& notifier) {
  double waiting = 0;
  for (const ChannelHealth& channel : notifier.Channels()) {
    waiting += static_cast<double>(channel.waiting);
    metrics.CounterOf(Metric::kNotifications, {channel.channel, "sent"})
        .RaiseTo(static_cast<double>(channel.sent));
    metrics.CounterOf(Metric::kNotifications, {channel.channel, "retried"})
        .RaiseTo(static_cast<double>(channel.failed));
    metrics.CounterOf(Metric::kNotifications, {channel.channel, "dropped"})
        .RaiseTo(static_cast<double>(channel.dropped));
  }
  metrics.GaugeOf(Metric::kNotificationsWaiting).Set(waiting);
  timers.After(kLookEvery,
               [&metrics, &timers, &notifier] { FollowNotifier(metrics, timers, notifier); });
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
