// SPDX-License-Identifier: Apache-2.0
// The metrics server of the simulation: keeps what the traffic produces and answers PromQL with the
// agent's own engine, after a virtual latency, and as badly as the scenario wants.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/ports/metrics_source.h"
#include "agent/promql/storage.h"
#include "agent/sim/metric_sink.h"
#include "agent/sim/scheduler.h"

namespace rollguard::sim {

class SimMetrics final : public MetricSink, public MetricsSource {
 public:
  enum class Mood {
    kWell,
    kDown,     // connection refused
    kSlow,     // answers only after the question's timeout: a timeout
    kGarbage,  // answers that are no answers
    kEmpty,    // a server that lost its data: every query is empty
    kPartial,  // answers with warnings
  };
  explicit SimMetrics(Scheduler& scheduler, Duration retention = std::chrono::hours(2));
  ~SimMetrics() override;

  SeriesRef Series(const MetricLabels& labels) override;
  void Append(SeriesRef series, Time when, double value) override;
  void End(SeriesRef series, Time when) override;

  void Query(MetricQuery query, MetricDone done) override;

  void SetMood(Mood mood) { mood_ = mood; }
  void SetLatency(Duration latency) { latency_ = latency; }
  uint64_t queries() const { return queries_; }
  const promql::MemoryStore& store() const { return store_; }

 private:
  Expected<MetricAnswer> Evaluate(const MetricQuery& query) const;

  Scheduler& scheduler_;
  Duration retention_;
  Duration latency_{3};
  Mood mood_ = Mood::kWell;
  promql::MemoryStore store_;
  std::vector<promql::Labels> labels_;  // by reference
  std::vector<SeriesRef> ended_;        // references to give out again
  Time cleaned_{};
  uint64_t queries_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace rollguard::sim
