// SPDX-License-Identifier: Apache-2.0
// The simulated cluster on a TCP port, in real time: a development tool, plain HTTP on loopback.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/base/time.h"
#include "agent/sim/world.h"

namespace rollguard::cli {

struct SimServerOptions {
  std::string host = "127.0.0.1";
  int port = 0;      // 0: any free one
  double speed = 1;  // virtual seconds per second
};

// Owns the sockets and the threads; the world is only touched under its lock.
class SimServer {
 public:
  // `clock` drives the world; both outlive the server. Traffic is started and /metrics served.
  SimServer(sim::World& world, const Clock& clock, SimServerOptions options);
  ~SimServer();

  // The port, or why there is none.
  Expected<int> Bind();
  void Serve();  // until Stop, which any thread (or a signal watcher) may call
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rollguard::cli
