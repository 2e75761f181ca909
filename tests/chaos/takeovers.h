// SPDX-License-Identifier: Apache-2.0
// How long shards stay with a replica that can no longer hold them.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/chaos/town.h"

namespace rollguard::chaos {

class Takeovers {
 public:
  explicit Takeovers(Town& town) : town_(town) {}

  // From now on every shard of the victim's must find another holder. Looked at on a thread of its
  // own: what else happens meanwhile may take longer than a takeover.
  void Begin(const Replica& victim);
  bool UnderWay() const { return under_way_.load(); }
  // Seconds, shortest first; when none is under way.
  std::vector<double> Sorted() const;

 private:
  void Watch(const std::map<size_t, std::string>& left, std::chrono::nanoseconds since);

  Town& town_;
  testing::RealClock clock_;
  std::vector<double> seconds_;  // the watcher's while one is under way
  std::atomic<bool> under_way_{false};
  std::jthread watcher_;
};

}  // namespace rollguard::chaos
