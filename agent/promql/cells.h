// SPDX-License-Identifier: Apache-2.0
// The form in which the engine works: a vector over a whole range of steps is a grid, one row per
// series and one column per step. Series identity is settled once per row; the arithmetic runs
// along rows. "No sample at this step" is a NaN with bits of its own, which no stored or computed
// sample carries, so that a grid is one flat array.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "agent/promql/labels.h"
#include "agent/promql/value.h"

namespace rollguard::promql {

inline constexpr uint64_t kNoCellBits = 0x7ff8000000ab5e97ULL;
inline constexpr double kNoCell = std::bit_cast<double>(kNoCellBits);
inline bool IsAbsent(double cell) { return std::bit_cast<uint64_t>(cell) == kNoCellBits; }

// The moments at which an expression is evaluated: start, start + step, ... (`count` of them).
struct Steps {
  Millis start = 0;
  Millis step = 1;
  size_t count = 1;

  Millis At(size_t i) const { return start + static_cast<Millis>(i) * step; }
  Millis Last() const { return At(count - 1); }
};

// Rows of cells. labels.size() * width == cells.size() always holds.
struct Grid {
  size_t width = 1;
  std::vector<Labels> labels;
  std::vector<double> cells;

  size_t rows() const { return labels.size(); }
  std::span<double> Row(size_t i) { return {cells.data() + i * width, width}; }
  std::span<const double> Row(size_t i) const { return {cells.data() + i * width, width}; }
};

// Adds a row of absent cells and returns it; earlier rows' spans are invalid afterwards.
inline std::span<double> AddRow(Grid& grid, Labels labels) {
  grid.labels.push_back(std::move(labels));
  grid.cells.resize(grid.cells.size() + grid.width, kNoCell);
  return grid.Row(grid.rows() - 1);
}

inline bool AllAbsent(std::span<const double> row) {
  for (double cell : row) {
    if (!IsAbsent(cell)) return false;
  }
  return true;
}

}  // namespace rollguard::promql
