// SPDX-License-Identifier: Apache-2.0
// Every block begins with a header that says whose it is and how large.
#include "tests/chaos/soak/owners.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <new>

namespace rollguard::soak {
namespace {

std::array<std::atomic<size_t>, 2> held{};
thread_local Owner current = Owner::kAgent;

struct alignas(__STDCPP_DEFAULT_NEW_ALIGNMENT__) Header {
  size_t bytes;
  Owner owner;
};

std::atomic<size_t>& HeldBy(Owner owner) { return held[static_cast<size_t>(owner)]; }

void* Take(size_t bytes) {
  auto* header = static_cast<Header*>(std::malloc(sizeof(Header) + bytes));
  if (header == nullptr) throw std::bad_alloc();
  *header = {bytes, current};
  HeldBy(current).fetch_add(bytes, std::memory_order_relaxed);
  return header + 1;
}

void Give(void* block) {
  if (block == nullptr) return;
  Header* header = static_cast<Header*>(block) - 1;
  HeldBy(header->owner).fetch_sub(header->bytes, std::memory_order_relaxed);
  std::free(header);
}

}  // namespace

Allocates::Allocates(Owner owner) : before_(std::exchange(current, owner)) {}
Allocates::~Allocates() { current = before_; }

size_t Held(Owner owner) { return HeldBy(owner).load(std::memory_order_relaxed); }

void ClusterDoor::Call(ClusterRequest request, ClusterDone done) {
  const Allocates world(Owner::kWorld);
  world_.Call(std::move(request), [done = std::move(done)](Expected<Json> answer) {
    const Allocates agent(Owner::kAgent);
    done(std::move(answer));
  });
}

WatchId ClusterDoor::Watch(WatchRequest request, WatchHandler handler) {
  const Allocates world(Owner::kWorld);
  WatchHandler entered;
  entered.event = [event = std::move(handler.event)](WatchEvent what) {
    const Allocates agent(Owner::kAgent);
    event(std::move(what));
  };
  entered.closed = [closed = std::move(handler.closed)](Status status) {
    const Allocates agent(Owner::kAgent);
    closed(std::move(status));
  };
  return world_.Watch(std::move(request), std::move(entered));
}

void ClusterDoor::CancelWatch(WatchId id) {
  const Allocates world(Owner::kWorld);
  world_.CancelWatch(id);
}

void MetricsDoor::Query(MetricQuery query, MetricDone done) {
  const Allocates world(Owner::kWorld);
  world_.Query(std::move(query), [done = std::move(done)](Expected<MetricAnswer> answer) {
    const Allocates agent(Owner::kAgent);
    done(std::move(answer));
  });
}

}  // namespace rollguard::soak

void* operator new(size_t bytes) { return rollguard::soak::Take(bytes); }
void operator delete(void* block) noexcept { rollguard::soak::Give(block); }
void operator delete(void* block, size_t) noexcept { rollguard::soak::Give(block); }
