// SPDX-License-Identifier: Apache-2.0
// The walk over a query's tree: one object per evaluation. Engine is the way in.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/promql/ast.h"
#include "agent/promql/budget.h"
#include "agent/promql/cells.h"
#include "agent/promql/engine.h"
#include "agent/promql/range_functions.h"
#include "agent/promql/storage.h"

namespace rollguard::promql {

// What a node evaluates to over some steps: one of the three, as its type says.
struct Operand {
  Grid grid;                    // vector
  std::vector<double> scalars;  // scalar: one per step
  std::string text;             // string
};

// Where a selector or subquery looks, with @ resolved: the reference time of step i is
// fixed ? base : steps.At(i) + base.
struct Reference {
  bool fixed = false;
  Millis base = 0;
  Millis At(const Steps& steps, size_t i) const { return fixed ? base : steps.At(i) + base; }
};

class Evaluator {
 public:
  // `start` and `end` are the whole query's, for @ start() and @ end().
  Evaluator(const Query& query, const Querier& querier, const EngineOptions& options, Millis start,
            Millis end, std::span<const Value> given);

  // Empty after a failure; look at budget().
  Operand Eval(NodeId id, const Steps& steps);
  // A range vector by itself, as an instant query may ask: raw points, or a subquery's.
  Matrix EvalMatrix(NodeId id, Millis at);

  Budget& budget() { return budget_; }

 private:
  // Nodes (evaluator.cc).
  Operand EvalNode(NodeId id, const Steps& steps);
  Operand EvalUnary(const UnaryNode& node, const Steps& steps);
  Operand EvalBinary(const BinaryNode& node, const Steps& steps);
  Operand EvalAggregate(const AggregateNode& node, const Steps& steps);
  Operand EvalGiven(const PlaceholderNode& node, const Steps& steps);
  void FindInvariants();
  bool IsInvariant(const Node& node) const;

  // Function calls (evaluate_call.cc).
  Operand EvalCall(const CallNode& call, const Steps& steps);
  Operand EvalNumbers(const CallNode& call, const Steps& steps);
  Operand EvalTimestamp(const CallNode& call, const Steps& steps);
  Operand EvalLabels(const CallNode& call, const Steps& steps);
  std::vector<double> EvalScalar(NodeId id, const Steps& steps);
  std::string EvalText(NodeId id);

  // Samples (evaluate_selector.cc).
  std::vector<SeriesView> Select(const SelectorNode& selector, Millis from, Millis to);
  Reference Refer(const TimeShift& shift) const;
  Grid EvalSelector(const SelectorNode& selector, const Steps& steps, bool want_time);
  // The inner steps of a subquery under `steps`; count 0 when there are none.
  Steps SubSteps(const SubqueryNode& node, const Reference& reference, const Steps& steps) const;
  Grid EvalInner(const SubqueryNode& node, const Steps& inner);
  Grid EvalWindows(const CallNode& call, const Steps& steps);
  struct WindowTask;
  void FillWindows(WindowTask& task, std::span<const Point> points, Labels labels);

  const Query& query_;
  const Querier& querier_;
  const EngineOptions& options_;
  Millis start_;
  Millis end_;
  std::span<const Value> given_;
  Budget budget_;
  std::vector<bool> invariant_;  // by node: the same at every step
  int subqueries_ = 0;           // how many we are inside of
};

}  // namespace rollguard::promql
