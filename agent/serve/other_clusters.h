// SPDX-License-Identifier: Apache-2.0
// The clusters that `promotion.after` may name: a client each, read only. A cluster that cannot be
// configured is logged, and a guard that names it waits and says why.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/app/controller.h"
#include "agent/app/environments.h"
#include "agent/serve/ground.h"

namespace rollguard::serve {

class OtherClusters {
 public:
  explicit OtherClusters(Ground& ground);

  // Null when the configuration names no other cluster.
  app::Environments* environments() { return clusters_.empty() ? nullptr : &environments_; }
  // Guards look again when something over there has changed.
  void Attach(app::Controller* controller);

 private:
  struct One {
    std::unique_ptr<kube::KubeClient> client;
    std::unique_ptr<app::ClusterOnLoop> on_loop;
  };
  app::ClusterEnvironments environments_;
  std::vector<One> clusters_;
};

}  // namespace rollguard::serve
