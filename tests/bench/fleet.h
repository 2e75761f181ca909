// SPDX-License-Identifier: Apache-2.0
// A fleet to measure: N services, each a Deployment with a Service, a VirtualService, a
// DestinationRule and a canary Guard, in namespaces of fifty, on the simulated API server in
// another process; the real program as the agent; a real Prometheus that knows every pod.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/bench/cluster_server.h"
#include "tests/support/agent_process.h"
#include "tests/support/real_prometheus.h"
#include "tests/support/remote_write.h"

namespace rollguard::bench {

struct FleetOptions {
  int guards = 100;
  int replicas = 2;
  int interval = 30;       // of the rules, seconds
  bool breakable = false;  // the rule that Break breaks rolls back; else it pauses
  bool metrics = true;     // a real Prometheus with samples of every pod; else nothing answers
  bool limited = true;     // the configuration's own rate limit towards the API server; else none
};

// Custom resource definitions, namespaces and all objects of the fleet.
std::vector<Json> FleetObjects(const FleetOptions& options);
// The rules that its guards name.
std::string FleetRules(const FleetOptions& options = {});

// What the kernel says of a process.
struct Usage {
  double rss = 0, anonymous = 0, peak = 0;  // MiB
  double cpu = 0;                           // seconds, user and system
  double at = 0;                            // on the monotonic clock
};
Usage UsageOf(pid_t pid);

class Fleet {
 public:
  explicit Fleet(FleetOptions options);
  ~Fleet();

  ClusterServer& cluster() { return *cluster_; }
  // Starts the agent (again); seconds until it is ready. Ends the program when it never is.
  double StartAgent(bool limited);
  void StopAgent();
  testing::AgentProcess& agent() { return *agent_; }
  Usage usage() { return UsageOf(agent_->process().pid()); }

  // The sum of a metric of the agent over the series that contain `label`.
  double Metric(const std::string& name, const std::string& label = "");
  // Waits until so many guards are in a phase (see ClusterServer::Phases), while pods are fed. Ends
  // the program when none more came there for `limit` seconds.
  void Await(const std::string& phase, int count, double limit = 600);
  // Lets time pass; every 15 s all pods get samples.
  void Pass(double seconds);
  // From now on the pods of svc-`guard` break a rule. When Prometheus has the samples.
  double Break(int guard);
  std::string data_dir() const { return dir_.path() + "/data"; }

 private:
  void StartPrometheus();
  void Feed();
  void FeedAt(int64_t t_ms, const std::vector<std::pair<std::string, std::string>>& pods);
  std::string Config(bool limited);

  FleetOptions options_;
  testing::TempDir dir_{"bench"};
  std::unique_ptr<ClusterServer> cluster_;
  std::unique_ptr<testing::RealPrometheus> prometheus_;
  std::unique_ptr<testing::AgentProcess> agent_;
  double fed_ = 0;
  std::set<std::string> broken_;  // what the names of their pods begin with
};

// A firing critical alert about svc-`guard`, as Alertmanager posts it; the answer's status.
int PostAlert(testing::KeptConnection& agent, int guard);

}  // namespace rollguard::bench
