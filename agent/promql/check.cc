// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/check.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/promql/labels.h"
#include "agent/promql/regex.h"

namespace rollguard::promql {
namespace {

class Checker {
 public:
  explicit Checker(const Query& query) : query_(query) {}

  std::vector<Problem> Run() {
    for (const Node& node : query_.nodes) {
      node_ = &node;
      std::visit([this](const auto& n) { Check(n); }, node.is);
    }
    return std::move(problems_);
  }

 private:
  void Check(const NumberNode&) {}
  void Check(const StringNode&) {}
  void Check(const ParenNode&) {}
  void Check(const PlaceholderNode&) {}
  void Check(const SelectorNode& n);
  void Check(const SubqueryNode& n);
  void Check(const UnaryNode& n);
  void Check(const BinaryNode& n);
  void Check(const CallNode& n);
  void Check(const AggregateNode& n);

  void CheckMatching(const BinaryNode& n, bool vectors);
  void CheckSelectsSomething(const SelectorNode& n);
  void Expect(NodeId id, ValueType want, const std::string& where);
  void Report(Span span, std::string message) { problems_.push_back({span, std::move(message)}); }
  ValueType Type(NodeId id) const { return query_[id].type; }
  bool HasVariable(const SelectorNode& n) const;

  const Query& query_;
  const Node* node_ = nullptr;
  std::vector<Problem> problems_;
};

void Checker::Expect(NodeId id, ValueType want, const std::string& where) {
  ValueType got = Type(id);
  if (got == want || got == ValueType::kNone) return;
  std::string hint;
  if (want == ValueType::kMatrix && got == ValueType::kVector) {
    hint = query_.As<SelectorNode>(SkipParens(query_, id)) != nullptr
               ? "; add a range, e.g. [5m]"
               : "; add a subquery, e.g. [5m:]";
  }
  Report(query_[id].span,
         StrCat("expected type ", Describe(want), " in ", where, ", got ", Describe(got), hint));
}

bool Checker::HasVariable(const SelectorNode& n) const {
  return std::any_of(query_.variables.begin(), query_.variables.end(), [&](const Variable& v) {
    return v.place == VariablePlace::kMatcher && query_.As<SelectorNode>(v.node) == &n;
  });
}

void Checker::CheckSelectsSomething(const SelectorNode& n) {
  if (std::any_of(n.matchers.begin(), n.matchers.end(), RefusesEmpty) || HasVariable(n)) return;
  Report(node_->span, "vector selector must contain at least one non-empty matcher");
}

void Checker::Check(const SelectorNode& n) {
  if (n.metric.empty()) return CheckSelectsSomething(n);
  for (const Matcher& m : n.matchers) {
    if (m.name != kMetricName) continue;
    Report(m.value_span,
           StrCat("metric name must not be set twice: ", Quote(n.metric), " or ", Quote(m.value)));
  }
}

void Checker::Check(const SubqueryNode& n) {
  ValueType got = Type(n.expr);
  if (got == ValueType::kVector || got == ValueType::kNone) return;
  Report(node_->span,
         StrCat("subquery is only allowed on instant vector, got ", Describe(got), " instead"));
}

void Checker::Check(const UnaryNode& n) {
  ValueType got = Type(n.expr);
  if (got == ValueType::kScalar || got == ValueType::kVector || got == ValueType::kNone) return;
  Report(node_->span, StrCat("unary expression only allowed on expressions of type scalar or "
                             "instant vector, got ",
                             Quote(Describe(got))));
}

void Checker::Check(const BinaryNode& n) {
  ValueType left = Type(n.lhs), right = Type(n.rhs);
  bool scalars = left == ValueType::kScalar && right == ValueType::kScalar;
  if (n.return_bool && !IsComparison(n.op)) {
    Report(n.op_span, "bool modifier can only be used on comparison operators");
  }
  if (IsComparison(n.op) && !n.return_bool && scalars) {
    Report(n.op_span, "comparisons between scalars must use BOOL modifier");
  }
  for (NodeId side : {n.lhs, n.rhs}) {
    ValueType type = Type(side);
    if (type == ValueType::kMatrix || type == ValueType::kString) {
      Report(query_[side].span,
             "binary expression must contain only scalar and instant vector types");
    }
  }
  if (left == ValueType::kNone || right == ValueType::kNone) return;
  CheckMatching(n, left == ValueType::kVector && right == ValueType::kVector);
  if ((left == ValueType::kScalar || right == ValueType::kScalar) && IsSetOperator(n.op)) {
    Report(n.op_span, StrCat("set operator ", Quote(ToString(n.op)),
                             " not allowed in binary scalar expression"));
  }
}

void Checker::CheckMatching(const BinaryNode& n, bool vectors) {
  const Matching& m = n.matching;
  for (const std::string& label : m.labels) {
    if (m.on && std::find(m.include.begin(), m.include.end(), label) != m.include.end()) {
      Report(n.op_span,
             StrCat("label ", Quote(label), " must not occur in ON and GROUP clause at once"));
    }
  }
  if (!vectors && !m.labels.empty()) {
    Report(node_->span, "vector matching only allowed between instant vectors");
  }
  if (vectors && IsSetOperator(n.op) && m.grouping != Grouping::kNone) {
    Report(n.op_span, StrCat("no grouping allowed for ", Quote(ToString(n.op)), " operation"));
  }
}

void Checker::Check(const CallNode& n) {
  if (n.function == nullptr) return;
  const Function& f = *n.function;
  size_t max = f.variadic > 0 ? f.MinArgs() + static_cast<size_t>(f.variadic) : n.args.size();
  std::string call = StrCat(" argument(s) in call to ", Quote(f.name), ", got ", n.args.size());
  if (f.variadic == 0 && n.args.size() != f.arg_count) {
    Report(node_->span, StrCat("expected ", f.arg_count, call));
  } else if (n.args.size() < f.MinArgs()) {
    Report(node_->span, StrCat("expected at least ", f.MinArgs(), call));
  } else if (f.variadic > 0 && n.args.size() > max) {
    Report(node_->span, StrCat("expected at most ", max, call));
  }
  for (size_t i = 0; i < n.args.size(); ++i) {
    if (i >= f.arg_count && f.variadic == 0) break;
    size_t type = std::min<size_t>(i, f.arg_count - 1U);
    Expect(n.args[i], f.arg_types[type], StrCat("call to function ", Quote(f.name)));
  }
}

void Checker::Check(const AggregateNode& n) {
  if (n.expr != kNoNode) Expect(n.expr, ValueType::kVector, "aggregation expression");
  if (n.param == kNoNode) return;
  bool text = n.op == AggregateOp::kCountValues;
  Expect(n.param, text ? ValueType::kString : ValueType::kScalar, "aggregation parameter");
}

}  // namespace

bool RefusesEmpty(const Matcher& matcher) {
  switch (matcher.op) {
    case MatchOp::kEqual: return !matcher.value.empty();
    case MatchOp::kNotEqual: return matcher.value.empty();
    case MatchOp::kRegex: return !RegexMatches(matcher.value, "");
    case MatchOp::kNotRegex: return RegexMatches(matcher.value, "");
  }
  return false;
}

std::vector<Problem> CheckQuery(const Query& query) { return Checker(query).Run(); }

}  // namespace rollguard::promql
