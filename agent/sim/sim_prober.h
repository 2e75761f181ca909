// SPDX-License-Identifier: Apache-2.0
// Health checks against simulated pods: an address leads to the pod that has it, a Service's name
// to one of its ready endpoints, and the pod answers as its behaviour says. What is not in the
// simulated cluster (databases, other people's hosts) answers well.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "agent/base/random.h"
#include "agent/ports/prober.h"
#include "agent/sim/api_server.h"
#include "agent/sim/behaviour.h"

namespace rollguard::sim {

// Single-threaded, under the API server's Scheduler. Both outlive it; pending answers are dropped
// when it goes.
class SimProber final : public Prober {
 public:
  SimProber(ApiServer& api, Behaviours& behaviours, uint64_t seed)
      : api_(api), behaviours_(behaviours), random_(seed) {}
  ~SimProber() override;

  ProbeId Probe(ProbeRequest request, ProbeDone done) override;
  void Cancel(ProbeId id) override;
  uint64_t probes() const { return last_id_; }

 private:
  // One exchange with whoever has that host.
  struct Heard {
    Duration latency{1};
    ProbeFault fault = ProbeFault::kNone;
    std::string why;
  };
  Heard Exchange(const std::string& host);
  Heard AskPod(const Json& pod);
  ObjectPtr PodAt(const std::string& ip) const;
  // The Service of that host name, "name" or "name.namespace" and longer.
  ObjectPtr ServiceAt(const std::string& host) const;
  ObjectPtr ReadyPodOf(const Json& service);
  ProbeAnswer Conclude(const ProbeRequest& request);

  ApiServer& api_;
  Behaviours& behaviours_;
  Random random_;
  ProbeId last_id_ = 0;
  std::map<ProbeId, TimerId> pending_;
};

}  // namespace rollguard::sim
