// SPDX-License-Identifier: Apache-2.0
#include "agent/app/guard_index.h"

#include <algorithm>

#include "agent/base/hash.h"

namespace rollguard::app {

void GuardIndex::Drop(uint64_t key, const std::string* guard) {
  auto [at, end] = guards_.equal_range(key);
  for (; at != end; ++at) {
    if (at->second != guard) continue;
    guards_.erase(at);
    return;
  }
}

void GuardIndex::Put(const std::string& guard, const std::vector<std::string>& keys) {
  std::vector<uint64_t> wanted;
  wanted.reserve(keys.size());
  for (const std::string& key : keys) wanted.push_back(Fnv1a64(key));
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  auto known = keys_.find(guard);
  if (known != keys_.end()) {
    if (known->second == wanted) return;
    for (uint64_t key : known->second) Drop(key, &known->first);
    if (wanted.empty()) keys_.erase(known);
  }
  if (wanted.empty()) return;
  known = keys_.try_emplace(guard).first;
  for (uint64_t key : wanted) guards_.emplace(key, &known->first);
  known->second = std::move(wanted);
}

void GuardIndex::ForEach(std::string_view key,
                         const std::function<void(const std::string& guard)>& visit) const {
  for (auto [at, end] = guards_.equal_range(Fnv1a64(key)); at != end; ++at) visit(*at->second);
}

}  // namespace rollguard::app
