// SPDX-License-Identifier: Apache-2.0
// Where numbers come from: a Prometheus-compatible server, the embedded source, or the simulation.
// An answer is a value; a failure is an Error; both are told apart from "empty" everywhere.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/time.h"
#include "agent/promql/value.h"

namespace rollguard {

struct MetricQuery {
  struct Range {
    Time start{};
    Time end{};
    Duration step{0};
  };
  std::string query{};  // PromQL with every variable bound
  Time at{};            // instant queries
  std::optional<Range> range{};
  Duration timeout = std::chrono::seconds(30);
};

struct MetricAnswer {
  promql::Value value;
  // Partial or otherwise doubtful: treat as unknown, never as empty. `warnings` say why.
  bool suspect = false;
  std::vector<std::string> warnings{};
};

using MetricDone = std::function<void(Expected<MetricAnswer>)>;

// Callbacks run exactly once each, on the implementation's own loop, never inside the call.
class MetricsSource {
 public:
  virtual ~MetricsSource() = default;
  virtual void Query(MetricQuery query, MetricDone done) = 0;

  // All questions that are due now. An implementation may fold them into fewer requests; each is
  // answered on its own, as if it had been asked alone.
  using Round = std::vector<std::pair<MetricQuery, MetricDone>>;
  virtual void Ask(Round round) {
    for (auto& asked : round) Query(std::move(asked.first), std::move(asked.second));
  }
};

}  // namespace rollguard
