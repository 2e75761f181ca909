// SPDX-License-Identifier: Apache-2.0
// Stack use is bounded by the nesting of the tree, since left-associative chains are loops; time
// and memory by the budgets of the CallContext.
#include "agent/expr/eval.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "agent/base/text.h"
#include "agent/expr/evaluator.h"

namespace rollguard::expr {

struct Patterns {
  std::map<std::string, RE2> compiled;
};

Evaluator::Evaluator(const Tree& tree, CallContext& context)
    : tree_(tree), context_(context), patterns_(std::make_unique<Patterns>()) {}
Evaluator::~Evaluator() = default;

Value Evaluator::Eval(NodeId id) {
  if (context_.failed() || !context_.Step()) return {};
  const Node& node = tree_.at(id);
  switch (node.kind) {
    case NodeKind::kLiteral: return node.literal;
    case NodeKind::kName: return Name(node);
    case NodeKind::kPointer: return Pointer(node);
    case NodeKind::kUnary: return Unary(node);
    case NodeKind::kBinary: return Chain(id);
    case NodeKind::kConditional: return Conditional(node);
    case NodeKind::kLet: return Let(node);
    case NodeKind::kMember: return Member(node);
    case NodeKind::kSlice: return Slice(node);
    case NodeKind::kChain: return OptionalChain(node);
    case NodeKind::kList: return List(node);
    case NodeKind::kMap: return Map(node);
    case NodeKind::kCall: return Call(node);
    case NodeKind::kMethod: return Method(node);
    case NodeKind::kPredicate: return Eval(node.a);
  }
  return {};
}

Value Evaluator::Name(const Node& node) {
  for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
    if (*it->first == node.name) return it->second;
  }
  if (node.name == "result") return context_.env().result;
  if (node.name == "series") return context_.env().series;
  return Value(
      Value::Map{{"result", context_.env().result}, {"series", context_.env().series}});  // $env
}

Value Evaluator::Pointer(const Node& node) {
  const Frame& frame = frames_.back();
  if (node.name == "index") return Value(frame.index);
  return node.name == "acc" ? frame.accumulator : frame.item;
}

std::optional<bool> Evaluator::Truth(const Value& value, std::string_view where) {
  if (value.is_bool()) return value.AsBool();
  if (!context_.failed()) Fail(StrCat("expected bool, but got ", value.TypeName(), " in ", where));
  return std::nullopt;
}

Value Evaluator::Unary(const Node& node) {
  Value value = Eval(node.a);
  if (context_.failed()) return {};
  if (node.op == Op::kNot) {
    auto truth = Truth(value, "!");
    return truth ? Value(!*truth) : Value();
  }
  if (!value.is_number()) {
    return Fail(StrCat("invalid operation: ", ToString(node.op), " (mismatched type ",
                       value.TypeName(), ")"));
  }
  if (node.op == Op::kPlus) return value;
  if (value.is_float()) return Value(-value.AsFloat());
  return Value(static_cast<int64_t>(0 - static_cast<uint64_t>(value.AsInt())));
}

Value Evaluator::Chain(NodeId id) {
  std::vector<NodeId> spine;
  while (tree_.at(id).kind == NodeKind::kBinary) {
    spine.push_back(id);
    id = tree_.at(id).a;
  }
  Value left = Eval(id);
  for (auto it = spine.rbegin(); it != spine.rend() && !context_.failed(); ++it)
    left = Binary(tree_.at(*it), left);
  return left;
}

// The right side is evaluated only where it counts.
Value Evaluator::Binary(const Node& node, const Value& left) {
  if (node.op == Op::kOr || node.op == Op::kAnd) {
    auto truth = Truth(left, ToString(node.op));
    if (!truth) return {};
    if (*truth == (node.op == Op::kOr)) return Value(*truth);
    auto second = Truth(Eval(node.b), ToString(node.op));
    return second ? Value(*second) : Value();
  }
  if (node.op == Op::kCoalesce) return left.is_nil() ? Eval(node.b) : left;
  Value right = Eval(node.b);
  if (context_.failed() || !context_.Step()) return {};
  return Apply(node, left, right);
}

