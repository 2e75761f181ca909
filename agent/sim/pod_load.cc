// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/pod_load.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::sim {
namespace {

MetricLabels BaseLabels(const PodLoad& load, std::string_view name) {
  const Json& pod = *load.pod;
  return {{"__name__", std::string(name)},
          {"namespace", std::string(NamespaceOf(pod))},
          {"pod", std::string(NameOf(pod))},
          {"instance", StrCat(Text(pod.At("status", "podIP")), ":8080")},
          {"job", load.service},
          {"service", load.service}};
}

SeriesRef Register(MetricSink& sink, const PodLoad& load, std::string_view name,
                   std::string_view key = {}, std::string_view value = {}) {
  MetricLabels labels = BaseLabels(load, name);
  if (!key.empty()) labels.emplace_back(key, value);
  return sink.Series(labels);
}

void RegisterAll(PodLoad& load, MetricSink& sink) {
  auto add = [&](std::string_view name, std::string_view key = {}, std::string_view value = {}) {
    load.series.push_back(Register(sink, load, name, key, value));
  };
  add("up");
  add("http_requests_total", "code", "200");
  add("http_requests_total", "code", "500");
  for (double bound : kLatencyBounds)
    add("http_request_duration_seconds_bucket", "le", FormatNumber(bound));
  add("http_request_duration_seconds_bucket", "le", "+Inf");
  add("http_request_duration_seconds_sum");
  add("http_request_duration_seconds_count");
  add("process_cpu_millicores");
}

}  // namespace

int64_t JudgePending(PodLoad& load, Random& random, bool noise) {
  int64_t n = std::exchange(load.pending, 0);
  if (n == 0) return 0;
  const RevisionBehaviour& b = load.behaviour;
  int64_t over = std::min(n, std::exchange(load.over, 0));
  auto exact = static_cast<int64_t>(static_cast<double>(n - over) * b.error_ratio + 0.5);
  int64_t failed = over + (noise ? Binomial(random, n - over, b.error_ratio) : exact);
  load.bad += failed;
  load.good += n - failed;
  LatencyCounts counts = DrawLatencies(random, n, b.latency, b.latency_spread, noise);
  for (size_t i = 0; i < counts.buckets.size(); ++i) load.buckets[i] += counts.buckets[i];
  load.seconds += counts.sum;
  return failed;
}

void WritePodMetrics(PodLoad& load, MetricSink& sink, Time now) {
  if (load.series.empty()) RegisterAll(load, sink);
  auto next = load.series.begin();
  bool up = Text(load.pod->At("status", "phase")) == "Running" &&
            load.pod->At("status", "containerStatuses").At(size_t{0}).At("state").Find("running") !=
                nullptr;
  sink.Append(*next++, now, up ? 1 : 0);
  if (!up) return;  // a failed scrape brings nothing else
  sink.Append(*next++, now, static_cast<double>(load.good));
  sink.Append(*next++, now, static_cast<double>(load.bad));
  int64_t total = 0;
  for (int64_t count : load.buckets) {
    total += count;
    sink.Append(*next++, now, static_cast<double>(total));
  }
  sink.Append(*next++, now, load.seconds);
  sink.Append(*next++, now, static_cast<double>(total));
  sink.Append(*next++, now, load.cpu);
}

void EndPodMetrics(PodLoad& load, MetricSink& sink, Time now) {
  for (SeriesRef series : load.series) sink.End(series, now);
  load.series.clear();
}

}  // namespace rollguard::sim
