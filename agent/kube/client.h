// SPDX-License-Identifier: Apache-2.0
// The port Cluster over HTTPS: one API server, any number of calls and watches.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/kube/config.h"
#include "agent/ports/cluster.h"
#include "agent/ports/http_client.h"
#include "agent/ports/timers.h"

namespace rollguard::kube {

struct KubeOptions {
  // Client-side rate limit: at most `burst` calls at once, then `qps` per second. 0: no limit.
  // Urgent calls do not wait for it, but count.
  // A call that would wait longer than its own timeout fails with kThrottled at once.
  double qps = 50;
  int burst = 100;
  int max_parallel = 64;        // connections for calls; watches are not counted
  size_t max_body = 64U << 20;  // of one answer
  size_t max_event = 8U << 20;  // of one watch event
  // 429 and 503 with Retry-After, and any 429, are tried again after that time while the call's
  // timeout allows, at most so often. Such answers mean that nothing was done.
  int max_retries = 5;
  std::string user_agent = "rollguard";
  // For lists and watches, whose answers take long to read: no other call waits for that. Null:
  // the client's own.
  HttpClient* bulk = nullptr;
};

// What was asked of the server, for metrics. `code` is 0 when no answer came.
struct KubeCallRecord {
  std::string_view verb;  // "get", "list", "watch", ...
  std::string_view resource;
  int code = 0;
  Duration elapsed{0};
};

// Thread-safe. Callbacks run on the loop of the HTTP client that carries the call. Clients, `timers`
// and `clock` must outlive it. The destructor aborts what is under way; no callback runs after it returns. It must not be
// called from a callback.
class KubeClient final : public Cluster {
 public:
  KubeClient(ClusterConfig config, HttpClient& http, Timers& timers, const Clock& clock,
             KubeOptions options = {});
  ~KubeClient() override;

  void Call(ClusterRequest request, ClusterDone done) override;
  WatchId Watch(WatchRequest request, WatchHandler handler) override;
  void CancelWatch(WatchId id) override;

  // GET of a path outside the resource tree: "/version", "/readyz", "/apis". The answer's body
  // when it is 2xx, else the error.
  void Raw(std::string path, Duration timeout, std::function<void(Expected<std::string>)> done);

  // Set before the first call. Called on the loops.
  void OnCall(std::function<void(const KubeCallRecord&)> observer);

  const ClusterConfig& config() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace rollguard::kube
