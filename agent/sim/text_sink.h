// SPDX-License-Identifier: Apache-2.0
// The latest sample of every series as a Prometheus exposition page, so that a real Prometheus can
// scrape the simulated cluster (with honor_labels).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/sim/metric_sink.h"

namespace rollguard::sim {

class TextSink final : public MetricSink {
 public:
  SeriesRef Series(const MetricLabels& labels) override;
  void Append(SeriesRef series, Time when, double value) override;
  void End(SeriesRef series, Time when) override;
  std::string Page() const;  // series of one metric together, in order of name

 private:
  struct One {
    std::string key;
    double value = 0;
    bool live = false;
  };
  std::vector<One> series_;
  std::map<std::string, SeriesRef> by_key_;
};

}  // namespace rollguard::sim