Value Evaluator::Apply(const Node& node, const Value& a, const Value& b) {
  switch (node.op) {
    case Op::kEqual: return Value(a == b);
    case Op::kNotEqual: return Value(!(a == b));
    case Op::kLess:
    case Op::kGreater:
    case Op::kLessEqual:
    case Op::kGreaterEqual: return Ordered(node, a, b);
    case Op::kIn: return In(node, a, b);
    case Op::kMatches: return Matches(node, a, b);
    case Op::kContains:
    case Op::kStartsWith:
    case Op::kEndsWith: return TextTest(node, a, b);
    case Op::kRange: return Range(a, b);
    case Op::kAdd: return Add(a, b, context_);
    case Op::kSubtract: return Subtract(a, b);
    case Op::kMultiply: return Multiply(a, b);
    case Op::kDivide:
    case Op::kPower: {
      if (!a.is_number() || !b.is_number()) return Mismatch(ToString(node.op), a, b, context_);
      return Value(node.op == Op::kDivide ? a.AsNumber() / b.AsNumber()
                                          : std::pow(a.AsNumber(), b.AsNumber()));
    }
    case Op::kModulo: return Modulo(a, b);
    case Op::kNone:
    case Op::kOr:
    case Op::kAnd:
    case Op::kCoalesce:
    case Op::kNot:
    case Op::kNegate:
    case Op::kPlus: break;
  }
  return {};
}

Value Evaluator::Ordered(const Node& node, const Value& a, const Value& b) {
  int order = Compare(a, b, ToString(node.op), context_);
  if (order == 2) return Value(false);
  switch (node.op) {
    case Op::kLess: return Value(order < 0);
    case Op::kGreater: return Value(order > 0);
    case Op::kLessEqual: return Value(order <= 0);
    default: return Value(order >= 0);
  }
}

Value Evaluator::Subtract(const Value& a, const Value& b) {
  if (a.is_int() && b.is_int()) {
    return Value(
        static_cast<int64_t>(static_cast<uint64_t>(a.AsInt()) - static_cast<uint64_t>(b.AsInt())));
  }
  if (a.is_number() && b.is_number()) return Value(a.AsNumber() - b.AsNumber());
  if (a.is_time() && b.is_time()) return Value(Between(a.AsTime(), b.AsTime()));
  auto minus = [](Value::Nanoseconds d) {
    return Value::Nanoseconds(static_cast<int64_t>(0 - static_cast<uint64_t>(d.count())));
  };
  if (a.is_time() && b.is_duration()) return Value(Shift(a.AsTime(), minus(b.AsDuration())));
  if (a.is_duration() && b.is_duration()) return Value(Plus(a.AsDuration(), minus(b.AsDuration())));
  return Mismatch("-", a, b, context_);
}

Value Evaluator::Multiply(const Value& a, const Value& b) {
  if (a.is_int() && b.is_int()) {
    return Value(
        static_cast<int64_t>(static_cast<uint64_t>(a.AsInt()) * static_cast<uint64_t>(b.AsInt())));
  }
  if (a.is_number() && b.is_number()) return Value(a.AsNumber() * b.AsNumber());
  return Mismatch("*", a, b, context_);
}

Value Evaluator::Modulo(const Value& a, const Value& b) {
  if (!a.is_int() || !b.is_int()) return Mismatch("%", a, b, context_);
  if (b.AsInt() == 0) return Fail("integer divide by zero");
  return b.AsInt() == -1 ? Value(0) : Value(a.AsInt() % b.AsInt());
}

