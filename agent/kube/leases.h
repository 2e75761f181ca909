// SPDX-License-Identifier: Apache-2.0
// Leases (coordination.k8s.io/v1): who owns a shard. Each function is one guarded read-and-write;
// when to renew is the caller's business.
#pragma once

#include <functional>
#include <string>

#include "agent/ports/cluster.h"

namespace rollguard::kube {

struct Lease {
  std::string ns;
  std::string name;
  std::string holder;
  Duration duration{0};
  Time acquired{};
  Time renewed{};
  int64_t transitions = 0;
  std::string resource_version;

  // True when nobody holds it at `now`: no holder, or not renewed within its duration.
  bool Free(Time now) const { return holder.empty() || now >= renewed + duration; }
};

Lease ParseLease(const Json& object);
Json FormatLease(const Lease& lease);

struct LeaseClaim {
  std::string ns;
  std::string name;
  std::string holder;
  Duration duration = std::chrono::seconds(15);
  Time now;
};

// Reads the lease and takes or renews it when it is free or ours already. Gives the lease as it
// stands afterwards: the caller has it exactly when `holder` is its own. Losing a race (conflict)
// is not an error: the other's lease is given. `now` should be compared with a renew time that the
// caller saw change, where clocks of replicas may differ.
void ClaimLease(Cluster& cluster, LeaseClaim claim, std::function<void(Expected<Lease>)> done);

// Gives a lease back (holder empty, duration one second) if it is still ours.
void ReleaseLease(Cluster& cluster, LeaseClaim claim, std::function<void(Status)> done);

}  // namespace rollguard::kube
