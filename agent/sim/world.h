// SPDX-License-Identifier: Apache-2.0
// A whole simulated cluster: time, API server, controllers, kubelet, garbage collector, traffic.
//
//   World world({.seed = 7});
//   world.Load(deployment_json);
//   auto cluster = world.Connect(FaultPlan::Rough());   // the agent's port
//   world.scheduler().RunFor(std::chrono::minutes(10));
//
// The same options, loads and calls give the same run, event by event.
#pragma once

#include <memory>

#include "agent/sim/api_server.h"
#include "agent/sim/behaviour.h"
#include "agent/sim/sim_cluster.h"
#include "agent/sim/traffic.h"

namespace rollguard::sim {

struct WorldOptions {
  uint64_t seed = 1;
  Time start = FromUnixMillis(1'767'225'600'000);
  Duration controller_lag{20};  // from a change to the controllers' answer to it; plus jitter
  bool track_all_fields = false;
  size_t history = 20'000;  // as in ApiOptions
  bool gc = true;
  int nodes = 3;  // DaemonSets run one pod on each
  TrafficOptions traffic = {};
  // As in ApiOptions.
  std::map<std::string, ApiUser> users = {};
  std::function<bool(const std::string& user, const Json& attributes)> allow = {};
  std::function<std::optional<ApiFailure>(const ClusterRequest&, const Json* before, Json& after)>
      admission = {};
};

class World {
 public:
  explicit World(WorldOptions options = {});
  ~World();

  Scheduler& scheduler();
  ApiServer& api();
  Behaviours& behaviours();
  Traffic& traffic();

  // Creates objects (one, or a List) and lets nothing run. See ApiServer::Load.
  Status Load(const Json& object);
  // A client's connection, seeded from the world's seed and a counter. It goes before the world.
  std::unique_ptr<SimCluster> Connect(const FaultPlan& faults = {});
  // Runs until the Deployment's rollout is complete (observed, updated, available) or time is up.
  bool WaitForDeployment(std::string_view ns, std::string_view name, Duration limit);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rollguard::sim
