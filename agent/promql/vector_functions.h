// SPDX-License-Identifier: Apache-2.0
// Functions that look at the labels of a vector, or at several of its series together.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/promql/ast.h"
#include "agent/promql/budget.h"
#include "agent/promql/cells.h"

namespace rollguard::promql {

struct ReplaceArgs {
  std::string_view destination, replacement, source, pattern;
  bool dot_all = false;
};
Grid LabelReplace(Grid grid, const ReplaceArgs& args, Budget& budget);

Grid LabelJoin(Grid grid, std::string_view destination, std::string_view separator,
               std::span<const std::string> sources, Budget& budget);

// Classic buckets; `quantile` has one number per step.
Grid HistogramQuantile(const Grid& grid, std::span<const double> quantile, Budget& budget);

// 1 where no row of `grid` has a sample; labels from the `=` matchers of `argument` when that is a
// plain selector (nullptr otherwise).
Grid Absent(const Grid& grid, const SelectorNode* argument);

// Rows in order of value, NaN last. For one step only.
Grid SortRows(const Grid& grid, bool descending);

}  // namespace rollguard::promql
