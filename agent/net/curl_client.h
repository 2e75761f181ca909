// SPDX-License-Identifier: Apache-2.0
// The one outbound HTTP client: libcurl's multi interface on a thread of its own.
//
// What it holds to, whatever the peer does:
//  - the whole exchange ends within `request.timeout`, waiting for a connection of its group
//    included, which takes half of that time at most; a stream ends when nothing came for
//    `idle_timeout`;
//  - a connection whose peer acknowledges nothing is given up, also when nothing is awaited there;
//  - no more than `max_body` decoded bytes are kept; heads are limited too;
//  - no redirect is followed, no cookie kept, no proxy taken from the environment unless asked;
//  - when a CA is given no other is trusted; TLS 1.2 at least; HTTP/1.1 with connection reuse.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "agent/ports/http_client.h"
#include "agent/ports/timers.h"

namespace rollguard::net {

struct CurlOptions {
  std::string user_agent = "rollguard";
  // Idle connections kept for reuse.
  int max_idle_connections = 64;
  // Take http_proxy, https_proxy and no_proxy from the environment when a request names no proxy.
  bool environment_proxy = false;
  // A peer that is silent for so long (in whole seconds, one at least) is asked whether it is still
  // there; one that acknowledges nothing for so long is given up.
  std::chrono::seconds dead_after{15};
  // Its thread gives way to others of the process where the processor is busy.
  bool gives_way = false;
};

// Also the real-time Timers of the agent, on the same thread. Thread-safe. `clock` must outlive it.
// The destructor aborts what is under way: no callback runs after it returns, and callbacks of
// unfinished exchanges and timers are dropped, not called. It must not be called from a callback.
class CurlClient final : public HttpClient, public Timers {
 public:
  explicit CurlClient(const Clock& clock, CurlOptions options = {});
  ~CurlClient() override;
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  HttpId Send(HttpRequest request, HttpDone done) override;
  HttpId Stream(HttpRequest request, HttpStream stream) override;
  // From another thread it waits for a callback of this exchange that is running at the moment: do
  // not hold a lock which that callback takes.
  void Cancel(HttpId id) override;

  TimerId After(Duration delay, std::function<void()> fn) override;
  void CancelTimer(TimerId id) override;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

// The URL as errors and logs may show it: no user and password, the values of query parameters
// that name secrets replaced by "***", at most 300 bytes.
std::string SafeUrl(std::string_view url);

}  // namespace rollguard::net
