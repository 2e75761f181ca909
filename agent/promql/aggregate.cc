// SPDX-License-Identifier: Apache-2.0
// Three shapes: folds (sum, avg, ...) run along rows into one row per group; selections (quantile,
// topk, bottomk) look at one column of a group at a time; count_values makes rows as it finds
// values.
#include "agent/promql/aggregate.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <unordered_map>

#include "agent/base/text.h"
#include "agent/promql/key_table.h"
#include "agent/promql/range_functions.h"

namespace rollguard::promql {
namespace {

struct Groups {
  std::vector<uint32_t> of_row;
  std::vector<Labels> labels;
};

std::vector<std::string> SortedNames(const AggregateNode& node) {
  std::vector<std::string> names = node.labels;
  std::sort(names.begin(), names.end());
  return names;
}

Groups MakeGroups(const AggregateNode& node, const Grid& grid) {
  Groups groups;
  groups.of_row.assign(grid.rows(), 0);
  if (!node.without && node.labels.empty()) {
    if (grid.rows() > 0) groups.labels.emplace_back();
    return groups;
  }
  std::vector<std::string> names = SortedNames(node);
  std::vector<Labels> keys;
  keys.reserve(grid.rows());
  KeyTable table(grid.rows());
  for (size_t row = 0; row < grid.rows(); ++row) {
    const Labels& labels = grid.labels[row];
    keys.push_back(node.without ? labels.Without(names) : labels.Keep(names));
    auto [id, fresh] = table.Insert(keys.back());
    groups.of_row[row] = id;
    if (fresh) groups.labels.push_back(keys.back());
  }
  return groups;
}

// Runs `fold(cell of the group, value, index)` over every sample. `index` counts the group's cells,
// for folds that keep more than one number; the first sample of a cell goes through `start`.
template <class Start, class Fold>
void RunFold(const Grid& in, const Groups& groups, Grid& out, Start start, Fold fold) {
  for (size_t row = 0; row < in.rows(); ++row) {
    const double* from = in.Row(row).data();
    size_t base = groups.of_row[row] * out.width;
    double* to = out.cells.data() + base;
    for (size_t i = 0; i < in.width; ++i) {
      if (IsAbsent(from[i])) continue;
      if (IsAbsent(to[i])) {
        to[i] = start(from[i], base + i);
      } else {
        fold(to[i], from[i], base + i);
      }
    }
  }
}

void FoldMean(const Grid& in, const Groups& groups, Grid& out) {
  std::vector<double> counts(out.cells.size(), 1);
  RunFold(
      in, groups, out, [](double v, size_t) { return v; },
      [&](double& mean, double v, size_t i) {
        double count = ++counts[i];
        if (std::isinf(mean)) {
          bool same = std::isinf(v) && (mean > 0) == (v > 0);
          if (same || std::isfinite(v)) return;
        }
        mean += v / count - mean / count;
      });
}

void FoldVariance(const Grid& in, const Groups& groups, Grid& out, bool root, bool version3) {
  std::vector<double> counts(out.cells.size(), 1);
  std::vector<double> means(out.cells.size(), 0);
  RunFold(
      in, groups, out,
      [&](double v, size_t i) {
        means[i] = v;
        return version3 && !std::isfinite(v) ? std::nan("") : 0.0;
      },
      [&](double& squares, double v, size_t i) {
        double count = ++counts[i];
        double delta = v - means[i];
        means[i] += delta / count;
        squares += delta * (v - means[i]);
      });
  for (size_t i = 0; i < out.cells.size(); ++i) {
    double& cell = out.cells[i];
    if (IsAbsent(cell)) continue;
    cell /= counts[i];
    if (root) cell = std::sqrt(cell);
  }
}

void Fold(const AggregateInput& input, const Groups& groups, Grid& out) {
  const Grid& in = input.grid;
  auto same = [](double v, size_t) { return v; };
  auto one = [](double, size_t) { return 1.0; };
  switch (input.node->op) {
    case AggregateOp::kSum:
      return RunFold(in, groups, out, same, [](double& sum, double v, size_t) { sum += v; });
    case AggregateOp::kMin:
      return RunFold(in, groups, out, same, [](double& best, double v, size_t) {
        if (v < best || std::isnan(best)) best = v;
      });
    case AggregateOp::kMax:
      return RunFold(in, groups, out, same, [](double& best, double v, size_t) {
        if (v > best || std::isnan(best)) best = v;
      });
    case AggregateOp::kCount:
      return RunFold(in, groups, out, one, [](double& count, double, size_t) { ++count; });
    case AggregateOp::kGroup: return RunFold(in, groups, out, one, [](double&, double, size_t) {});
    case AggregateOp::kAvg: return FoldMean(in, groups, out);
    case AggregateOp::kStddev: return FoldVariance(in, groups, out, true, input.version3);
    case AggregateOp::kStdvar: return FoldVariance(in, groups, out, false, input.version3);
    case AggregateOp::kTopk:
    case AggregateOp::kBottomk:
    case AggregateOp::kCountValues:
    case AggregateOp::kQuantile: return;
  }
}

std::vector<std::vector<uint32_t>> RowsOf(const Groups& groups) {
  std::vector<std::vector<uint32_t>> rows(groups.labels.size());
  for (uint32_t row = 0; row < groups.of_row.size(); ++row) {
    rows[groups.of_row[row]].push_back(row);
  }
  return rows;
}

Grid QuantileOf(const AggregateInput& input, Groups groups) {
  Grid out{input.grid.width, std::move(groups.labels), {}};
  out.cells.assign(out.rows() * out.width, kNoCell);
  groups.labels.resize(out.rows());
  std::vector<std::vector<uint32_t>> rows = RowsOf(groups);
  std::vector<double> values;
  for (size_t group = 0; group < rows.size(); ++group) {
    for (size_t step = 0; step < out.width; ++step) {
      values.clear();
      for (uint32_t row : rows[group]) {
        double v = input.grid.Row(row)[step];
        if (!IsAbsent(v)) values.push_back(v);
      }
      if (!values.empty()) out.Row(group)[step] = Quantile(input.parameter[step], values);
    }
  }
  return out;
}

struct Ranked {
  double value;
  uint32_t row;
};

// Picks the k best of one group at one step; `best` holds them in order on return. NaN is the
// worst.
void Select(std::vector<Ranked>& candidates, size_t k, bool largest) {
  auto better = [largest](const Ranked& a, const Ranked& b) {
    bool a_nan = std::isnan(a.value);
    bool b_nan = std::isnan(b.value);
    if (a_nan || b_nan) return b_nan && !a_nan;
    return largest ? a.value > b.value : a.value < b.value;
  };
  if (candidates.size() > k) {
    auto middle = candidates.begin() + static_cast<std::ptrdiff_t>(k);
    std::partial_sort(candidates.begin(), middle, candidates.end(), better);
    candidates.resize(k);
  } else {
    std::stable_sort(candidates.begin(), candidates.end(), better);
  }
}

// The parameter of topk as a count; fails the evaluation when it is none.
bool ReadCount(double k, size_t& count, Budget& budget) {
  if (!(k <= 9223372036854775807.0 && k >= -9223372036854775808.0)) {
    return budget.Fail(StrCat("Scalar value ", FormatNumber(k), " overflows int64"));
  }
  count = k < 1 ? 0 : static_cast<size_t>(std::min(k, 1e15));
  return true;
}

Grid TopOf(AggregateInput& input, const Groups& groups, Budget& budget) {
  bool largest = input.node->op == AggregateOp::kTopk;
  Grid& in = input.grid;
  std::vector<double> kept(in.cells.size(), kNoCell);
  std::vector<uint32_t> order;  // rows in order of rank, at the last step
  std::vector<std::vector<uint32_t>> rows = RowsOf(groups);
  std::vector<Ranked> candidates;
  for (size_t step = 0; step < in.width; ++step) {
    size_t k = 0;
    if (!ReadCount(input.parameter[step], k, budget)) return {};
    order.clear();
    if (k == 0) continue;
    for (const auto& group : rows) {
      candidates.clear();
      for (uint32_t row : group) {
        double v = in.Row(row)[step];
        if (!IsAbsent(v)) candidates.push_back({v, row});
      }
      Select(candidates, k, largest);
      for (const Ranked& ranked : candidates) {
        kept[ranked.row * in.width + step] = ranked.value;
        order.push_back(ranked.row);
      }
    }
  }
  in.cells = std::move(kept);
  if (in.width > 1) return std::move(in);
  Grid out;
  for (uint32_t row : order) AddRow(out, in.labels[row])[0] = in.cells[row];
  return out;
}

std::string ValueText(double v) {
  if (!std::isfinite(v)) return FormatNumber(v);
  char buffer[400];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), v, std::chars_format::fixed);
  return {buffer, end};
}

