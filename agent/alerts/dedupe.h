// SPDX-License-Identifier: Apache-2.0
// Remembers which alert events were seen. Alertmanager repeats itself: retries, group repeats, two
// members of a pair. Bounded: the events seen longest ago are forgotten first.
#pragma once

#include <deque>
#include <string>
#include <unordered_set>

#include "agent/alerts/alert.h"

namespace rollguard::alerts {

class Dedupe {
 public:
  explicit Dedupe(size_t keep = 100'000) : keep_(keep) {}

  // True when the event is new; it is remembered from then on.
  bool Admit(const Alert& alert);
  bool Seen(const Alert& alert) const { return seen_.contains(alert.EventKey()); }
  size_t size() const { return seen_.size(); }

 private:
  size_t keep_;
  std::unordered_set<std::string> seen_;
  std::deque<std::string> order_;
};

}  // namespace rollguard::alerts
