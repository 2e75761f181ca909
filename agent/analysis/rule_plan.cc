// SPDX-License-Identifier: Apache-2.0
// Splits `ratio > 0.01` into what is asked and what it is held against.
#include <cmath>
#include <optional>
#include <utility>

#include "agent/analysis/rule_state.h"
#include "agent/promql/parser.h"

namespace rollguard::analysis {
namespace {

using promql::BinaryOp;

std::optional<double> NumberAt(const promql::Query& query, promql::NodeId id) {
  id = promql::SkipParens(query, id);
  if (const auto* number = query.As<promql::NumberNode>(id)) return number->value;
  const auto* unary = query.As<promql::UnaryNode>(id);
  if (unary == nullptr) return std::nullopt;
  const auto* number = query.As<promql::NumberNode>(promql::SkipParens(query, unary->expr));
  if (number == nullptr) return std::nullopt;
  return unary->negate ? -number->value : number->value;
}

std::optional<Threshold::Op> OpOf(BinaryOp op, bool flipped) {
  using Op = Threshold::Op;
  switch (op) {
    case BinaryOp::kGreater: return flipped ? Op::kBelow : Op::kAbove;
    case BinaryOp::kGreaterEqual: return flipped ? Op::kAtMost : Op::kAtLeast;
    case BinaryOp::kLess: return flipped ? Op::kAbove : Op::kBelow;
    case BinaryOp::kLessEqual: return flipped ? Op::kAtLeast : Op::kAtMost;
    case BinaryOp::kEqual: return Op::kEqual;
    case BinaryOp::kNotEqual: return Op::kNotEqual;
    default: return std::nullopt;
  }
}

}  // namespace

const char* ToString(Threshold::Op op) {
  switch (op) {
    case Threshold::Op::kAbove: return ">";
    case Threshold::Op::kAtLeast: return ">=";
    case Threshold::Op::kBelow: return "<";
    case Threshold::Op::kAtMost: return "<=";
    case Threshold::Op::kEqual: return "==";
    case Threshold::Op::kNotEqual: return "!=";
  }
  return "";
}

bool Breaches(const Threshold& threshold, double value) {
  switch (threshold.op) {
    case Threshold::Op::kAbove: return value > threshold.value;
    case Threshold::Op::kAtLeast: return value >= threshold.value;
    case Threshold::Op::kBelow: return value < threshold.value;
    case Threshold::Op::kAtMost: return value <= threshold.value;
    case Threshold::Op::kEqual: return value == threshold.value;
    case Threshold::Op::kNotEqual: return value != threshold.value;
  }
  return false;
}

RulePlan PlanRule(std::string_view text) {
  RulePlan plan;
  plan.ask = std::string(text);
  auto parsed = promql::Parse(text, {.variables = true});
  if (!parsed.ok()) return plan;
  const promql::Query& query = parsed.query;
  promql::NodeId root = promql::SkipParens(query, query.root);
  const auto* binary = query.As<promql::BinaryNode>(root);
  if (binary == nullptr || binary->return_bool || !promql::IsComparison(binary->op)) return plan;
  auto right = NumberAt(query, binary->rhs);
  auto left = NumberAt(query, binary->lhs);
  if (right.has_value() == left.has_value()) return plan;
  auto op = OpOf(binary->op, left.has_value());
  promql::Span span = query[left ? binary->rhs : binary->lhs].span;
  if (!op || span.end <= span.begin || span.end > text.size()) return plan;
  plan.ask = std::string(text.substr(span.begin, span.end - span.begin));
  plan.threshold = Threshold{*op, left ? *left : *right};
  return plan;
}

}  // namespace rollguard::analysis
