// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/engine.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/promql/evaluator.h"
#include "agent/promql/key_table.h"

namespace rollguard::promql {
namespace {

Vector ToVector(Grid grid, Millis at) {
  Vector out;
  out.reserve(grid.rows());
  for (size_t row = 0; row < grid.rows(); ++row) {
    if (!IsAbsent(grid.cells[row])) {
      out.push_back({std::move(grid.labels[row]), at, grid.cells[row]});
    }
  }
  return out;
}

Matrix ToMatrix(Grid grid, const Steps& steps) {
  Matrix out;
  out.reserve(grid.rows());
  for (size_t row = 0; row < grid.rows(); ++row) {
    std::vector<Point> points;
    auto cells = grid.Row(row);
    points.reserve(cells.size());
    for (size_t i = 0; i < cells.size(); ++i) {
      if (!IsAbsent(cells[i])) points.push_back({steps.At(i), cells[i]});
    }
    if (!points.empty()) out.push_back({std::move(grid.labels[row]), std::move(points)});
  }
  std::sort(out.begin(), out.end(),
            [](const Series& a, const Series& b) { return a.labels < b.labels; });
  return out;
}

Expected<Value> Finish(Evaluator& evaluator, Value value) {
  if (evaluator.budget().failed()) return evaluator.budget().error();
  return value;
}

Status CheckQuery(const Query& query) {
  if (query.empty()) return Error(ErrorCode::kInvalid, "no expression found in input");
  if (!query.variables.empty()) {
    return Error(ErrorCode::kInvalid,
                 "variable $" + query.variables.front().name + " is not bound to a value");
  }
  return {};
}

}  // namespace

Expected<Value> Engine::Instant(const Query& query, Time at, std::span<const Value> given) const {
  if (Status status = CheckQuery(query); !status) return status.error();
  Millis t = ToUnixMillis(at);
  Evaluator evaluator(query, *querier_, options_, t, t, given);
  if (query.type() == ValueType::kMatrix) {
    return Finish(evaluator, evaluator.EvalMatrix(query.root, t));
  }
  Operand result = evaluator.Eval(query.root, {t, 1, 1});
  if (evaluator.budget().failed()) return evaluator.budget().error();
  switch (query.type()) {
    case ValueType::kScalar: return Value(Scalar{t, result.scalars[0]});
    case ValueType::kString: return Value(StringValue{t, std::move(result.text)});
    default: return Value(ToVector(std::move(result.grid), t));
  }
}

Expected<Value> Engine::Range(const Query& query, Time start, Time end, Duration step,
                              std::span<const Value> given) const {
  if (Status status = CheckQuery(query); !status) return status.error();
  if (query.type() != ValueType::kScalar && query.type() != ValueType::kVector) {
    return Error(ErrorCode::kInvalid,
                 StrCat("invalid expression type ", Quote(Describe(query.type())),
                        " for range query, must be Scalar or instant Vector"));
  }
  if (step.count() <= 0) {
    return Error(ErrorCode::kInvalid,
                 "zero or negative query resolution step widths are not accepted. Try a positive "
                 "integer");
  }
  if (end < start) {
    return Error(ErrorCode::kInvalid, "end timestamp must not be before start time");
  }
  Steps steps{ToUnixMillis(start), step.count(),
              static_cast<size_t>((end - start).count() / step.count()) + 1};
  Evaluator evaluator(query, *querier_, options_, steps.start, ToUnixMillis(end), given);
  if (!evaluator.budget().Reserve(1, steps.count)) return evaluator.budget().error();
  Operand result = evaluator.Eval(query.root, steps);
  if (evaluator.budget().failed()) return evaluator.budget().error();
  if (query.type() == ValueType::kScalar) {
    result.grid = Grid{steps.count, {Labels()}, std::move(result.scalars)};
  }
  if (!evaluator.budget().Reserve(result.grid.rows(), 2 * steps.count)) {
    return evaluator.budget().error();
  }
  Matrix matrix = ToMatrix(std::move(result.grid), steps);
  return Value(std::move(matrix));
}

}  // namespace rollguard::promql
