// SPDX-License-Identifier: Apache-2.0
// A cluster whose answers the test gives by hand, and timers whose time it moves.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/ports/cluster.h"
#include "agent/ports/timers.h"

namespace rollguard::kube {

class HandTimers final : public Timers {
 public:
  TimerId After(Duration delay, std::function<void()> fn) override {
    TimerId id = ++last_;
    due_[{now + delay, id}] = std::move(fn);
    return id;
  }
  void CancelTimer(TimerId id) override {
    std::erase_if(due_, [&](const auto& entry) { return entry.first.second == id; });
  }
  void Advance(Duration by) {
    Duration end = now + by;
    while (!due_.empty() && due_.begin()->first.first <= end) {
      auto first = due_.extract(due_.begin());
      now = first.key().first;
      first.mapped()();
    }
    now = end;
  }
  // How long until the next one.
  Duration Next() const { return due_.empty() ? Duration(-1) : due_.begin()->first.first - now; }

  Duration now{0};

 private:
  TimerId last_ = 0;
  std::map<std::pair<Duration, TimerId>, std::function<void()>> due_;
};

class FakeCluster final : public Cluster {
 public:
  void Call(ClusterRequest request, ClusterDone done) override {
    calls.emplace_back(std::move(request), std::move(done));
  }
  WatchId Watch(WatchRequest request, WatchHandler handler) override {
    WatchId id = ++last_;
    watches[id] = {std::move(request), std::move(handler)};
    return id;
  }
  void CancelWatch(WatchId id) override { watches.erase(id); }

  // Answers the oldest call.
  ClusterRequest Answer(Expected<Json> result) {
    auto [request, done] = std::move(calls.front());
    calls.pop_front();
    done(std::move(result));
    return request;
  }
  WatchRequest& LastWatch() { return watches.rbegin()->second.first; }
  void Event(WatchEvent::Type type, Json object) {
    WatchHandler handler = watches.rbegin()->second.second;
    handler.event({type, std::move(object)});
  }
  void Close(Status status) {
    WatchHandler handler = watches.rbegin()->second.second;
    watches.erase(std::prev(watches.end()));
    handler.closed(std::move(status));
  }

  std::deque<std::pair<ClusterRequest, ClusterDone>> calls;
  std::map<WatchId, std::pair<WatchRequest, WatchHandler>> watches;

 private:
  WatchId last_ = 0;
};

}  // namespace rollguard::kube
