// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/evaluator.h"

#include <algorithm>
#include <limits>

#include "agent/base/text.h"
#include "agent/promql/aggregate.h"
#include "agent/promql/binary.h"
#include "agent/promql/key_table.h"

namespace rollguard::promql {
namespace {

// Turns what was evaluated at one step into `width` equal steps.
void Spread(Operand& operand, size_t width) {
  if (!operand.scalars.empty()) operand.scalars.assign(width, operand.scalars[0]);
  Grid& grid = operand.grid;
  std::vector<double> cells;
  cells.reserve(grid.rows() * width);
  for (double cell : grid.cells) cells.insert(cells.end(), width, cell);
  grid.cells = std::move(cells);
  grid.width = width;
}

size_t CellsOf(const Operand& operand) {
  return operand.grid.cells.size() + operand.scalars.size();
}

}  // namespace

Evaluator::Evaluator(const Query& query, const Querier& querier, const EngineOptions& options,
                     Millis start, Millis end, std::span<const Value> given)
    : query_(query),
      querier_(querier),
      options_(options),
      start_(start),
      end_(end),
      given_(given),
      budget_(options.max_samples, options.max_work, options.expired) {
  FindInvariants();
}

void Evaluator::FindInvariants() {
  // Children stand before their parents.
  invariant_.resize(query_.nodes.size());
  for (size_t id = 0; id < query_.nodes.size(); ++id) {
    invariant_[id] = IsInvariant(query_.nodes[id]);
  }
}

bool Evaluator::IsInvariant(const Node& node) const {
  auto known = [&](NodeId id) { return id == kNoNode || invariant_[id]; };
  if (auto* selector = std::get_if<SelectorNode>(&node.is)) {
    return selector->shift.at != AtKind::kNone;
  }
  if (auto* subquery = std::get_if<SubqueryNode>(&node.is)) {
    return subquery->shift.at != AtKind::kNone;
  }
  if (auto* paren = std::get_if<ParenNode>(&node.is)) return known(paren->expr);
  if (auto* unary = std::get_if<UnaryNode>(&node.is)) return known(unary->expr);
  if (auto* binary = std::get_if<BinaryNode>(&node.is)) {
    return known(binary->lhs) && known(binary->rhs);
  }
  if (auto* aggregate = std::get_if<AggregateNode>(&node.is)) {
    // Prometheus 2.42 looks at the operand alone and takes the parameter of the first step for all.
    return known(aggregate->expr) && (!options_.version3 || known(aggregate->param));
  }
  if (auto* call = std::get_if<CallNode>(&node.is)) {
    if (call->args.empty()) return call->function->id == FunctionId::kPi;
    switch (call->function->id) {
      case FunctionId::kTimestamp:
      case FunctionId::kPredictLinear: return false;
      default: return std::all_of(call->args.begin(), call->args.end(), known);
    }
  }
  return !std::holds_alternative<PlaceholderNode>(node.is);
}

Operand Evaluator::Eval(NodeId id, const Steps& steps) {
  size_t before = budget_.live();
  if (budget_.failed() || !budget_.Work(1)) return {};
  Operand result;
  if (steps.count > 1 && invariant_[id]) {
    result = EvalNode(id, {steps.start, steps.step, 1});
    budget_.SetLive(before);
    if (budget_.failed() || !budget_.Reserve(CellsOf(result), steps.count)) return {};
    Spread(result, steps.count);
  } else {
    result = EvalNode(id, steps);
  }
  if (budget_.failed()) return {};
  budget_.SetLive(before + CellsOf(result));
  return result;
}

Operand Evaluator::EvalNode(NodeId id, const Steps& steps) {
  const Node& node = query_[id];
  if (auto* number = std::get_if<NumberNode>(&node.is)) {
    return {{}, std::vector<double>(steps.count, number->value), {}};
  }
  if (auto* string = std::get_if<StringNode>(&node.is)) return {{}, {}, string->value};
  if (auto* selector = std::get_if<SelectorNode>(&node.is)) {
    return {EvalSelector(*selector, steps, false), {}, {}};
  }
  if (auto* paren = std::get_if<ParenNode>(&node.is)) return Eval(paren->expr, steps);
  if (auto* unary = std::get_if<UnaryNode>(&node.is)) return EvalUnary(*unary, steps);
  if (auto* binary = std::get_if<BinaryNode>(&node.is)) return EvalBinary(*binary, steps);
  if (auto* call = std::get_if<CallNode>(&node.is)) return EvalCall(*call, steps);
  if (auto* aggregate = std::get_if<AggregateNode>(&node.is)) {
    return EvalAggregate(*aggregate, steps);
  }
  if (auto* given = std::get_if<PlaceholderNode>(&node.is)) return EvalGiven(*given, steps);
  budget_.Fail("a range vector cannot be evaluated here", ErrorCode::kInternal);
  return {};
}

Operand Evaluator::EvalUnary(const UnaryNode& node, const Steps& steps) {
  Operand operand = Eval(node.expr, steps);
  if (!node.negate || budget_.failed()) return operand;
  for (double& v : operand.scalars) v = -v;
  for (double& cell : operand.grid.cells) {
    if (!IsAbsent(cell)) cell = -cell;
  }
  for (Labels& labels : operand.grid.labels) labels = labels.WithoutName();
  MergeRows(operand.grid, budget_, {.whole_rows = true});
  return operand;
}

Operand Evaluator::EvalBinary(const BinaryNode& node, const Steps& steps) {
  Operand lhs = Eval(node.lhs, steps);
  Operand rhs = Eval(node.rhs, steps);
  if (budget_.failed()) return {};
  bool left_scalar = query_[node.lhs].type == ValueType::kScalar;
  bool right_scalar = query_[node.rhs].type == ValueType::kScalar;
  if (left_scalar && right_scalar) {
    return {{}, ScalarBinary(node.op, lhs.scalars, rhs.scalars), {}};
  }
  if (left_scalar) {
    return {VectorScalarBinary(node, std::move(rhs.grid), lhs.scalars, true, budget_), {}, {}};
  }
  if (right_scalar) {
    return {VectorScalarBinary(node, std::move(lhs.grid), rhs.scalars, false, budget_), {}, {}};
  }
  if (IsSetOperator(node.op)) {
    return {SetBinary(node, std::move(lhs.grid), std::move(rhs.grid), budget_), {}, {}};
  }
  return {VectorBinary(node, lhs.grid, rhs.grid, budget_), {}, {}};
}

Operand Evaluator::EvalAggregate(const AggregateNode& node, const Steps& steps) {
  AggregateInput input;
  input.node = &node;
  input.version3 = options_.version3;
  Operand parameter;
  if (node.param != kNoNode) parameter = Eval(node.param, steps);
  Operand operand = Eval(node.expr, steps);
  if (budget_.failed()) return {};
  input.parameter = parameter.scalars;
  input.label = parameter.text;
  input.grid = std::move(operand.grid);
  return {Aggregate(std::move(input), budget_), {}, {}};
}

Operand Evaluator::EvalGiven(const PlaceholderNode& node, const Steps& steps) {
  if (node.index >= given_.size() || steps.count != 1 || subqueries_ > 0) {
    budget_.Fail("a value that was asked for elsewhere is used where it does not hold",
                 ErrorCode::kInternal);
    return {};
  }
  const Value& value = given_[node.index];
  if (auto* scalar = std::get_if<Scalar>(&value)) return {{}, {scalar->v}, {}};
  Operand operand;
  if (auto* vector = std::get_if<Vector>(&value)) {
    for (const Sample& sample : *vector) AddRow(operand.grid, sample.labels)[0] = sample.v;
  }
  return operand;
}

}  // namespace rollguard::promql
