// SPDX-License-Identifier: Apache-2.0
// The simulated cluster's metrics: the page a Prometheus would scrape, and the query API itself, so
// that the agent can be tried with no Prometheus at all. The world is not touched meanwhile.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/sim/metric_sink.h"
#include "agent/sim/scheduler.h"
#include "agent/sim/sim_metrics.h"
#include "agent/sim/text_sink.h"

namespace rollguard::cli {

class SimPrometheus : public sim::MetricSink {
 public:
  explicit SimPrometheus(sim::Scheduler& scheduler) : store_(scheduler), scheduler_(scheduler) {}

  sim::SeriesRef Series(const sim::MetricLabels& labels) override;
  void Append(sim::SeriesRef series, Time when, double value) override;
  void End(sim::SeriesRef series, Time when) override;

  std::string Page() const { return page_.Page(); }

  struct Answer {
    int status = 200;
    std::string body;
  };
  // Whether the path is one of the query API: /api/v1/query or /api/v1/query_range.
  static bool Serves(std::string_view path);
  // `param` gives a query parameter or form field, "" when absent.
  Answer Ask(std::string_view path, const std::function<std::string(const char*)>& param) const;

 private:
  sim::TextSink page_;
  sim::SimMetrics store_;
  sim::Scheduler& scheduler_;
  std::vector<std::pair<sim::SeriesRef, sim::SeriesRef>> series_;  // of the page and of the store
};

}  // namespace rollguard::cli
