// SPDX-License-Identifier: Apache-2.0
// The tree walker. Private to agent/expr: eval.cc has operators and members, eval_predicates.cc the
// functions with closures.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/expr/ast.h"
#include "agent/expr/builtins.h"

namespace rollguard::expr {

struct Patterns;  // compiled regular expressions of one evaluation

// What `#`, `#index` and `#acc` stand for inside a closure.
struct Frame {
  Value item;
  int64_t index = 0;
  Value accumulator;
};

class Evaluator {
 public:
  Evaluator(const Tree& tree, CallContext& context);
  ~Evaluator();
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  Value Eval(NodeId id);

 private:
  Value Fail(std::string message) { return context_.Fail(std::move(message)); }

  Value Name(const Node& node);

  Value Pointer(const Node& node);

  std::optional<bool> Truth(const Value& value, std::string_view where);

  Value Unary(const Node& node);

  Value Chain(NodeId id);

  Value Binary(const Node& node, const Value& left);

  Value Apply(const Node& node, const Value& a, const Value& b);

  Value Ordered(const Node& node, const Value& a, const Value& b);

  Value Subtract(const Value& a, const Value& b);

  Value Multiply(const Value& a, const Value& b);

  Value Modulo(const Value& a, const Value& b);

  Value Range(const Value& a, const Value& b);

  Value In(const Node& node, const Value& needle, const Value& haystack);

  Value Matches(const Node& node, const Value& a, const Value& b);

  Value TextTest(const Node& node, const Value& a, const Value& b);

  Value Conditional(const Node& node);

  Value Let(const Node& node);

  Value OptionalChain(const Node& node);

  Value Base(const Node& node);

  Value Member(const Node& node);

  Value Element(const Value::List& list, int64_t index);

  Value Slice(const Node& node);

  Value List(const Node& node);

  Value Map(const Node& node);

  Value Method(const Node& node);

  Value Call(const Node& node);

  // Runs `body` with every element in turn, from either end, until it says false or fails.
  template <class Body>
  void Each(const Value::List& list, bool backwards, Body body) {
    frames_.emplace_back();
    for (size_t i = 0; i < list.size() && !context_.failed(); ++i) {
      size_t at = backwards ? list.size() - 1 - i : i;
      frames_.back().item = list[at];
      frames_.back().index = static_cast<int64_t>(at);
      if (!body(at)) break;
    }
    frames_.pop_back();
  }

  Value Predicate(const Node& node);

  std::optional<bool> Holds(NodeId closure);

  Value Count(std::string_view name, const Value::List& list, NodeId closure);

  Value Transform(bool map, const Value::List& list, NodeId closure);

  Value Find(std::string_view name, const Value::List& list, NodeId closure);

  Value Sum(const Value::List& list, NodeId closure);

  Value GroupBy(const Value::List& list, NodeId closure);

  Value SortBy(const Node& node, const Value::List& list, NodeId closure);

  Value Sorted(const Value::List& list, std::vector<std::pair<Value, size_t>> keys,
               bool descending);

  Value Reduce(const Node& node, const Value::List& list, NodeId closure);

  const Tree& tree_;
  CallContext& context_;
  std::vector<std::pair<const std::string*, Value>> variables_;
  std::vector<Frame> frames_;
  std::unique_ptr<Patterns> patterns_;
  bool broken_ = false;
};

}  // namespace rollguard::expr
