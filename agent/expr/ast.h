// SPDX-License-Identifier: Apache-2.0
// The tree of a condition: nodes in one vector, children before parents, so that it is copied and
// destroyed without recursion.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/expr/value.h"

namespace rollguard::expr {

using NodeId = int32_t;
inline constexpr NodeId kNoNode = -1;

enum class NodeKind : uint8_t {
  kLiteral,      // literal
  kName,         // name
  kPointer,      // name: "", "acc" or "index"
  kUnary,        // op a
  kBinary,       // a op b
  kConditional,  // a ? b : c
  kLet,          // let name = a; b
  kMember,       // a.name or a[b]; optional
  kSlice,        // a[b:c], kNoNode where left out
  kChain,        // a: where a broken optional chain ends
  kList,         // args
  kMap,          // args: key, value, key, value, ...
  kCall,         // name(args)
  kMethod,       // a.name(args)
  kPredicate,    // a: a closure, the argument of a builtin
};

enum class Op : uint8_t {
  kNone,
  kOr,
  kAnd,
  kEqual,
  kNotEqual,
  kLess,
  kGreater,
  kLessEqual,
  kGreaterEqual,
  kIn,
  kMatches,
  kContains,
  kStartsWith,
  kEndsWith,
  kRange,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kPower,
  kCoalesce,
  kNot,
  kNegate,
  kPlus,
};

const char* ToString(Op op);

struct Node {
  NodeKind kind = NodeKind::kLiteral;
  Op op = Op::kNone;
  bool optional = false;
  uint16_t depth = 1;  // a chain of left-associative operators counts as one level
  NodeId a = kNoNode;
  NodeId b = kNoNode;
  NodeId c = kNoNode;
  SourceSpan span = {};
  std::string name = {};
  Value literal = {};
  std::vector<NodeId> args = {};
};

struct Tree {
  std::string text;
  std::vector<Node> nodes;
  NodeId root = kNoNode;

  const Node& at(NodeId id) const { return nodes[static_cast<size_t>(id)]; }
};

}  // namespace rollguard::expr
