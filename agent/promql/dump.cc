// SPDX-License-Identifier: Apache-2.0
// The tree as indented lines: `binary / scalar 0-5`, one node each.
#include "agent/base/text.h"
#include "agent/promql/printer.h"

namespace rollguard::promql {
namespace {

std::string Shift(const TimeShift& shift) {
  std::string out;
  if (shift.at == AtKind::kStart) out += " @start";
  if (shift.at == AtKind::kEnd) out += " @end";
  if (shift.at == AtKind::kTime) out += StrCat(" @", shift.at_ms, "ms");
  if (shift.offset_ms != 0) out += StrCat(" offset=", shift.offset_ms, "ms");
  return out;
}

std::string Clause(const char* word, const std::vector<std::string>& labels) {
  return StrCat(" ", word, "(", Join(labels, ","), ")");
}

struct Head {
  std::string operator()(const NumberNode& n) const {
    return StrCat("number ", FormatNumber(n.value));
  }
  std::string operator()(const StringNode& n) const { return StrCat("string ", Quote(n.value)); }
  std::string operator()(const SelectorNode& n) const {
    std::string out = StrCat(n.is_range ? "range " : "selector ", n.metric, "{");
    for (size_t i = 0; i < n.matchers.size(); ++i) {
      const Matcher& m = n.matchers[i];
      out += StrCat(i > 0 ? "," : "", m.name, ToString(m.op), Quote(m.value));
    }
    out += '}';
    if (n.is_range) out += StrCat("[", n.range_ms, "ms]");
    return out + Shift(n.shift);
  }
  std::string operator()(const SubqueryNode& n) const {
    std::string step = n.step_ms == 0 ? "default" : StrCat(n.step_ms, "ms");
    return StrCat("subquery [", n.range_ms, "ms:", step, "]", Shift(n.shift));
  }
  std::string operator()(const ParenNode&) const { return "paren"; }
  std::string operator()(const UnaryNode& n) const { return n.negate ? "unary -" : "unary +"; }
  std::string operator()(const BinaryNode& n) const {
    const Matching& m = n.matching;
    std::string out = StrCat("binary ", ToString(n.op), n.return_bool ? " bool" : "");
    if (m.on || !m.labels.empty()) out += Clause(m.on ? "on" : "ignoring", m.labels);
    if (m.grouping == Grouping::kLeft) out += Clause("group_left", m.include);
    if (m.grouping == Grouping::kRight) out += Clause("group_right", m.include);
    return out;
  }
  std::string operator()(const CallNode& n) const {
    return StrCat("call ", n.function != nullptr ? n.function->name : "?");
  }
  std::string operator()(const AggregateNode& n) const {
    std::string out = StrCat("aggregate ", ToString(n.op));
    if (n.without || !n.labels.empty()) out += Clause(n.without ? "without" : "by", n.labels);
    return out;
  }
  std::string operator()(const PlaceholderNode& n) const { return StrCat("placeholder ", n.index); }
};

void Append(const Query& query, NodeId id, size_t depth, std::string* out) {
  const Node& node = query[id];
  *out += StrCat(std::string(depth * 2, ' '), std::visit(Head{}, node.is), "  : ",
                 Describe(node.type), " ", node.span.begin, "-", node.span.end, "\n");
  for (NodeId child : Children(query, id)) Append(query, child, depth + 1, out);
}

}  // namespace

std::string Dump(const Query& query) {
  std::string out;
  if (!query.empty()) Append(query, query.root, 0, &out);
  for (const Variable& v : query.variables) {
    out += StrCat("variable ", v.name, " ", v.span.begin, "-", v.span.end, "\n");
  }
  return out;
}

}  // namespace rollguard::promql
