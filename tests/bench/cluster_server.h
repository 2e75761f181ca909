// SPDX-License-Identifier: Apache-2.0
// The simulated API server over HTTP in a process of its own, without traffic and without a metrics
// page: what it costs must not be mistaken for what the agent costs. It writes down when each write
// came and when it was answered, on the clock all processes share, and plays the users who release.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/base/json.h"

namespace rollguard::bench {

struct ApiWrite {
  std::string method;
  std::string path;
  double arrived = 0;   // seconds of the monotonic clock
  double answered = 0;  // handed to the socket
};

class ClusterServer {
 public:
  // Forks: before any thread was started. `objects` runs in the child; they have been rolled out
  // when this returns.
  explicit ClusterServer(const std::function<std::vector<Json>()>& objects);
  ~ClusterServer();
  ClusterServer(const ClusterServer&) = delete;
  ClusterServer& operator=(const ClusterServer&) = delete;

  int port() const { return port_; }
  pid_t pid() const { return pid_; }
  std::string Kubeconfig() const;

  // Gives the Deployments svc-FROM to svc-(TO-1) another image.
  void SetImage(int from, int to, const std::string& image);
  // Guards by phase; "Waiting" when they wait at their step with its share of traffic, "Unheld"
  // when they are idle and their Deployment is not on hold yet.
  std::map<std::string, int> Phases();
  // "namespace pod" of every ready pod.
  std::vector<std::pair<std::string, std::string>> Pods();
  // Writes from the `from`th on, without Events.
  std::vector<ApiWrite> Writes(size_t from = 0);
  // All requests so far, watches among them.
  int64_t Requests();

 private:
  Json Ask(const std::string& path);

  pid_t pid_ = 0;
  int port_ = 0;
};

// Now, on the clock of ApiWrite.
double Monotonic();

}  // namespace rollguard::bench
