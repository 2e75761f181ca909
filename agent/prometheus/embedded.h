// SPDX-License-Identifier: Apache-2.0
// The metrics source for clusters without Prometheus: scrapes the guarded pods itself, keeps a
// while of samples in memory and answers PromQL from them.
//
// What a scrape leaves behind is what Prometheus would store: the samples under the target's labels
// (a label of the page that collides is kept as exported_NAME), `up` and `scrape_*`, and stale
// markers for series that vanished, for a scrape that failed and for a target that is gone.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/ports/http_client.h"
#include "agent/ports/metrics_source.h"
#include "agent/ports/timers.h"
#include "agent/promql/labels.h"

namespace rollguard::prometheus {

struct ScrapeTarget {
  std::string url;        // where to GET; also what tells targets apart
  promql::Labels labels;  // job, instance, namespace, pod, ...: on every series of the target
  std::shared_ptr<const TlsOptions> tls = nullptr;

  friend bool operator==(const ScrapeTarget& a, const ScrapeTarget& b) {
    return a.url == b.url && a.labels == b.labels;
  }
};

struct EmbeddedOptions {
  Duration interval = std::chrono::seconds(15);
  Duration timeout = std::chrono::seconds(10);  // at most the interval
  size_t max_body_bytes = 10U << 20;
  size_t max_series_per_target = 10'000;
  size_t max_series = 1'000'000;  // in all; a scrape that would go beyond fails
  Duration retention = std::chrono::minutes(15);
  Duration lookback = std::chrono::minutes(5);
  int max_parallel = 32;
  bool promql_version3 = false;
};

struct EmbeddedStatus {
  size_t targets = 0;
  size_t waiting = 0;  // not scraped yet
  size_t down = 0;     // the last scrape failed
  size_t series = 0;
  size_t samples = 0;
  size_t bytes = 0;
};

// Thread-safe: whatever is asked is carried to the loop of `timers` and done there, where all state
// lives; answers come from there. Client, timers and clock must outlive this.
class EmbeddedSource final : public MetricsSource {
 public:
  EmbeddedSource(HttpClient& http, Timers& timers, const Clock& clock,
                 EmbeddedOptions options = {});
  ~EmbeddedSource() override;

  // The whole list; what is new is scraped within one interval, spread evenly, what is gone becomes
  // stale.
  void SetTargets(std::vector<ScrapeTarget> targets);

  // Until every target was scraped once, answers are suspect.
  void Query(MetricQuery query, MetricDone done) override;

  void Status(std::function<void(EmbeddedStatus)> done);

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace rollguard::prometheus
