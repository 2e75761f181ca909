// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "agent/promql/elementwise.h"
#include "agent/promql/evaluator.h"
#include "agent/promql/key_table.h"
#include "agent/promql/vector_functions.h"

namespace rollguard::promql {
namespace {

double Seconds(Millis t) { return static_cast<double>(t) / 1000.0; }

std::vector<double> Times(const Steps& steps) {
  std::vector<double> out(steps.count);
  for (size_t i = 0; i < out.size(); ++i) out[i] = Seconds(steps.At(i));
  return out;
}

void DropNames(Grid& grid, Budget& budget) {
  for (Labels& labels : grid.labels) labels = labels.WithoutName();
  MergeRows(grid, budget);
}

// scalar(): the sample where there is exactly one.
std::vector<double> OnlySample(const Grid& grid) {
  std::vector<double> out(grid.width, kNoCell);
  std::vector<bool> several(grid.width);
  for (size_t row = 0; row < grid.rows(); ++row) {
    auto cells = grid.Row(row);
    for (size_t i = 0; i < cells.size(); ++i) {
      if (IsAbsent(cells[i])) continue;
      if (!IsAbsent(out[i])) several[i] = true;
      out[i] = cells[i];
    }
  }
  for (size_t i = 0; i < out.size(); ++i) {
    if (several[i] || IsAbsent(out[i])) out[i] = std::numeric_limits<double>::quiet_NaN();
  }
  return out;
}

// Runs f(sample, step) over every sample that is there.
template <class F>
void ForSamples(Grid& grid, F f) {
  for (size_t row = 0; row < grid.rows(); ++row) {
    auto cells = grid.Row(row);
    for (size_t i = 0; i < cells.size(); ++i) {
      if (!IsAbsent(cells[i])) cells[i] = f(cells[i], i);
    }
  }
}

}  // namespace

std::vector<double> Evaluator::EvalScalar(NodeId id, const Steps& steps) {
  return Eval(id, steps).scalars;
}

std::string Evaluator::EvalText(NodeId id) {
  auto* string = query_.As<StringNode>(SkipParens(query_, id));
  return string != nullptr ? string->value : std::string();
}

Operand Evaluator::EvalCall(const CallNode& call, const Steps& steps) {
  FunctionId id = call.function->id;
  switch (id) {
    case FunctionId::kTime: return {{}, Times(steps), {}};
    case FunctionId::kPi: return {{}, std::vector<double>(steps.count, M_PI), {}};
    case FunctionId::kScalar: {
      Operand operand = Eval(call.args[0], steps);
      if (budget_.failed()) return {};
      operand.grid.width = steps.count;
      return {{}, OnlySample(operand.grid), {}};
    }
    case FunctionId::kVector:
      return {Grid{steps.count, {Labels()}, EvalScalar(call.args[0], steps)}, {}, {}};
    case FunctionId::kTimestamp: return EvalTimestamp(call, steps);
    case FunctionId::kAbsent: {
      Operand operand = Eval(call.args[0], steps);
      if (budget_.failed()) return {};
      operand.grid.width = steps.count;
      return {
          Absent(operand.grid, query_.As<SelectorNode>(SkipParens(query_, call.args[0]))), {}, {}};
    }
    case FunctionId::kSort:
    case FunctionId::kSortDesc: {
      Operand operand = Eval(call.args[0], steps);
      if (steps.count != 1 || budget_.failed()) return operand;
      return {SortRows(operand.grid, id == FunctionId::kSortDesc), {}, {}};
    }
    case FunctionId::kLabelReplace:
    case FunctionId::kLabelJoin: return EvalLabels(call, steps);
    case FunctionId::kHistogramQuantile: {
      std::vector<double> quantile = EvalScalar(call.args[0], steps);
      Operand operand = Eval(call.args[1], steps);
      if (budget_.failed()) return {};
      return {HistogramQuantile(operand.grid, quantile, budget_), {}, {}};
    }
    case FunctionId::kHistogramCount:
    case FunctionId::kHistogramSum:
    case FunctionId::kHistogramFraction: {
      Grid nothing;  // no sample here is a native histogram
      nothing.width = steps.count;
      Eval(call.args.back(), steps);
      return {std::move(nothing), {}, {}};
    }
    default: break;
  }
  if (FindWindowFunction(id) == nullptr) return EvalNumbers(call, steps);
  Grid grid = EvalWindows(call, steps);
  if (budget_.failed()) return {};
  if (id == FunctionId::kAbsentOverTime) {
    NodeId source = SkipParens(query_, call.args[0]);
    grid.width = steps.count;
    return {Absent(grid, query_.As<SelectorNode>(source)), {}, {}};
  }
  MergeRows(grid, budget_, {.whole_rows = true});
  return {std::move(grid), {}, {}};
}

Operand Evaluator::EvalTimestamp(const CallNode& call, const Steps& steps) {
  auto* selector = query_.As<SelectorNode>(SkipParens(query_, call.args[0]));
  Grid grid;
  if (selector != nullptr) {
    grid = EvalSelector(*selector, steps, true);
  } else {
    grid = Eval(call.args[0], steps).grid;
    ForSamples(grid, [&](double, size_t i) { return Seconds(steps.At(i)); });
  }
  DropNames(grid, budget_);
  return {std::move(grid), {}, {}};
}

Operand Evaluator::EvalLabels(const CallNode& call, const Steps& steps) {
  Grid grid = Eval(call.args[0], steps).grid;
  if (budget_.failed()) return {};
  std::vector<std::string> texts;
  for (size_t i = 1; i < call.args.size(); ++i) texts.push_back(EvalText(call.args[i]));
  if (call.function->id == FunctionId::kLabelReplace) {
    ReplaceArgs args{texts[0], texts[1], texts[2], texts[3], options_.version3};
    return {LabelReplace(std::move(grid), args, budget_), {}, {}};
  }
  return {
      LabelJoin(std::move(grid), texts[0], texts[1], std::span(texts).subspan(2), budget_), {}, {}};
}

Operand Evaluator::EvalNumbers(const CallNode& call, const Steps& steps) {
  FunctionId id = call.function->id;
  Grid grid;
  if (call.args.empty() && IsCalendarFunction(id)) {
    grid = Grid{steps.count, {Labels()}, Times(steps)};
  } else {
    grid = Eval(call.args[0], steps).grid;
  }
  std::vector<double> parameter[2];
  for (size_t i = 1; i < call.args.size() && i < 3; ++i) {
    parameter[i - 1] = EvalScalar(call.args[i], steps);
  }
  if (budget_.failed() || !budget_.Work(grid.cells.size())) return {};
  const auto& first = parameter[0];
  const auto& second = parameter[1];
  if (NumberFunction function = FindNumberFunction(id)) {
    ForSamples(grid, [function](double v, size_t) { return function(v); });
  } else if (id == FunctionId::kRound) {
    ForSamples(grid, [&](double v, size_t i) { return RoundTo(v, first.empty() ? 1 : first[i]); });
  } else if (id == FunctionId::kClamp) {
    ForSamples(grid, [&](double v, size_t i) {
      return second[i] < first[i] ? kNoCell : Clamp(v, first[i], second[i]);
    });
  } else if (id == FunctionId::kClampMin) {
    ForSamples(grid, [&](double v, size_t i) { return ClampLow(v, first[i]); });
  } else if (id == FunctionId::kClampMax) {
    ForSamples(grid, [&](double v, size_t i) { return ClampHigh(v, first[i]); });
  }
  DropNames(grid, budget_);
  return {std::move(grid), {}, {}};
}

}  // namespace rollguard::promql
