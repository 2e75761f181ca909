// SPDX-License-Identifier: Apache-2.0
// Leases (coordination.k8s.io/v1): who owns a shard, which replicas there are. When one has run out
// is not said here: clocks of replicas differ, so whoever waits for it measures how long it has not
// seen the lease change.
#pragma once

#include <functional>
#include <string>

#include "agent/ports/cluster.h"

namespace rollguard::kube {

// On every lease of ours: what it is about, "shard" or "replica".
inline constexpr std::string_view kLeaseLabel = "rollguard.dev/lease";
// Into how many shards its holder divides the guards.
inline constexpr std::string_view kShardsLabel = "rollguard.dev/shards";

struct Lease {
  std::string ns;
  std::string name;
  std::string about;   // the value of kLeaseLabel; empty: no label
  std::string holder;  // empty: nobody's, given back
  int64_t shards = 0;  // the value of kShardsLabel; 0: no label
  Duration duration{0};
  Time acquired{};
  Time renewed{};
  int64_t transitions = 0;  // counts its holders
  std::string resource_version;
};

Lease ParseLease(const Json& object);
Json FormatLease(const Lease& lease);

void ReadLease(Cluster& cluster, const std::string& ns, const std::string& name,
               std::function<void(Expected<Lease>)> done);

// Creates the lease (without a version) or replaces that version of it, and gives it as it stands
// then. kConflict or kAlreadyExists: somebody else was faster, nothing was written.
void WriteLease(Cluster& cluster, const Lease& lease, std::function<void(Expected<Lease>)> done);

// Takes that version of it away.
void DeleteLease(Cluster& cluster, const Lease& lease, std::function<void(Status)> done);

}  // namespace rollguard::kube
