// SPDX-License-Identifier: Apache-2.0
// Samples into a PromQL store, so that rules are evaluated on the simulated traffic.
#pragma once

#include "agent/promql/storage.h"
#include "agent/sim/metric_sink.h"

namespace rollguard::sim {

class StoreSink final : public MetricSink {
 public:
  // `store` outlives the sink.
  explicit StoreSink(promql::MemoryStore& store) : store_(store) {}
  SeriesRef Series(const MetricLabels& labels) override;
  void Append(SeriesRef series, Time when, double value) override;
  void End(SeriesRef series, Time when) override;

 private:
  promql::MemoryStore& store_;
};

}  // namespace rollguard::sim
