// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/other_clusters.h"

namespace rollguard::serve {

OtherClusters::OtherClusters(Ground& ground) : environments_(ground.loop, ground.clock) {
  for (const spec::ClusterConfig& other : ground.config.other_clusters) {
    kube::ConfigFlags flags;
    flags.kubeconfig = other.kubeconfig;
    flags.context = other.context.empty() && other.kubeconfig.empty() ? other.name : other.context;
    auto config = kube::LoadConfig(flags, ground.options.around.kube, ground.clock.Now());
    if (!config) {
      ground.log.Error("another cluster cannot be reached as configured",
                       {{"cluster", other.name}, {"error", config.error().message}});
      continue;
    }
    kube::KubeOptions limits;
    limits.qps = other.qps;
    limits.burst = static_cast<int>(other.burst);
    One one;
    one.client = std::make_unique<kube::KubeClient>(std::move(*config), ground.net, ground.net,
                                                    ground.clock, limits);
    one.on_loop = std::make_unique<app::ClusterOnLoop>(*one.client, ground.loop);
    environments_.Add(other.name, one.on_loop.get());
    if (!other.context.empty() && other.context != other.name)
      environments_.Add(other.context, one.on_loop.get());
    clusters_.push_back(std::move(one));
  }
}

void OtherClusters::Attach(app::Controller* controller) {
  environments_.SetListener([controller] {
    for (const std::string& id : controller->GuardIds()) controller->Touch(id);
  });
}

}  // namespace rollguard::serve
