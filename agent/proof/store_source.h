// SPDX-License-Identifier: Apache-2.0
// Stored samples as a metrics source under virtual time: answers at once, with the agent's own
// engine. The samples may live on another clock than the scheduler, a fixed time apart.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "agent/ports/metrics_source.h"
#include "agent/promql/engine.h"
#include "agent/sim/scheduler.h"

namespace rollguard::proof {

// Belongs to the scheduler's thread. Scheduler and samples must outlive it.
class StoreSource final : public MetricsSource {
 public:
  // The scheduler's time is the samples' time plus `shift`.
  StoreSource(sim::Scheduler& scheduler, const promql::Querier& samples,
              promql::EngineOptions options, Duration shift);

  void Query(MetricQuery query, MetricDone done) override;

 private:
  Expected<MetricAnswer> Evaluate(const MetricQuery& query);

  sim::Scheduler& scheduler_;
  promql::Engine engine_;
  Duration shift_;
  std::unordered_map<std::string, Expected<promql::Query>> parsed_;  // looks repeat their questions
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace rollguard::proof
