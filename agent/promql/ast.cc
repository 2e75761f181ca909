// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/ast.h"

#include <algorithm>
#include <bit>

namespace rollguard::promql {
namespace {

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

uint32_t Characters(std::string_view text) {
  return static_cast<uint32_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

bool Same(const NumberNode& a, const NumberNode& b) {
  return std::bit_cast<uint64_t>(a.value) == std::bit_cast<uint64_t>(b.value);
}
bool Same(const StringNode& a, const StringNode& b) { return a.value == b.value; }
bool Same(const SelectorNode& a, const SelectorNode& b) {
  return a.metric == b.metric && a.matchers == b.matchers && a.shift == b.shift &&
         a.range_ms == b.range_ms && a.is_range == b.is_range;
}
bool Same(const SubqueryNode& a, const SubqueryNode& b) {
  return a.range_ms == b.range_ms && a.step_ms == b.step_ms && a.shift == b.shift;
}
bool Same(const ParenNode&, const ParenNode&) { return true; }
bool Same(const UnaryNode& a, const UnaryNode& b) { return a.negate == b.negate; }
bool Same(const BinaryNode& a, const BinaryNode& b) {
  return a.op == b.op && a.return_bool == b.return_bool && a.matching == b.matching;
}
bool Same(const CallNode& a, const CallNode& b) { return a.function == b.function; }
bool Same(const AggregateNode& a, const AggregateNode& b) {
  return a.op == b.op && a.without == b.without && a.labels == b.labels;
}
bool Same(const PlaceholderNode& a, const PlaceholderNode& b) {
  return a.index == b.index && a.type == b.type;
}

// The nodes themselves, not their children.
bool SameNode(const Node& a, const Node& b) {
  if (a.is.index() != b.is.index()) return false;
  return std::visit(
      [&b](const auto& left) { return Same(left, std::get<std::decay_t<decltype(left)>>(b.is)); },
      a.is);
}

struct ChildLister {
  std::vector<NodeId> operator()(const SubqueryNode& n) const { return {n.expr}; }
  std::vector<NodeId> operator()(const ParenNode& n) const { return {n.expr}; }
  std::vector<NodeId> operator()(const UnaryNode& n) const { return {n.expr}; }
  std::vector<NodeId> operator()(const BinaryNode& n) const { return {n.lhs, n.rhs}; }
  std::vector<NodeId> operator()(const CallNode& n) const { return n.args; }
  std::vector<NodeId> operator()(const AggregateNode& n) const {
    if (n.param == kNoNode) return {n.expr};
    return {n.param, n.expr};
  }
  template <class Leaf>
  std::vector<NodeId> operator()(const Leaf&) const {
    return {};
  }
};

}  // namespace

SourceSpan Locate(std::string_view text, Span span) {
  size_t begin = std::min<size_t>(span.begin, text.size());
  size_t end = std::clamp<size_t>(span.end, begin, text.size());
  std::string_view before = text.substr(0, begin);
  size_t newline = before.rfind('\n');
  size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
  SourceSpan place;
  place.line = static_cast<uint32_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  place.column = Characters(before.substr(line_start)) + 1;
  place.length = std::max<uint32_t>(1, Characters(text.substr(begin, end - begin)));
  return place;
}

const char* ToString(MatchOp op) {
  switch (op) {
    case MatchOp::kEqual: return "=";
    case MatchOp::kNotEqual: return "!=";
    case MatchOp::kRegex: return "=~";
    case MatchOp::kNotRegex: return "!~";
  }
  return "=";
}

const char* ToString(BinaryOp op) {
  static constexpr const char* kNames[] = {"or", "and", "unless", "==", "!=", "<", "<=",    ">",
                                           ">=", "+",   "-",      "*",  "/",  "%", "atan2", "^"};
  return kNames[static_cast<size_t>(op)];
}

const char* ToString(AggregateOp op) {
  static constexpr const char* kNames[] = {"sum",   "avg",     "min",          "max",
                                           "count", "group",   "stddev",       "stdvar",
                                           "topk",  "bottomk", "count_values", "quantile"};
  return kNames[static_cast<size_t>(op)];
}

std::vector<NodeId> Children(const Query& query, NodeId id) {
  return std::visit(ChildLister{}, query[id].is);
}

NodeId SkipParens(const Query& query, NodeId id) {
  while (const auto* paren = query.As<ParenNode>(id)) id = paren->expr;
  return id;
}

bool SameTree(const Query& a, NodeId at_a, const Query& b, NodeId at_b) {
  at_a = SkipParens(a, at_a);
  at_b = SkipParens(b, at_b);
  if (!SameNode(a[at_a], b[at_b])) return false;
  std::vector<NodeId> left = Children(a, at_a), right = Children(b, at_b);
  if (left.size() != right.size()) return false;
  for (size_t i = 0; i < left.size(); ++i) {
    if (!SameTree(a, left[i], b, right[i])) return false;
  }
  return true;
}

}  // namespace rollguard::promql
