// SPDX-License-Identifier: Apache-2.0
// Gives equal texts the same small number: 0, 1, 2, ... in order of first sight. The engine numbers
// packed label sets with it (match signatures, groups, output rows).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/promql/budget.h"
#include "agent/promql/cells.h"
#include "agent/promql/labels.h"

namespace rollguard::promql {

inline constexpr uint32_t kNoKey = UINT32_MAX;

// Open addressing over at most half-full slots. Keeps pointers: the label sets must stay where they
// are (reserve the vector that holds them).
class KeyTable {
 public:
  explicit KeyTable(size_t expected) {
    size_t slots = 16;
    while (slots < expected * 2) slots *= 2;
    slots_.assign(slots, kNoKey);
    keys_.reserve(expected);
  }

  // The number of `key`, and whether it is new.
  std::pair<uint32_t, bool> Insert(const Labels& key) {
    if (keys_.size() * 2 >= slots_.size()) Grow();
    uint64_t hash = key.Hash();
    uint32_t* slot = Slot(key, hash);
    if (*slot != kNoKey) return {*slot, false};
    *slot = static_cast<uint32_t>(keys_.size());
    keys_.emplace_back(hash, &key);
    return {*slot, true};
  }

  uint32_t Find(const Labels& key) { return *Slot(key, key.Hash()); }
  size_t size() const { return keys_.size(); }

 private:
  uint32_t* Slot(const Labels& key, uint64_t hash) {
    size_t mask = slots_.size() - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
      uint32_t id = slots_[i];
      if (id == kNoKey) return &slots_[i];
      if (keys_[id].first == hash && *keys_[id].second == key) return &slots_[i];
    }
  }
  void Grow() {
    slots_.assign(slots_.size() * 2, kNoKey);
    for (uint32_t id = 0; id < keys_.size(); ++id) {
      *Slot(*keys_[id].second, keys_[id].first) = id;
    }
  }

  std::vector<uint32_t> slots_;
  std::vector<std::pair<uint64_t, const Labels*>> keys_;
};

inline constexpr const char* kSameLabelset = "vector cannot contain metrics with the same labelset";

// Joins rows with equal labels into one, as happens once names are dropped. Two samples at one step
// fail the evaluation: with `conflict` when the two rows are of the same `origin` (when given),
// else with kSameLabelset. When `whole_rows`, equal labels fail unless one row has no samples at
// all.
struct MergeRule {
  bool whole_rows = false;
  std::span<const uint32_t> origin = {};
  const char* conflict = kSameLabelset;
};
void MergeRows(Grid& grid, Budget& budget, const MergeRule& rule = {});

// Removes rows for which `gone` is set.
void RemoveRows(Grid& grid, const std::vector<bool>& gone);

}  // namespace rollguard::promql
