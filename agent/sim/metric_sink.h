// SPDX-License-Identifier: Apache-2.0
// Where the simulation's samples go: a PromQL store, a text page, a test's vector.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/time.h"

namespace rollguard::sim {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;  // with __name__, any order
using SeriesRef = uint64_t;

class MetricSink {
 public:
  virtual ~MetricSink() = default;
  // The same labels give the same reference; asked for once per series.
  virtual SeriesRef Series(const MetricLabels& labels) = 0;
  // Times never go back within a series.
  virtual void Append(SeriesRef series, Time when, double value) = 0;
  // The series ended (its pod is gone): a stale marker. The reference is good for nothing more.
  virtual void End(SeriesRef series, Time when) = 0;
};

}  // namespace rollguard::sim
