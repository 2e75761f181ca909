// SPDX-License-Identifier: Apache-2.0
// Three agents as processes, a real API server with its audit log, and services to release: what
// the chaos of agents is made in. Each agent reaches the API server over a wire of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/net/curl_client.h"
#include "tests/chaos/cut_proxy.h"
#include "tests/e2e/support/blocking_cluster.h"
#include "tests/e2e/support/fake_kubelet.h"
#include "tests/e2e/support/real_cluster.h"
#include "tests/support/agent_process.h"

namespace rollguard::chaos {

inline constexpr int kReplicas = 3;
inline constexpr int kShards = 6;
inline constexpr std::chrono::seconds kLease{3};

struct Replica {
  std::string name;
  std::unique_ptr<testing::CutProxy> wire;
  std::unique_ptr<testing::AgentProcess> agent;
  bool disk = false;  // its data folder is a small file system of its own
};

class Town {
 public:
  Town() = default;
  ~Town();

  // Everything up, guards at rest. An error says what is missing.
  Status Start(int services);

  std::vector<Replica>& replicas() { return replicas_; }
  testing::RealCluster& kube() { return *kube_; }
  testing::BlockingCluster& cluster() { return *cluster_; }
  const std::string& dir() const { return dir_.path(); }
  // Starts those that are not running, as a kubelet would. How many there were.
  int Revive();
  std::string DataDir(const Replica& replica) const { return dir_.path() + "/" + replica.name; }

  void SetImage(const std::string& ns, const std::string& image);
  Json StatusOf(const std::string& ns);
  // Once, to that replica; true when it took it.
  bool PostAlert(const Replica& replica, const std::string& ns, Time starts, bool firing);
  // By shard; "" when nobody's.
  std::vector<std::string> Holders();
  // The end of every agent's log.
  std::string Logs() const;

 private:
  Status AddService(const std::string& ns, bool bad);
  bool StartReplica(Replica& replica);

  testing::TempDir dir_{"chaos"};
  testing::RealClock clock_;
  std::unique_ptr<testing::RealCluster> kube_;
  std::unique_ptr<testing::BlockingCluster> cluster_;
  std::unique_ptr<net::CurlClient> http_;
  std::unique_ptr<testing::FakeKubelet> kubelet_;
  std::vector<Replica> replicas_;
};

}  // namespace rollguard::chaos
