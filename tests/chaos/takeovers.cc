// SPDX-License-Identifier: Apache-2.0
#include "tests/chaos/takeovers.h"

#include <algorithm>

#include "tests/chaos/witness.h"

namespace rollguard::chaos {

void Takeovers::Begin(const Replica& victim) {
  std::map<size_t, std::string> left;  // shard -> who must no longer hold it
  const auto holders = town_.Holders();
  for (size_t shard = 0; shard < holders.size(); ++shard) {
    if (holders[shard].starts_with(victim.name + "_")) left[shard] = holders[shard];
  }
  if (left.empty()) return;
  under_way_ = true;
  watcher_ = std::jthread([this, left, since = clock_.Monotonic()] { Watch(left, since); });
}

void Takeovers::Watch(const std::map<size_t, std::string>& left, std::chrono::nanoseconds since) {
  const bool taken = testing::PollUntil(
      [&] {
        const auto holders = town_.Holders();
        return std::all_of(left.begin(), left.end(), [&](const auto& one) {
          return !holders[one.first].empty() && holders[one.first] != one.second;
        });
      },
      kPatience, kOften);
  if (!taken) return;
  seconds_.push_back(std::chrono::duration<double>(clock_.Monotonic() - since).count());
  under_way_ = false;
}

std::vector<double> Takeovers::Sorted() const {
  std::vector<double> sorted = seconds_;
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

}  // namespace rollguard::chaos
