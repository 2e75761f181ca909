// SPDX-License-Identifier: Apache-2.0
#include "agent/app/held_lease.h"

#include <utility>

#include "agent/app/mirror.h"

namespace rollguard::app {

bool HeldLease::RanOut(Mono now) const {
  return lease.holder.empty() || now >= changed + Mono(lease.duration);
}

bool HeldLease::CountsDifferently(std::string_view self, int64_t shards, Mono now) const {
  return lease.holder != self && !RanOut(now) && lease.shards > 0 && lease.shards != shards;
}

bool HeldLease::IsNews(const std::string& version) {
  const std::string& known = lease.resource_version;
  const bool late = !known.empty() && IsAsNew(known, version);
  return !late || std::exchange(may_be_older, false);
}

void HeldLease::Saw(kube::Lease seen, std::string_view self, Mono now) {
  lease = std::move(seen);
  changed = now;
  if (lease.holder == self) return;
  until.reset();
  leaving = false;
}

kube::Lease HeldLease::Next(std::string holder, Time now, Duration duration, int64_t shards) const {
  kube::Lease next = lease;
  if (next.holder != holder && !holder.empty()) {
    next.acquired = now;
    if (!next.resource_version.empty()) ++next.transitions;
  }
  if (outgrow >= next.transitions) next.transitions = outgrow + 1;
  next.duration = holder.empty() ? Duration(std::chrono::seconds(1)) : duration;
  next.renewed = now;
  next.shards = shards;
  next.holder = std::move(holder);
  return next;
}

kube::Lease FreeLease(const std::string& ns, std::string name, const std::string& about) {
  kube::Lease lease;
  lease.ns = ns;
  lease.name = std::move(name);
  lease.about = about;
  return lease;
}

}  // namespace rollguard::app
