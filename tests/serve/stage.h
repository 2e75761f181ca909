// SPDX-License-Identifier: Apache-2.0
// What a test of the process needs: the real `rollguard run` against the real `rollguard sim` on
// free ports, a service with a guard, and a Prometheus that answers what the test says.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/support/blocking_cluster.h"
#include "tests/support/agent_process.h"
#include "tests/support/tiny_server.h"

namespace rollguard::serve {

class Stage {
 public:
  // The simulated cluster with the Deployment, Service and VirtualService `shop/checkout`.
  Stage();

  // The agent with the stage's configuration, ready. Fails the test otherwise.
  void StartAgent(const std::vector<std::string>& more_flags = {});
  // The same with these flags alone.
  void StartAgentWith(const std::vector<std::string>& flags);
  testing::AgentProcess& agent() { return *agent_; }
  void KillAgent();

  void CreateGuard(const std::string& spec_yaml);
  void SetImage(const std::string& image);

  std::string Phase();
  bool AwaitPhase(const std::string& phase);
  // At rest, and the Deployment is held: from here on a new template is a release.
  bool AwaitRest();
  // Until status.last names the outcome.
  bool AwaitOutcome(const std::string& outcome);
  int64_t RouteWeight();  // the candidate's, of the VirtualService

  // Posts a firing alert about checkout that began `age` ago; gives the answer.
  testing::PlainAnswer PostAlert(const std::string& name);

  testing::BlockingCluster& cluster() { return *cluster_; }
  const testing::TempDir& dir() const { return dir_; }
  const std::string& kubeconfig() const { return sim_->kubeconfig(); }
  std::string PrometheusUrl() const { return prometheus_.Url(); }
  // What the metrics source says to every query.
  std::atomic<double> measured{0};
  std::atomic<int> questions{0};

  std::string Guard();  // the whole object, for INFO
  std::vector<std::string> AgentFlags();
  std::string Log() const { return testing::ReadFile(dir_.path() + "/agent.log"); }

 private:
  testing::TempDir dir_{"serve"};
  testing::TinyServer prometheus_;
  std::unique_ptr<testing::SimProcess> sim_;
  std::unique_ptr<testing::BlockingCluster> cluster_;
  std::unique_ptr<testing::AgentProcess> agent_;
};

}  // namespace rollguard::serve
