// SPDX-License-Identifier: Apache-2.0
// A lease as this replica last saw it, ours or another's, and what that means at a moment of this
// process's monotonic clock.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "agent/kube/leases.h"

namespace rollguard::app {

using Mono = std::chrono::nanoseconds;

struct HeldLease {
  kube::Lease lease;
  Mono changed{0};            // when it was last seen to change
  std::optional<Mono> until;  // ours until then
  Mono renew_at{0};           // not written before
  int64_t outgrow = -1;       // an epoch ours must be later than
  bool in_flight = false;     // a write of ours is under way
  bool leaving = false;       // being given up
  bool may_be_older = false;  // the store went back: what is seen next counts, whatever its version

  bool Ours(Mono now) const { return until && now < *until; }
  // Nobody's, or not seen to change for its whole duration.
  bool RanOut(Mono now) const;
  // Another's, who divides the guards into another number of shards.
  bool CountsDifferently(std::string_view self, int64_t shards, Mono now) const;

  // Whether that version is later than what was seen.
  bool IsNews(const std::string& version);
  void Saw(kube::Lease seen, std::string_view self, Mono now);
  // As it is to be written: held by `holder`, or given back when that is empty.
  kube::Lease Next(std::string holder, Time now, Duration duration, int64_t shards) const;
  // Calls `at` with the times at which something is due for it by itself.
  template <typename At>
  void ForEachDue(std::string_view self, Mono now, const At& at) const {
    if (lease.holder == self) {
      if (!in_flight) at(renew_at);
      if (until && *until > now) at(*until);
    } else if (!RanOut(now)) {
      at(changed + Mono(lease.duration));
    } else if (!in_flight && renew_at > now) {
      at(renew_at);
    }
  }
};

// Nobody's until somebody writes otherwise.
kube::Lease FreeLease(const std::string& ns, std::string name, const std::string& about);

}  // namespace rollguard::app
