// SPDX-License-Identifier: Apache-2.0
// The prober of the real agent. HTTP, gRPC and journeys go through the agent's HTTP client; TCP and
// PostgreSQL through one thread of our own that polls all their sockets (socket_loop.h). No thread
// waits for one check alone, whatever its peer does.
#pragma once

#include <memory>

#include "agent/ports/http_client.h"
#include "agent/ports/prober.h"

namespace rollguard::probe {

// Thread-safe. `http` and `clock` outlive it. `done` runs on the HTTP client's thread or on the
// socket loop's. The destructor cancels what is under way; it must not run in a callback.
class NetProber final : public Prober {
 public:
  NetProber(HttpClient& http, const Clock& clock);
  ~NetProber() override;
  NetProber(const NetProber&) = delete;
  NetProber& operator=(const NetProber&) = delete;

  ProbeId Probe(ProbeRequest request, ProbeDone done) override;
  void Cancel(ProbeId id) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rollguard::probe