Grid CountValues(const AggregateInput& input, Budget& budget) {
  if (!IsValidLabelName(input.label)) {
    budget.Fail("invalid label name " + Quote(input.label));
    return {};
  }
  const Grid& in = input.grid;
  std::vector<std::string> names = SortedNames(*input.node);
  if (!input.node->without) {
    names.insert(std::upper_bound(names.begin(), names.end(), input.label),
                 std::string(input.label));
  }
  Grid out;
  out.width = in.width;
  std::unordered_map<Labels, size_t, LabelsHash> known;
  for (size_t row = 0; row < in.rows(); ++row) {
    std::unordered_map<uint64_t, size_t> by_bits;  // of this row's values
    for (size_t step = 0; step < in.width; ++step) {
      double v = in.Row(row)[step];
      if (IsAbsent(v)) continue;
      auto [at, fresh] = by_bits.try_emplace(std::bit_cast<uint64_t>(v), 0);
      if (fresh) {
        Labels labels = in.labels[row].With(input.label, ValueText(v));
        labels = input.node->without ? labels.Without(names) : labels.Keep(names);
        auto [place, made] = known.try_emplace(labels, out.rows());
        if (made) {
          if (!budget.Reserve(out.rows() + 1, out.width)) return {};
          AddRow(out, std::move(labels));
        }
        at->second = place->second;
      }
      double& count = out.Row(at->second)[step];
      count = IsAbsent(count) ? 1 : count + 1;
    }
  }
  return out;
}

}  // namespace

bool IsValidLabelName(std::string_view name) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (name.empty() || !letter(name[0])) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

Grid Aggregate(AggregateInput input, Budget& budget) {
  if (!budget.Work(input.grid.cells.size())) return {};
  AggregateOp op = input.node->op;
  if (op == AggregateOp::kCountValues) return CountValues(input, budget);
  Groups groups = MakeGroups(*input.node, input.grid);
  if (!budget.Reserve(groups.labels.size(), input.grid.width)) return {};
  if (op == AggregateOp::kTopk || op == AggregateOp::kBottomk) {
    return TopOf(input, groups, budget);
  }
  if (op == AggregateOp::kQuantile) return QuantileOf(input, std::move(groups));
  Grid out{input.grid.width, {}, {}};
  out.cells.assign(groups.labels.size() * out.width, kNoCell);
  Fold(input, groups, out);
  out.labels = std::move(groups.labels);
  return out;
}

}  // namespace rollguard::promql
