// SPDX-License-Identifier: Apache-2.0
// Aggregations over a grid. Groups are settled once per row, then columns are folded.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "agent/promql/ast.h"
#include "agent/promql/budget.h"
#include "agent/promql/cells.h"

namespace rollguard::promql {

// `parameter`: one number per step for topk, bottomk and quantile. `label`: for count_values.
struct AggregateInput {
  const AggregateNode* node = nullptr;
  Grid grid;
  std::span<const double> parameter = {};
  std::string_view label = {};
  bool version3 = false;
};

Grid Aggregate(AggregateInput input, Budget& budget);

bool IsValidLabelName(std::string_view name);

}  // namespace rollguard::promql
