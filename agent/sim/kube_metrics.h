// SPDX-License-Identifier: Apache-2.0
// The part of kube-state-metrics that rules ask for, from the objects as they stand.
#pragma once

#include <map>
#include <string>

#include "agent/sim/api_server.h"
#include "agent/sim/metric_sink.h"

namespace rollguard::sim {

class KubeMetrics {
 public:
  explicit KubeMetrics(ApiServer& api) : api_(api) {}
  // One scrape. Series of objects that are gone get a stale marker.
  void Write(MetricSink& sink, Time now);

 private:
  void Put(MetricSink& sink, Time now, const Json& object, std::string_view kind,
           std::string_view name, double value, std::string_view key = {},
           std::string_view text = {});
  struct Known {
    SeriesRef series = 0;
    Time seen{};
  };
  ApiServer& api_;
  std::map<std::string, Known> known_;
};

}  // namespace rollguard::sim
