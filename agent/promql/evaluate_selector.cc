// SPDX-License-Identifier: Apache-2.0
// From stored points to grids. A selector is asked for once, for the whole span of time that its
// steps can see; then two indices walk along the points as the window moves. Windows never move
// backwards, so the walk is linear.
#include <algorithm>
#include <cmath>
#include <utility>

#include "agent/base/text.h"
#include "agent/promql/evaluator.h"
#include "agent/promql/key_table.h"

namespace rollguard::promql {
namespace {

MatchKind KindOf(MatchOp op) {
  switch (op) {
    case MatchOp::kEqual: return MatchKind::kEqual;
    case MatchOp::kNotEqual: return MatchKind::kNotEqual;
    case MatchOp::kRegex: return MatchKind::kRegex;
    case MatchOp::kNotRegex: return MatchKind::kNotRegex;
  }
  return MatchKind::kEqual;
}

// The points without stale markers; `buffer` is used only when there are some.
std::span<const Point> WithoutStale(const SeriesView& view, std::vector<Point>& buffer) {
  auto stale = [](const Point& point) { return IsStale(point.v); };
  if (!view.may_have_stale || std::none_of(view.points.begin(), view.points.end(), stale)) {
    return view.points;
  }
  buffer.clear();
  std::remove_copy_if(view.points.begin(), view.points.end(), std::back_inserter(buffer), stale);
  return buffer;
}

std::vector<Point> PointsOf(std::span<const double> cells, const Steps& steps) {
  std::vector<Point> points;
  points.reserve(cells.size());
  for (size_t i = 0; i < cells.size(); ++i) {
    if (!IsAbsent(cells[i])) points.push_back({steps.At(i), cells[i]});
  }
  return points;
}

}  // namespace

std::vector<SeriesView> Evaluator::Select(const SelectorNode& selector, Millis from, Millis to) {
  std::vector<LabelPredicate> predicates;
  auto add = [&](MatchOp op, const std::string& name, const std::string& value) {
    auto predicate = LabelPredicate::Make(KindOf(op), name, value, options_.version3);
    if (!predicate) {
      budget_.Fail(predicate.error().message);
    } else {
      predicates.push_back(std::move(predicate).value());
    }
  };
  if (!selector.metric.empty()) add(MatchOp::kEqual, std::string(kMetricName), selector.metric);
  for (const Matcher& matcher : selector.matchers) add(matcher.op, matcher.name, matcher.value);
  std::vector<SeriesView> views;
  if (!budget_.failed()) querier_.Select(predicates, from, to, views);
  return views;
}

Reference Evaluator::Refer(const TimeShift& shift) const {
  switch (shift.at) {
    case AtKind::kNone: return {false, -shift.offset_ms};
    case AtKind::kTime: return {true, shift.at_ms - shift.offset_ms};
    case AtKind::kStart: return {true, start_ - shift.offset_ms};
    case AtKind::kEnd: return {true, end_ - shift.offset_ms};
  }
  return {};
}

Grid Evaluator::EvalSelector(const SelectorNode& selector, const Steps& steps, bool want_time) {
  Reference reference = Refer(selector.shift);
  Millis lookback = options_.lookback.count();
  if (options_.version3) --lookback;
  Millis first = reference.At(steps, 0);
  Millis last = reference.At(steps, steps.count - 1);
  std::vector<SeriesView> views = Select(selector, first - lookback, last);
  Grid grid;
  grid.width = steps.count;
  if (!budget_.Reserve(views.size(), grid.width)) return {};
  grid.labels.reserve(views.size());
  grid.cells.assign(views.size() * grid.width, kNoCell);
  size_t rows = 0;
  for (const SeriesView& view : views) {
    if (!budget_.Work(view.points.size() + grid.width)) return {};
    double* cells = grid.cells.data() + rows * grid.width;
    const Point* point = view.points.data() - 1;  // the last one at or before the reference
    const Point* before = point;
    const Point* end = view.points.data() + view.points.size();
    bool any = false;
    for (size_t i = 0; i < grid.width; ++i) {
      Millis at = reference.At(steps, i);
      while (point + 1 != end && point[1].t <= at) ++point;
      if (point == before || point->t < at - lookback || IsStale(point->v)) continue;
      cells[i] = want_time ? static_cast<double>(point->t) / 1000.0 : point->v;
      any = true;
    }
    if (!any) continue;
    grid.labels.push_back(*view.labels);
    ++rows;
  }
  grid.cells.resize(rows * grid.width);
  return grid;
}

Steps Evaluator::SubSteps(const SubqueryNode& node, const Reference& reference,
                          const Steps& steps) const {
  Steps inner;
  inner.step = node.step_ms != 0 ? node.step_ms : options_.default_step.count();
  Millis lowest = reference.At(steps, 0) - node.range_ms;
  inner.start = inner.step * (lowest / inner.step);
  if (inner.start < lowest || (options_.version3 && inner.start == lowest)) {
    inner.start += inner.step;
  }
  Millis last = reference.At(steps, steps.count - 1);
  inner.count = last < inner.start ? 0 : static_cast<size_t>((last - inner.start) / inner.step) + 1;
  return inner;
}

Grid Evaluator::EvalInner(const SubqueryNode& node, const Steps& inner) {
  ++subqueries_;
  Grid grid = Eval(node.expr, inner).grid;
  --subqueries_;
  return grid;
}

// One call of a window function, series by series.
struct Evaluator::WindowTask {
  const CallNode& call;
  const Steps& steps;
  WindowFunction function;
  Reference reference;
  Millis range;
  std::vector<double> parameters[2];
  bool wants_drops = false;
  std::vector<const Point*> drops = {};
  Grid out = {};
};

void Evaluator::FillWindows(WindowTask& task, std::span<const Point> points, Labels labels) {
  if (points.empty()) return;
  if (task.wants_drops) {
    task.drops.clear();
    for (size_t i = 1; i < points.size(); ++i) {
      if (points[i].v < points[i - 1].v) task.drops.push_back(&points[i]);
    }
  }
  Window window;
  window.version3 = options_.version3;
  bool smoothing = task.call.function->id == FunctionId::kHoltWinters;
  const Steps& steps = task.steps;
  std::span<double> cells;
  size_t low = 0;
  size_t high = 0;
  size_t drop_low = 0;
  size_t drop_high = 0;
  uint64_t work = points.size() + steps.count;
  for (size_t i = 0; i < steps.count; ++i) {
    window.end = task.reference.At(steps, i);
    window.start = window.end - task.range;
    Millis open = options_.version3 ? window.start + 1 : window.start;
    while (high < points.size() && points[high].t <= window.end) ++high;
    while (low < high && points[low].t < open) ++low;
    if (low == high) continue;
    window.points = points.subspan(low, high - low);
    if (task.wants_drops && !task.drops.empty()) {
      auto count = task.drops.size();
      while (drop_high < count && task.drops[drop_high] < points.data() + high) ++drop_high;
      while (drop_low < drop_high && task.drops[drop_low] <= points.data() + low) ++drop_low;
      window.drops = std::span(task.drops).subspan(drop_low, drop_high - drop_low);
    } else {
      work += high - low;
    }
    if (work > 1'000'000) {
      if (!budget_.Work(work)) return;
      work = 0;
    }
    for (size_t p = 0; p < 2; ++p) {
      if (!task.parameters[p].empty()) window.parameter[p] = task.parameters[p][i];
    }
    if (smoothing) {
      const char* kinds[] = {"smoothing", "trend"};
      const char* names[] = {"sf", "tf"};
      for (size_t p = 0; p < 2; ++p) {
        double factor = window.parameter[p];
        if (factor > 0 && factor < 1) continue;
        budget_.Fail(StrCat("invalid ", kinds[p], " factor. Expected: 0 < ", names[p],
                            " < 1, got: ", Format("%f", factor)));
        return;
      }
    }
    window.step_time = steps.At(i);
    double value = task.function(window);
    if (IsAbsent(value)) continue;
    if (cells.empty()) cells = AddRow(task.out, std::move(labels));
    cells[i] = value;
  }
  budget_.Work(work);
}

Grid Evaluator::EvalWindows(const CallNode& call, const Steps& steps) {
  FunctionId id = call.function->id;
  WindowTask task{call, steps, FindWindowFunction(id), {}, 0, {}};
  task.wants_drops = id == FunctionId::kRate || id == FunctionId::kIncrease;
  task.out.width = steps.count;
  NodeId source = kNoNode;
  size_t parameters = 0;
  for (NodeId arg : call.args) {
    if (query_[arg].type == ValueType::kMatrix) {
      source = SkipParens(query_, arg);
    } else {
      task.parameters[parameters++] = EvalScalar(arg, steps);
    }
  }
  if (budget_.failed()) return {};
  bool keeps_name = id == FunctionId::kLastOverTime;
  auto name = [&](const Labels& labels) { return keeps_name ? labels : labels.WithoutName(); };
  if (auto* selector = query_.As<SelectorNode>(source)) {
    Reference loaded = Refer(selector->shift);
    task.reference = loaded;
    // A window fixed by @ under a function that is not the same at every step: Prometheus 2.42
    // loads the points of the fixed window, and then lets the window move on with the steps all the
    // same. (Fixed subqueries are fixed here; what 2.42 does with them depends on its buffers.)
    if (loaded.fixed && !options_.version3) task.reference = {false, loaded.base - steps.start};
    task.range = selector->range_ms;
    auto views =
        Select(*selector, loaded.At(steps, 0) - task.range, loaded.At(steps, steps.count - 1));
    if (!budget_.Reserve(views.size(), steps.count)) return {};
    task.out.labels.reserve(views.size());
    task.out.cells.reserve(views.size() * steps.count);
    std::vector<Point> buffer;
    for (const SeriesView& view : views) {
      if (budget_.failed()) return {};
      FillWindows(task, WithoutStale(view, buffer), name(*view.labels));
    }
  } else if (auto* subquery = query_.As<SubqueryNode>(source)) {
    task.reference = Refer(subquery->shift);
    task.range = subquery->range_ms;
    Steps inner = SubSteps(*subquery, task.reference, steps);
    if (inner.count == 0 || !budget_.Reserve(1, inner.count)) return std::move(task.out);
    Grid grid = EvalInner(*subquery, inner);
    if (!budget_.Reserve(grid.rows(), steps.count)) return {};
    for (size_t row = 0; row < grid.rows() && !budget_.failed(); ++row) {
      FillWindows(task, PointsOf(grid.Row(row), inner), name(grid.labels[row]));
    }
  }
  return std::move(task.out);
}

Matrix Evaluator::EvalMatrix(NodeId id, Millis at) {
  Matrix out;
  Steps steps{at, 1, 1};
  NodeId source = SkipParens(query_, id);
  if (auto* selector = query_.As<SelectorNode>(source)) {
    Millis end = Refer(selector->shift).At(steps, 0);
    Millis open = options_.version3 ? 1 : 0;
    std::vector<Point> buffer;
    for (const SeriesView& view : Select(*selector, end - selector->range_ms + open, end)) {
      auto points = WithoutStale(view, buffer);
      if (points.empty() || !budget_.Reserve(1, points.size())) continue;
      budget_.SetLive(budget_.live() + points.size());
      out.push_back({*view.labels, {points.begin(), points.end()}});
    }
  } else if (auto* subquery = query_.As<SubqueryNode>(source)) {
    Steps inner = SubSteps(*subquery, Refer(subquery->shift), steps);
    if (inner.count == 0 || !budget_.Reserve(1, inner.count)) return {};
    Grid grid = EvalInner(*subquery, inner);
    for (size_t row = 0; row < grid.rows(); ++row) {
      auto points = PointsOf(grid.Row(row), inner);
      if (!points.empty()) out.push_back({grid.labels[row], std::move(points)});
    }
  }
  std::sort(out.begin(), out.end(),
            [](const Series& a, const Series& b) { return a.labels < b.labels; });
  return out;
}

}  // namespace rollguard::promql
