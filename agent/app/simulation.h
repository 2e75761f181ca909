// SPDX-License-Identifier: Apache-2.0
// The whole agent inside a simulated cluster, under virtual time: what rehearsal, decision tests
// and the seeded simulation run. It is the agent's own Controller and sensors; only the ports
// differ. Without a prober what health checks ask over the network cannot be asked.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/app/alert_desk.h"
#include "agent/app/analysis_sensor.h"
#include "agent/app/blind.h"
#include "agent/app/controller.h"
#include "agent/app/gate_sensor.h"
#include "agent/app/governor_desk.h"
#include "agent/app/health_sensor.h"
#include "agent/app/metrics_sources.h"
#include "agent/app/recorder.h"
#include "agent/app/rule_sensor.h"
#include "agent/app/shard_keeper.h"
#include "agent/history/memory_history.h"
#include "agent/sim/sim_metrics.h"
#include "agent/sim/world.h"

namespace rollguard::app {

// One agent process in the simulation. Destroying it is killing it; what it knew is gone.
class SimAgent {
 public:
  SimAgent(sim::Scheduler& scheduler, Cluster& cluster, MetricsSource& metrics, History& history,
           const spec::Library& library, std::vector<Listener*> listeners, uint64_t seed,
           Prober* prober = nullptr, std::optional<ShardKeeperOptions> shards = {});

  Controller& controller() { return *controller_; }
  AlertDesk& alerts() { return alerts_; }
  RuleSensor& rules() { return rules_; }
  HealthSensor& health() { return health_; }
  GovernorDesk& governor() { return governor_; }
  Recorder& recorder() { return recorder_; }
  // Why alerts cannot be trusted to arrive, as the poller of Alertmanager would say.
  void SetWatchdog(std::function<std::string()> watchdog) { watchdog_ = std::move(watchdog); }
  AnalysisSensor& analysis() { return analysis_; }
  // Null when it is the only replica.
  ShardKeeper* keeper() { return keeper_.get(); }

 private:
  MetricsSources sources_;
  AlertDesk alerts_;
  RuleSensor rules_;
  AnalysisSensor analysis_;
  GateSensor gates_;
  HealthSensor health_;
  BlindSensor blind_;
  GovernorDesk governor_;
  Recorder recorder_;
  std::function<std::string()> watchdog_;
  std::unique_ptr<ShardKeeper> keeper_;
  std::unique_ptr<Controller> controller_;
};

}  // namespace rollguard::app
