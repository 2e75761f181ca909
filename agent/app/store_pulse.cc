// SPDX-License-Identifier: Apache-2.0
#include "agent/app/store_pulse.h"

#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::app {
namespace {

constexpr Duration kEvery = std::chrono::seconds(5);

}  // namespace

StorePulse::StorePulse(Cluster& cluster, Timers& timers, std::string ns, WentBack went_back)
    : cluster_(cluster), timers_(timers), ns_(std::move(ns)), went_back_(std::move(went_back)) {}

StorePulse::~StorePulse() {
  if (timer_ != 0) timers_.CancelTimer(timer_);
}

// Without a version a list is read from the store itself, never from a cache that lags.
void StorePulse::Ask() {
  timer_ = 0;
  ClusterRequest request;
  request.verb = Verb::kList;
  request.type = kube::resources::Guards();
  request.ns = ns_;
  request.limit = 1;
  cluster_.Call(std::move(request),
                [this, alive = std::weak_ptr(alive_)](const Expected<Json>& list) {
                  if (!alive.expired()) Came(list);
                });
}

void StorePulse::Came(const Expected<Json>& list) {
  timer_ = timers_.After(kEvery, [this] { Ask(); });
  const auto version =
      list ? ParseInt(list->At("metadata", "resourceVersion").Str()) : std::nullopt;
  if (!version) return;
  const int64_t before = std::exchange(newest_, *version);
  if (*version < before) went_back_(before, *version);
}

}  // namespace rollguard::app
