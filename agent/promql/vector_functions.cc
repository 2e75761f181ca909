// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/vector_functions.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "agent/base/text.h"
#include "agent/promql/aggregate.h"
#include "agent/promql/key_table.h"
#include "agent/promql/label_predicate.h"

namespace rollguard::promql {

Grid LabelReplace(Grid grid, const ReplaceArgs& args, Budget& budget) {
  auto regex = Regex::Compile(args.pattern, args.dot_all);
  if (!regex) {
    budget.Fail(StrCat("invalid regular expression in label_replace(): ", args.pattern));
    return {};
  }
  if (!IsValidLabelName(args.destination)) {
    budget.Fail(StrCat("invalid destination label name in label_replace(): ", args.destination));
    return {};
  }
  for (Labels& labels : grid.labels) {
    std::string value;
    if (regex->Expand(labels.Get(args.source), args.replacement, value)) {
      labels = labels.With(args.destination, value);
    }
  }
  MergeRows(grid, budget);
  return grid;
}

Grid LabelJoin(Grid grid, std::string_view destination, std::string_view separator,
               std::span<const std::string> sources, Budget& budget) {
  for (const std::string& source : sources) {
    if (!IsValidLabelName(source)) {
      budget.Fail(StrCat("invalid source label name in label_join(): ", source));
      return {};
    }
  }
  if (!IsValidLabelName(destination)) {
    budget.Fail(StrCat("invalid destination label name in label_join(): ", destination));
    return {};
  }
  for (Labels& labels : grid.labels) {
    std::string value;
    for (size_t i = 0; i < sources.size(); ++i) {
      if (i > 0) value += separator;
      value += labels.Get(sources[i]);
    }
    labels = labels.With(destination, value);
  }
  MergeRows(grid, budget);
  return grid;
}

Grid Absent(const Grid& grid, const SelectorNode* argument) {
  Grid out;
  out.width = grid.width;
  Labels labels;
  std::map<std::string, bool> seen;
  if (argument != nullptr) {
    for (const Matcher& matcher : argument->matchers) {
      if (matcher.name == kMetricName) continue;
      bool first = matcher.op == MatchOp::kEqual && !seen[matcher.name];
      labels = labels.With(matcher.name, first ? matcher.value : "");
      if (first) seen[matcher.name] = true;
    }
  }
  auto cells = AddRow(out, std::move(labels));
  std::fill(cells.begin(), cells.end(), 1);
  for (size_t row = 0; row < grid.rows(); ++row) {
    auto present = grid.Row(row);
    for (size_t i = 0; i < cells.size(); ++i) {
      if (!IsAbsent(present[i])) cells[i] = kNoCell;
    }
  }
  return out;
}

Grid SortRows(const Grid& grid, bool descending) {
  std::vector<size_t> order(grid.rows());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    double x = grid.cells[a];
    double y = grid.cells[b];
    if (std::isnan(x) || std::isnan(y)) return std::isnan(y) && !std::isnan(x);
    return descending ? x > y : x < y;
  });
  Grid out;
  for (size_t row : order) AddRow(out, grid.labels[row])[0] = grid.cells[row];
  return out;
}

}  // namespace rollguard::promql
