// SPDX-License-Identifier: Apache-2.0
// The connection guard: one epoll thread owns every socket (accept, TLS, strict heads, bodies with
// a deadline and a cap, writing, event streams); a few workers run the router. An idle or hostile
// connection costs a file descriptor and a small buffer, never a thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/base/expected.h"
#include "agent/base/time.h"
#include "agent/http/head.h"
#include "agent/http/router.h"

namespace rollguard::http {

struct ServerTls {
  std::string cert_file;
  std::string key_file;
  std::string client_ca_file;        // when set, client certificates are verified against it
  bool require_client_cert = false;  // else one is optional
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;  // 0: any free port
  std::optional<ServerTls> tls{};
  HeadLimits limits{};
  int workers = 4;
  std::string urgent =
      "";  // what is posted to paths that begin so passes all others; empty: nothing
  size_t max_connections = 8192;  // beyond: the connection idle for longest makes room
  size_t max_queued = 1024;       // requests waiting for a worker; beyond: 503 with Retry-After
  Duration head_deadline = std::chrono::seconds(10);
  Duration body_deadline = std::chrono::seconds(20);
  Duration idle_timeout = std::chrono::seconds(60);
  Duration write_deadline = std::chrono::seconds(20);
  Duration heartbeat = std::chrono::seconds(15);  // comment line on quiet event streams
  size_t max_stream_buffer = 256 << 10;           // a slower reader is dropped
};

struct ServerStats {
  uint64_t accepted = 0, requests = 0, refused = 0, evicted = 0, dropped_streams = 0;
  uint64_t open = 0, streams = 0;
};

// Start, then Stop (also by the destructor). The router must outlive the server.
class Server {
 public:
  // `clock` gives monotonic time for the deadlines; must outlive the server.
  Server(ServerOptions options, const Router& router, const Clock& clock);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds and listens; the error names address and cause (a port in use is never shared).
  Status Start();
  uint16_t port() const;

  // Stops accepting, lets requests in progress finish for at most `grace`, closes everything.
  void Stop(Duration grace = std::chrono::seconds(5));

  // Sends an event to every subscribed stream. Thread-safe, does not block.
  uint64_t Publish(std::string type, std::string topic, std::string data);
  ServerStats stats() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace rollguard::http
