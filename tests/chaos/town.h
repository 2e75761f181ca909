// SPDX-License-Identifier: Apache-2.0
// Three agents as processes, a real API server with its audit log, what stands behind them
// (backstage.h), and services to release: what the chaos of agents is made in. Each agent reaches
// the API server, Prometheus and the database over wires of its own; Alertmanager reaches the
// agents over one door, as a Service would give it, that leads to any agent that answers.
// Each agent is a node of a network, and so is what the wires lead to; where that is not permitted
// all of them are on the loopback.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "agent/net/curl_client.h"
#include "tests/chaos/backstage.h"
#include "tests/e2e/support/blocking_cluster.h"
#include "tests/e2e/support/fake_kubelet.h"
#include "tests/e2e/support/real_cluster.h"
#include "tests/support/agent_process.h"
#include "tests/support/cut_proxy.h"

namespace rollguard::chaos {

inline constexpr int kReplicas = 3;
inline constexpr int kShards = 6;
inline constexpr std::chrono::seconds kLease{3};

struct Replica {
  std::string name;
  std::unique_ptr<testing::CutProxy> api, metrics, history;  // its wires
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
  const std::vector<Replica>& replicas() const { return replicas_; }
  testing::RealCluster& kube() { return *kube_; }
  testing::BlockingCluster& cluster() { return *cluster_; }
  Backstage& backstage() { return backstage_; }
  const Backstage& backstage() const { return backstage_; }
  // The cluster's store as it was when it was kept; nodes begin anew with it.
  Status PutStoreBack();
  testing::CutProxy& store() { return *store_; }  // from the API server to etcd
  // From Alertmanager to the agents.
  Status SetDoorLost(bool lost);
  // Nothing gets to that agent or away from it.
  Status SetCutOff(Replica& replica, bool cut_off);
  // For the figures.
  const std::string& how_packets_are_lost() const { return how_packets_are_lost_; }
  // Starts those that are not running, as a kubelet would. How many there were.
  int Revive();
  std::string DataDir(const Replica& replica) const { return dir_.path() + "/" + replica.name; }
  // Its wall clock is off by so much.
  void SetClock(const Replica& replica, std::chrono::nanoseconds off) const;
  // Alertmanager's door leads there, or not.
  void SetReachable(const Replica& replica, bool reachable);
  bool IsReachable(const Replica& replica) const { return doors_[NumberOf(replica)] != 0; }

  void SetImage(const std::string& ns, const std::string& image);
  // Once, as the owner of that service, its Deployment or its Guard.
  Status Patch(const ResourceType& type, const std::string& ns, PatchKind kind, const Json& patch);
  Json StatusOf(const std::string& ns);
  // Once, to that replica; true when it took it.
  bool PostAlert(const Replica& replica, const std::string& ns, Time starts, bool firing);
  // The agents have been told of Alertmanager's last alert about it and not that it ended.
  bool AwaitsTheEnd(const std::string& ns) const;
  // By shard; "" when nobody's.
  std::vector<std::string> Holders();
  // The end of every agent's log.
  std::string Logs() const;
  // Keeps the agents' logs and the audit log in that folder.
  void SaveLogs(const std::string& folder) const;

 private:
  Status AddService(const std::string& ns, bool bad, bool rules);
  Status AddServices(int services);
  Status AddReplicas();
  Status StartKubelet();
  bool StartReplica(Replica& replica);
  void StartNetwork();
  size_t NumberOf(const Replica& replica) const {
    return static_cast<size_t>(&replica - replicas_.data());
  }
  std::string HostOf(size_t replica) const;
  testing::Address Knock();

  testing::TempDir dir_{"chaos"};
  testing::RealClock clock_;
  std::string how_packets_are_lost_;
  std::unique_ptr<testing::Network> network_;  // none when it is not permitted
  testing::CutProxy::Site site_;               // of the wires
  std::unique_ptr<testing::CutProxy> store_;
  std::unique_ptr<testing::RealCluster> kube_;
  std::unique_ptr<testing::BlockingCluster> cluster_;
  std::unique_ptr<net::CurlClient> http_;
  std::unique_ptr<testing::FakeKubelet> kubelet_;
  Backstage backstage_;
  std::array<std::atomic<int>, kReplicas> doors_{};  // an agent's port; 0: it does not answer
  std::atomic<size_t> knocks_{0};
  std::unique_ptr<testing::CutProxy> door_;
  std::vector<testing::Loss> door_losses_;  // between the door and the agents
  std::vector<Replica> replicas_;
};

}  // namespace rollguard::chaos
