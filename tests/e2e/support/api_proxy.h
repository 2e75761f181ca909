// SPDX-License-Identifier: Apache-2.0
// Stands between an agent and the API server: plain HTTP on the loopback towards the agent, as the
// kubeconfig's user towards the server. It keeps a record of every write and can let something
// happen just before or just after one of them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/kube/config.h"
#include "agent/kube/credentials.h"
#include "agent/net/curl_client.h"
#include "tests/support/process.h"
#include "tests/support/real_clock.h"
#include "tests/support/tiny_server.h"

namespace rollguard::testing {

class ApiProxy {
 public:
  struct Write {
    std::string method;
    std::string path;  // with the query
    std::string body;
    int status = 0;  // 0: not answered yet, or never
    Time at{};       // when it came
  };
  // The number of the write, from 1; false: the connection is dropped, before the write reached the
  // server or after its effect without an answer.
  using Hook = std::function<bool(int number, bool after)>;

  explicit ApiProxy(const std::string& kubeconfig);
  ~ApiProxy();

  // For the agent.
  const std::string& kubeconfig() const { return agent_kubeconfig_; }
  // Writes of the agent's Events and Leases are forwarded and neither counted nor kept.
  std::vector<Write> writes() const;
  void SetHook(Hook hook);
  void Reset();  // counts from 1 again

 private:
  void Handle(const TinyRequest& request, TinyConnection& connection);
  void Forward(HttpRequest request, TinyConnection& connection, int number);
  void ForwardStream(HttpRequest request, TinyConnection& connection);
  Expected<HttpRequest> Translate(const TinyRequest& request);
  int Count(const TinyRequest& request);
  bool Ask(int number, bool after);

  RealClock clock_;
  TempDir dir_{"proxy"};
  net::CurlClient http_;
  kube::ClusterConfig config_;
  std::unique_ptr<kube::Credentials> credentials_;
  std::string agent_kubeconfig_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<Write> writes_;
  Hook hook_;
  std::unique_ptr<TinyServer> server_;  // goes first
};

}  // namespace rollguard::testing
