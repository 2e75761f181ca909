// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/key_table.h"

#include <algorithm>

namespace rollguard::promql {
namespace {

// Moves the cells of `from` into the free cells of `to`; false when both have one at some step.
bool Join(std::span<double> to, std::span<const double> from) {
  for (size_t i = 0; i < to.size(); ++i) {
    if (IsAbsent(from[i])) continue;
    if (!IsAbsent(to[i])) return false;
    to[i] = from[i];
  }
  return true;
}

}  // namespace

void MergeRows(Grid& grid, Budget& budget, const MergeRule& rule) {
  if (grid.rows() < 2 || budget.failed()) return;
  KeyTable table(grid.rows());
  std::vector<size_t> first;  // the row of each key
  first.reserve(grid.rows());
  std::vector<bool> gone;
  for (size_t row = 0; row < grid.rows(); ++row) {
    auto [key, fresh] = table.Insert(grid.labels[row]);
    if (fresh) {
      first.push_back(row);
      continue;
    }
    if (gone.empty()) gone.resize(grid.rows());
    gone[row] = true;
    size_t other = first[key];
    bool both = rule.whole_rows && !AllAbsent(grid.Row(row)) && !AllAbsent(grid.Row(other));
    if (both || !Join(grid.Row(other), grid.Row(row))) {
      bool same_origin = !rule.origin.empty() && rule.origin[row] == rule.origin[other];
      budget.Fail(same_origin ? rule.conflict : kSameLabelset);
      return;
    }
  }
  if (!gone.empty()) RemoveRows(grid, gone);
}

void RemoveRows(Grid& grid, const std::vector<bool>& gone) {
  size_t to = 0;
  for (size_t row = 0; row < grid.rows(); ++row) {
    if (gone[row]) continue;
    if (to != row) {
      grid.labels[to] = std::move(grid.labels[row]);
      auto cells = grid.Row(row);
      std::copy(cells.begin(), cells.end(), grid.Row(to).begin());
    }
    ++to;
  }
  grid.labels.resize(to);
  grid.cells.resize(to * grid.width);
}

}  // namespace rollguard::promql