Value Evaluator::Range(const Value& a, const Value& b) {
  if (!a.is_int() || !b.is_int()) return Mismatch("..", a, b, context_);
  int64_t from = a.AsInt();
  int64_t to = b.AsInt();
  if (from > to) return Value(Value::List{});
  uint64_t size = static_cast<uint64_t>(to) - static_cast<uint64_t>(from);
  if (size >= static_cast<uint64_t>(kMaxElements)) size = static_cast<uint64_t>(kMaxElements);
  if (!context_.Charge(static_cast<int64_t>(size) + 1)) return {};
  Value::List list;
  list.reserve(size + 1);
  for (int64_t i = from; i <= to; ++i) list.emplace_back(i);
  return Value(std::move(list));
}

Value Evaluator::In(const Node& node, const Value& needle, const Value& haystack) {
  if (haystack.is_nil()) return Value(false);
  if (haystack.is_map()) {
    if (!needle.is_string())
      return needle.is_nil() ? Value(false) : Mismatch("in", needle, haystack, context_);
    return Value(haystack.Find(needle.AsString()) != nullptr);
  }
  if (!haystack.is_list()) return Mismatch(ToString(node.op), needle, haystack, context_);
  for (const Value& item : haystack.AsList()) {
    if (!context_.Step()) return {};
    if (item == needle) return Value(true);
  }
  return Value(false);
}

Value Evaluator::Matches(const Node& node, const Value& a, const Value& b) {
  if (a.is_nil() || b.is_nil()) return Value(false);
  if (!a.is_string() || !b.is_string()) return Mismatch(ToString(node.op), a, b, context_);
  auto found = patterns_->compiled.find(b.AsString());
  if (found == patterns_->compiled.end()) {
    if (!context_.Charge(1000)) return {};
    RE2::Options options(RE2::Quiet);
    options.set_max_mem(1 << 20);
    found = patterns_->compiled.try_emplace(b.AsString(), b.AsString(), options).first;
  }
  const RE2& re = found->second;
  if (!re.ok())
    return Fail(StrCat("bad regular expression ", Quote(b.AsString()), ": ", re.error()));
  return Value(RE2::PartialMatch(a.AsString(), re));
}

Value Evaluator::TextTest(const Node& node, const Value& a, const Value& b) {
  if (a.is_nil() || b.is_nil()) return Value(false);
  if (!a.is_string() || !b.is_string()) return Mismatch(ToString(node.op), a, b, context_);
  const std::string& text = a.AsString();
  if (node.op == Op::kContains) return Value(text.find(b.AsString()) != std::string::npos);
  return Value(node.op == Op::kStartsWith ? text.starts_with(b.AsString())
                                          : text.ends_with(b.AsString()));
}

Value Evaluator::Conditional(const Node& node) {
  Value condition = Eval(node.a);
  if (context_.failed()) return {};
  auto truth = Truth(condition, "?:");
  if (!truth) return {};
  return Eval(*truth ? node.b : node.c);
}

Value Evaluator::Let(const Node& node) {
  Value value = Eval(node.a);
  variables_.emplace_back(&node.name, std::move(value));
  Value body = Eval(node.b);
  variables_.pop_back();
  return body;
}

// Inside an optional chain a nil base ends the whole chain: broken_ is seen by every link above,
// up to the kChain node.
Value Evaluator::OptionalChain(const Node& node) {
  Value value = Eval(node.a);
  if (!broken_) return value;
  broken_ = false;
  return {};
}

Value Evaluator::Base(const Node& node) {
  Value base = Eval(node.a);
  if (!broken_ && node.optional && base.is_nil()) broken_ = true;
  return base;
}

Value Evaluator::Member(const Node& node) {
  Value base = Base(node);
  if (context_.failed() || broken_) return {};
  Value key = node.b == kNoNode ? Value(node.name) : Eval(node.b);
  if (context_.failed()) return {};
  if (base.is_list() && key.is_int()) return Element(base.AsList(), key.AsInt());
  if (base.is_map()) {
    const Value* found = base.Find(KeyOf(key));
    return found == nullptr ? Value() : *found;
  }
  return Fail(StrCat("cannot fetch ", key.ToText(), " from ", base.TypeName()));
}

