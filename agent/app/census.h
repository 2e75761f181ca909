// SPDX-License-Identifier: Apache-2.0
// How many guards release, and how often they were rolled back lately: counted when a guard's state
// changes, for what limits them asks in the middle of a way back. Belongs to the deciding thread.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/release/state.h"

namespace rollguard::app {

// A release that has begun and is not over.
bool Releasing(const release::GuardState& state);

class Census {
 public:
  void Put(const std::string& guard, std::string_view group, const release::GuardState& state);
  void Remove(const std::string& guard);

  int64_t releasing() const { return releasing_; }
  // After that time, of a group; empty: of all.
  int64_t RollbacksAfter(Time begin, std::string_view group = {}) const;

 private:
  struct Entry {
    bool releasing = false;
    std::string group;
    std::vector<Time> rollbacks;
  };

  std::unordered_map<std::string, Entry> entries_;  // of guards of which there is something to say
  int64_t releasing_ = 0;
  std::set<std::pair<Time, std::string>> rollbacks_;  // with their guards
};

}  // namespace rollguard::app
