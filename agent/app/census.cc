// SPDX-License-Identifier: Apache-2.0
#include "agent/app/census.h"

#include <algorithm>

namespace rollguard::app {

bool Releasing(const release::GuardState& state) {
  return state.release.has_value() && state.phase != release::Phase::kPending &&
         state.phase != release::Phase::kIdle;
}

void Census::Put(const std::string& guard, std::string_view group,
                 const release::GuardState& state) {
  const bool releasing = Releasing(state);
  auto known = entries_.find(guard);
  if (known == entries_.end() && !releasing && state.rollbacks.empty()) return;
  if (known != entries_.end() && known->second.releasing == releasing &&
      known->second.group == group && known->second.rollbacks == state.rollbacks)
    return;
  Remove(guard);
  if (!releasing && state.rollbacks.empty()) return;
  entries_[guard] = {releasing, std::string(group), state.rollbacks};
  if (releasing) ++releasing_;
  for (Time at : state.rollbacks) rollbacks_.emplace(at, guard);
}

void Census::Remove(const std::string& guard) {
  auto known = entries_.find(guard);
  if (known == entries_.end()) return;
  if (known->second.releasing) --releasing_;
  for (Time at : known->second.rollbacks) rollbacks_.erase({at, guard});
  entries_.erase(known);
}

int64_t Census::RollbacksAfter(Time begin, std::string_view group) const {
  const auto first = rollbacks_.lower_bound({begin + Duration(1), {}});
  return std::count_if(first, rollbacks_.end(), [&](const auto& r) {
    return group.empty() || entries_.at(r.second).group == group;
  });
}

}  // namespace rollguard::app
