// SPDX-License-Identifier: Apache-2.0
// A Prometheus-compatible server as the metrics source of the agent: single questions as they are,
// rounds folded.
#pragma once

#include <memory>

#include "agent/ports/http_client.h"
#include "agent/ports/metrics_source.h"
#include "agent/ports/timers.h"
#include "agent/prometheus/api_client.h"
#include "agent/prometheus/fold_memory.h"
#include "agent/prometheus/metrics_round.h"
#include "agent/spec/agent_config.h"

namespace rollguard::prometheus {

// What the agent's configuration says, as options.
ApiOptions ApiOptionsOf(const spec::PrometheusSource& source);
FoldOptions FoldOptionsOf(const spec::PrometheusSource& source);

// Thread-safe: what is asked is carried to the loop of `timers` (which is also that of `http`) and
// done there; answers come from there. Client, timers and clock must outlive this; after its
// destructor no callback begins. `seed` is for backoff and shadow checks.
//
// Questions of one round fold when they ask for the same instant. Range queries never fold.
class ServerSource final : public MetricsSource {
 public:
  ServerSource(HttpClient& http, Timers& timers, const Clock& clock, uint64_t seed, ApiOptions api,
               FoldOptions fold = {});
  ~ServerSource() override;

  void Query(MetricQuery query, MetricDone done) override;
  void Ask(Round round) override;

  const FoldCounters& counters() const;

 private:
  struct State;
  void Post(std::function<void(State&)> work);

  Timers& timers_;
  std::shared_ptr<State> state_;
};

}  // namespace rollguard::prometheus