Value Evaluator::Element(const Value::List& list, int64_t index) {
  auto size = static_cast<int64_t>(list.size());
  int64_t at = index < 0 ? size + index : index;
  if (at < 0 || at >= size)
    return Fail(StrCat("index out of range: ", index, " (array length is ", size, ")"));
  return list[static_cast<size_t>(at)];
}

Value Evaluator::Slice(const Node& node) {
  Value base = Base(node);
  if (context_.failed() || broken_) return {};
  if (!base.is_list() && !base.is_string()) return Fail(StrCat("cannot slice ", base.TypeName()));
  auto size = static_cast<int64_t>(base.is_list() ? base.AsList().size() : base.AsString().size());
  auto bound = [&](NodeId id, int64_t fallback) {
    if (id == kNoNode) return fallback;
    Value value = Eval(id);
    if (context_.failed()) return fallback;
    if (!value.is_int()) {
      Fail(StrCat("non-integer slice index ", value.TypeName()));
      return fallback;
    }
    int64_t at = value.AsInt() < 0 ? size + value.AsInt() : value.AsInt();
    return std::clamp<int64_t>(at, 0, size);
  };
  int64_t from = bound(node.b, 0);
  int64_t to = std::max(from, bound(node.c, size));
  if (context_.failed() || !context_.Charge(to - from)) return {};
  if (base.is_string())
    return Value(base.AsString().substr(static_cast<size_t>(from), static_cast<size_t>(to - from)));
  const Value::List& list = base.AsList();
  return Value(Value::List(list.begin() + from, list.begin() + to));
}

Value Evaluator::List(const Node& node) {
  if (!context_.Charge(static_cast<int64_t>(node.args.size()))) return {};
  Value::List list;
  for (NodeId arg : node.args) list.push_back(Eval(arg));
  return Value(std::move(list));
}

Value Evaluator::Map(const Node& node) {
  if (!context_.Charge(static_cast<int64_t>(node.args.size()))) return {};
  Value::Map map;
  for (size_t i = 0; i + 1 < node.args.size(); i += 2) {
    std::string key = KeyOf(Eval(node.args[i]));
    Value value = Eval(node.args[i + 1]);
    auto same = std::find_if(map.begin(), map.end(), [&](const auto& m) { return m.first == key; });
    if (same != map.end()) {
      same->second = std::move(value);
    } else {
      map.emplace_back(std::move(key), std::move(value));
    }
  }
  return Value(std::move(map));
}

Value Evaluator::Method(const Node& node) {
  Value self = Base(node);
  if (context_.failed() || broken_) return {};
  std::vector<Value> args;
  for (NodeId arg : node.args) args.push_back(Eval(arg));
  return context_.failed() ? Value() : CallMethod(self, node.name, args, context_);
}

Value Evaluator::Call(const Node& node) {
  if (FamilyOf(node.name) == Family::kPredicate) return Predicate(node);
  std::vector<Value> args;
  args.reserve(node.args.size());
  for (NodeId arg : node.args) args.push_back(Eval(arg));
  if (context_.failed()) return {};
  switch (FamilyOf(node.name)) {
    case Family::kText: return CallText(node.name, args, context_);
    case Family::kList: return CallList(node.name, args, context_);
    case Family::kNumber: return CallNumber(node.name, args, context_);
    case Family::kTime: return CallTime(node.name, args, context_);
    case Family::kPredicate:
    case Family::kUnknown: break;
  }
  return Fail(StrCat("unknown function ", Quote(node.name)));
}

Value Run(const Tree& tree, CallContext& context) {
  return Evaluator(tree, context).Eval(tree.root);
}

}  // namespace rollguard::expr
