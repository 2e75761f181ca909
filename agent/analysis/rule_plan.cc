// SPDX-License-Identifier: Apache-2.0
// Splits `ratio > 0.01` into what is asked and what it is held against.
//
// Two things decide whether "nothing comes back" means that data is missing:
// - A left side that filters by itself (`a > 2 * b > 0.05`, `x and y`) is empty when all is well,
// so
//   it is not split: the whole query is asked, and empty is the healthy answer, as in Prometheus.
// - `bad / total`, where `bad` picks a part of what `total` counts, is empty when nothing bad was
//   ever counted. A share of nothing bad is zero as long as there is a total, so
//   `(bad or 0 * total) / total` is asked; no total is no data.
#include <algorithm>
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

bool Filters(const promql::Query& query, promql::NodeId id) {
  const auto* binary = query.As<promql::BinaryNode>(id);
  if (binary != nullptr) {
    if (promql::IsComparison(binary->op) && !binary->return_bool) return true;
    if (binary->op == BinaryOp::kAnd || binary->op == BinaryOp::kUnless) return true;
  }
  std::vector<promql::NodeId> children = promql::Children(query, id);
  return std::any_of(children.begin(), children.end(),
                     [&](promql::NodeId child) { return Filters(query, child); });
}

// The selector `part` picks some of what `whole` picks: the same and at least one matcher more.
bool PicksPart(const promql::SelectorNode& part, const promql::SelectorNode& whole) {
  auto has = [&](const promql::Matcher& m) {
    return std::find(part.matchers.begin(), part.matchers.end(), m) != part.matchers.end();
  };
  return part.metric == whole.metric && part.shift == whole.shift &&
         part.range_ms == whole.range_ms && part.is_range == whole.is_range &&
         part.matchers.size() > whole.matchers.size() &&
         std::all_of(whole.matchers.begin(), whole.matchers.end(), has);
}

// Sums and rates of the same shape, where only the selector of `a` is narrower than that of `b`.
bool IsPartOf(const promql::Query& query, promql::NodeId a, promql::NodeId b) {
  a = promql::SkipParens(query, a);
  b = promql::SkipParens(query, b);
  if (const auto* part = query.As<promql::SelectorNode>(a)) {
    const auto* whole = query.As<promql::SelectorNode>(b);
    return whole != nullptr && PicksPart(*part, *whole);
  }
  const auto* sum_a = query.As<promql::AggregateNode>(a);
  const auto* sum_b = query.As<promql::AggregateNode>(b);
  if (sum_a != nullptr && sum_b != nullptr) {
    return sum_a->op == promql::AggregateOp::kSum && sum_b->op == sum_a->op &&
           sum_a->without == sum_b->without && sum_a->labels == sum_b->labels &&
           IsPartOf(query, sum_a->expr, sum_b->expr);
  }
  const auto* call_a = query.As<promql::CallNode>(a);
  const auto* call_b = query.As<promql::CallNode>(b);
  return call_a != nullptr && call_b != nullptr && call_a->function == call_b->function &&
         call_a->args.size() == 1 && IsPartOf(query, call_a->args[0], call_b->args[0]);
}

std::string TextOf(const promql::Query& query, promql::NodeId id, std::string_view text) {
  promql::Span span = query[id].span;
  if (span.end <= span.begin || span.end > text.size()) return {};
  return std::string(text.substr(span.begin, span.end - span.begin));
}

// What is asked for the left side of a threshold.
std::string AskFor(const promql::Query& query, promql::NodeId id, std::string_view text) {
  const auto* ratio = query.As<promql::BinaryNode>(promql::SkipParens(query, id));
  if (ratio == nullptr || ratio->op != BinaryOp::kDiv || !(ratio->matching == promql::Matching{}) ||
      !IsPartOf(query, ratio->lhs, ratio->rhs)) {
    return TextOf(query, id, text);
  }
  std::string bad = TextOf(query, ratio->lhs, text), total = TextOf(query, ratio->rhs, text);
  if (bad.empty() || total.empty()) return TextOf(query, id, text);
  return "(" + bad + " or 0 * " + total + ") / " + total;
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
  promql::NodeId asked = left ? binary->rhs : binary->lhs;
  if (!op || Filters(query, asked)) return plan;
  std::string ask = AskFor(query, asked, text);
  if (ask.empty()) return plan;
  plan.ask = std::move(ask);
  plan.threshold = Threshold{*op, left ? *left : *right};
  return plan;
}

}  // namespace rollguard::analysis
