// SPDX-License-Identifier: Apache-2.0
// Plays scheduler and kubelet in a cluster that has neither: makes nodes, binds pods to them, makes
// them Running and Ready with an address, and lets terminating ones go. How a pod behaves is
// decided as in the simulation (sim::Behaviours), by image or annotation.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "agent/kube/client.h"
#include "agent/sim/behaviour.h"

namespace rollguard::testing {

// The images that tests use for misbehaviour, over quick defaults: "never-ready", "image-missing",
// "crashes", "job-fails", "slow-start".
sim::Behaviours TestBehaviours();

class FakeKubelet {
 public:
  // `http` and `client` must outlive it; its work is done on their loop.
  FakeKubelet(kube::KubeClient& client, HttpClient& http, Timers& timers, const Clock& clock);
  ~FakeKubelet();  // nothing of it runs any more afterwards
  FakeKubelet(const FakeKubelet&) = delete;
  FakeKubelet& operator=(const FakeKubelet&) = delete;

  // Makes the nodes and begins. False: the cluster has nodes of its own, and so kubelets.
  Expected<bool> Start();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace rollguard::testing
