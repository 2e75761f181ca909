// SPDX-License-Identifier: Apache-2.0
// A PromQL expression as a value: nodes in one array, children named by index.
//
// Why an array and not a tree of pointers: a query is copied, bound and rewritten once per guard;
// copying is a vector copy, destroying never recurses, and a node's place in the array is a key
// under which the engine and the folder keep what they know about it. Children always come before
// their parents in the array of a parsed query; `root` is the last. Rewritten queries keep
// "children before parents" but may hold nodes that nothing refers to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/promql/functions.h"

namespace rollguard::promql {

// Bytes [begin, end) of the expression's text. Both 0 for nodes that were not written by anyone.
struct Span {
  uint32_t begin = 0;
  uint32_t end = 0;
  friend bool operator==(const Span&, const Span&) = default;
};

// Line, column (in characters, 1-based) and length of `span` in `text`.
SourceSpan Locate(std::string_view text, Span span);

// The height of a tree never exceeds this; whoever walks a query may recurse.
inline constexpr uint32_t kMaxQueryHeight = 500;
inline constexpr size_t kMaxQueryBytes = 256U << 10;

using NodeId = uint32_t;
inline constexpr NodeId kNoNode = UINT32_MAX;

enum class MatchOp : uint8_t { kEqual, kNotEqual, kRegex, kNotRegex };

// name OP "value". Regular expressions are anchored at both ends.
struct Matcher {
  MatchOp op = MatchOp::kEqual;
  std::string name;
  std::string value;
  Span value_span;

  friend bool operator==(const Matcher& a, const Matcher& b) {
    return a.op == b.op && a.name == b.name && a.value == b.value;
  }
};

// `=`, `!=`, `=~`, `!~`.
const char* ToString(MatchOp op);

enum class AtKind : uint8_t { kNone, kTime, kStart, kEnd };

// `offset D` (negative: into the future) and `@ T`.
struct TimeShift {
  int64_t offset_ms = 0;
  int64_t at_ms = 0;  // meaningful for AtKind::kTime
  AtKind at = AtKind::kNone;

  friend bool operator==(const TimeShift&, const TimeShift&) = default;
};

struct NumberNode {
  double value = 0;
};

struct StringNode {
  std::string value;
};

// metric{matchers}, with [range] when `is_range`. `metric` empty: no name before the braces; a
// matcher on __name__ may then be among the matchers. The metric is not repeated in `matchers`.
struct SelectorNode {
  std::string metric;
  std::vector<Matcher> matchers;
  TimeShift shift;
  int64_t range_ms = 0;
  bool is_range = false;
};

// expr[range:step]; step 0: the evaluation's default.
struct SubqueryNode {
  NodeId expr = kNoNode;
  int64_t range_ms = 0;
  int64_t step_ms = 0;
  TimeShift shift;
};

struct ParenNode {
  NodeId expr = kNoNode;
};

struct UnaryNode {
  bool negate = true;  // false for `+`
  NodeId expr = kNoNode;
};

enum class BinaryOp : uint8_t {
  kOr,
  kAnd,
  kUnless,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kAtan2,
  kPow,
};

const char* ToString(BinaryOp op);
inline bool IsComparison(BinaryOp op) {
  return op >= BinaryOp::kEqual && op <= BinaryOp::kGreaterEqual;
}
inline bool IsSetOperator(BinaryOp op) { return op <= BinaryOp::kUnless; }

enum class Grouping : uint8_t { kNone, kLeft, kRight };

// How elements of two vectors find each other. The default is `ignoring ()`: all labels but the
// name. Set operators are many-to-many whatever `grouping` says (it is kNone there).
struct Matching {
  bool on = false;
  std::vector<std::string> labels;
  Grouping grouping = Grouping::kNone;
  std::vector<std::string> include;  // group_left(...) / group_right(...)

  friend bool operator==(const Matching&, const Matching&) = default;
};

struct BinaryNode {
  BinaryOp op = BinaryOp::kAdd;
  bool return_bool = false;
  NodeId lhs = kNoNode;
  NodeId rhs = kNoNode;
  Matching matching;  // only between two vectors
  Span op_span;
};

struct CallNode {
  const Function* function = nullptr;  // never null in a query without errors
  std::vector<NodeId> args;
};

enum class AggregateOp : uint8_t {
  kSum,
  kAvg,
  kMin,
  kMax,
  kCount,
  kGroup,
  kStddev,
  kStdvar,
  kTopk,
  kBottomk,
  kCountValues,
  kQuantile,
};

const char* ToString(AggregateOp op);
inline bool TakesParameter(AggregateOp op) { return op >= AggregateOp::kTopk; }

struct AggregateNode {
  AggregateOp op = AggregateOp::kSum;
  bool without = false;
  std::vector<std::string> labels;  // as written; by () and no clause are the same
  NodeId param = kNoNode;
  NodeId expr = kNoNode;
};

// A value that is handed to the engine from outside: result number `index` of a folded request.
// Never made by the parser.
struct PlaceholderNode {
  uint32_t index = 0;
  ValueType type = ValueType::kVector;
};

struct Node {
  std::variant<NumberNode, StringNode, SelectorNode, SubqueryNode, ParenNode, UnaryNode, BinaryNode,
               CallNode, AggregateNode, PlaceholderNode>
      is;
  Span span;
  ValueType type = ValueType::kNone;
};

// One `$name` in a query parsed with ParseOptions::variables; the name "$" is an escaped `$$`.
// Where it stands:
enum class VariablePlace : uint8_t { kMatcher, kRange, kStep, kOffset };

struct Variable {
  std::string name;
  Span span;  // of `$name` in the text
  NodeId node = kNoNode;
  VariablePlace place = VariablePlace::kMatcher;
  uint32_t matcher = 0;  // kMatcher: which one
  uint32_t begin = 0;    // kMatcher: bytes [begin, end) of the matcher's (unescaped) value
  uint32_t end = 0;
  bool negative = false;  // kOffset: `offset -$name`
};

// A parsed expression. A value type; thread-compatible. While `variables` is not empty the query
// is a template: durations that are variables read as 0, and it must be bound before evaluation.
struct Query {
  std::vector<Node> nodes;
  NodeId root = kNoNode;
  std::vector<Variable> variables;

  bool empty() const { return root == kNoNode; }
  const Node& operator[](NodeId id) const { return nodes[id]; }
  Node& operator[](NodeId id) { return nodes[id]; }
  const Node& Root() const { return nodes[root]; }
  ValueType type() const { return empty() ? ValueType::kNone : Root().type; }

  // Appends a node and returns its id.
  template <class T>
  NodeId Add(T is, ValueType node_type, Span span = {}) {
    nodes.push_back(Node{std::move(is), span, node_type});
    return static_cast<NodeId>(nodes.size() - 1);
  }
  template <class T>
  const T* As(NodeId id) const {
    return std::get_if<T>(&nodes[id].is);
  }
};

// The children of a node in the order in which they are written: at most two, or a call's
// arguments.
std::vector<NodeId> Children(const Query& query, NodeId id);

// `id` or what stands in the parentheses around it.
NodeId SkipParens(const Query& query, NodeId id);

// Same meaning node by node; spans and parentheses do not count.
bool SameTree(const Query& a, NodeId at_a, const Query& b, NodeId at_b);

}  // namespace rollguard::promql
