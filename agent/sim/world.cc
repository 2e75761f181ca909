// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/world.h"

#include <vector>

#include "agent/base/text.h"
#include "agent/sim/controller.h"
#include "agent/sim/deployment_math.h"
#include "agent/sim/hpa_controller.h"
#include "agent/sim/kubelet.h"
#include "agent/sim/scenario_objects.h"

namespace rollguard::sim {

struct World::Impl {
  explicit Impl(WorldOptions o)
      : options(std::move(o)),
        scheduler(options.start),
        api(scheduler, {options.seed, options.users, options.allow, options.track_all_fields,
                        options.history, options.admission}),
        seeds(options.seed),
        traffic(api, behaviours, WithSeed(options.traffic, options.seed)) {
    controllers.push_back(MakeDeploymentController(Next()));
    controllers.push_back(MakeReplicaSetController(Next()));
    controllers.push_back(MakeStatefulSetController(Next()));
    controllers.push_back(MakeDaemonSetController(Next()));
    controllers.push_back(MakeEndpointsController(Next()));
    controllers.push_back(MakeJobController(Next()));
    controllers.push_back(MakeNamespaceController(Next()));
    controllers.push_back(std::make_unique<Kubelet>(Next(), behaviours, options.nodes));
    controllers.push_back(MakeHpaController(
        Next(), [this](const Json& pod) { return traffic.PodCpu(NamespaceOf(pod), NameOf(pod)); }));
    controllers.push_back(MakeScenarioController(Next(), behaviours, traffic));
    if (options.gc) controllers.push_back(MakeGarbageCollector(Next()));
    api.store().OnChange([this](const Change& change) {
      for (auto& controller : controllers) controller->Observe(change);
    });
    MakeNodes();
  }

  static TrafficOptions WithSeed(TrafficOptions t, uint64_t seed) {
    if (t.seed == 1) t.seed = seed * 2654435761 + 17;
    return t;
  }

  ControllerContext Next() { return {api, options.controller_lag, seeds.Next()}; }

  void MakeNodes() {
    for (int i = 1; i <= options.nodes; ++i) {
      Json status =
          Json::Obj({{"conditions",
                      Json::Arr({Json::Obj(
                          {{"type", "Ready"}, {"status", "True"}, {"reason", "KubeletReady"}})})}});
      int type = api.TypeId("", "nodes");
      std::string name = StrCat("node-", i);
      api.Create(type, Json::Obj({{"metadata", Json::Obj({{"name", name}})}}));
      api.Update({type, "", name}, [&](Json& o) { o.Set("status", status); });
    }
  }

  WorldOptions options;
  Scheduler scheduler;
  ApiServer api;
  Behaviours behaviours;
  Random seeds;
  Traffic traffic;
  std::vector<std::unique_ptr<Controller>> controllers;
};

World::World(WorldOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
World::~World() = default;

Scheduler& World::scheduler() { return impl_->scheduler; }
ApiServer& World::api() { return impl_->api; }
Behaviours& World::behaviours() { return impl_->behaviours; }
Traffic& World::traffic() { return impl_->traffic; }

Status World::Load(const Json& object) { return impl_->api.Load(object); }

std::unique_ptr<SimCluster> World::Connect(const FaultPlan& faults) {
  return std::make_unique<SimCluster>(impl_->api, faults, impl_->seeds.Next());
}

bool World::WaitForDeployment(std::string_view ns, std::string_view name, Duration limit) {
  return impl_->scheduler.RunUntil(
      [&] {
        ObjectPtr d = impl_->api.Get("apps", "deployments", ns, name);
        return d && RolloutComplete(*d, d->At("status"));
      },
      limit);
}

}  // namespace rollguard::sim
