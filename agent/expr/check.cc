// SPDX-License-Identifier: Apache-2.0
// Walks the tree with what is known of each value. `any` fits everywhere and is looked at again
// when the value is there. Left-associative chains are walked in a loop, so that their length does
// not cost stack.
#include "agent/expr/check.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "agent/base/text.h"
#include "agent/expr/builtins.h"

namespace rollguard::expr {
namespace {

using Kind = StaticType::Kind;

constexpr StaticType kAnyType{};
constexpr StaticType kBoolType{Kind::kBool, Kind::kAny};
constexpr StaticType kIntType{Kind::kInt, Kind::kAny};
constexpr StaticType kFloatType{Kind::kFloat, Kind::kAny};
constexpr StaticType kStringType{Kind::kString, Kind::kAny};
constexpr StaticType ListOf(Kind element) { return {Kind::kList, element}; }
constexpr StaticType Simple(Kind kind) { return {kind, Kind::kAny}; }

const char* KindName(Kind kind) {
  switch (kind) {
    case Kind::kAny: return "interface {}";
    case Kind::kNil: return "nil";
    case Kind::kBool: return "bool";
    case Kind::kInt: return "int";
    case Kind::kFloat: return "float64";
    case Kind::kString: return "string";
    case Kind::kList: return "[]interface {}";
    case Kind::kMap: return "map[string]interface {}";
    case Kind::kDuration: return "time.Duration";
    case Kind::kTime: return "time.Time";
  }
  return "";
}

bool Comparable(StaticType a, StaticType b) {
  if (a.any() || b.any() || a.Is(Kind::kNil) || b.Is(Kind::kNil)) return true;
  return a.kind == b.kind || (a.number() && b.number());
}

// Both of one of the kinds, or one of them and the other unknown, or both unknown.
bool Fits(StaticType a, StaticType b, std::initializer_list<Kind> kinds) {
  auto in = [&](StaticType t) {
    return t.any() || std::find(kinds.begin(), kinds.end(), t.kind) != kinds.end();
  };
  if (!in(a) || !in(b)) return false;
  return a.any() || b.any() || a.kind == b.kind || (a.number() && b.number());
}

StaticType Combined(StaticType a, StaticType b) {
  if (a.any() || b.any()) return kAnyType;
  return a.Is(Kind::kFloat) || b.Is(Kind::kFloat) ? kFloatType : a;
}

StaticType Join(StaticType a, StaticType b) {
  if (a == b) return a;
  if (a.Is(Kind::kNil)) return b;
  if (b.Is(Kind::kNil)) return a;
  return kAnyType;
}

class Checker {
 public:
  Checker(const Tree& tree, StaticType result, StaticType series)
      : tree_(tree), result_(result), series_(series) {}

  std::vector<Problem> Run() {
    Visit(tree_.root);
    auto place = [](const Problem& p) { return std::pair(p.span.line, p.span.column); };
    std::stable_sort(problems_.begin(), problems_.end(),
                     [&](const Problem& a, const Problem& b) { return place(a) < place(b); });
    return std::move(problems_);
  }

 private:
  StaticType Fail(const Node& node, std::string message) {
    problems_.push_back({node.span, std::move(message)});
    return kAnyType;
  }

  StaticType Visit(NodeId id) {
    const Node& node = tree_.at(id);
    switch (node.kind) {
      case NodeKind::kLiteral: return TypeOf(node.literal, false);
      case NodeKind::kName: return Name(node);
      case NodeKind::kPointer: return Pointer(node);
      case NodeKind::kUnary: return Unary(node);
      case NodeKind::kBinary: return Chain(id);
      case NodeKind::kConditional: return Conditional(node);
      case NodeKind::kLet: return Let(node);
      case NodeKind::kMember: return Member(node);
      case NodeKind::kSlice: return Slice(node);
      case NodeKind::kChain: Visit(node.a); return kAnyType;
      case NodeKind::kList: return List(node);
      case NodeKind::kMap:
        for (NodeId arg : node.args) Visit(arg);
        return Simple(Kind::kMap);
      case NodeKind::kCall: return Call(node);
      case NodeKind::kMethod:
        Visit(node.a);
        for (NodeId arg : node.args) Visit(arg);
        return kAnyType;
      case NodeKind::kPredicate: return Visit(node.a);
    }
    return kAnyType;
  }

  StaticType Name(const Node& node) {
    for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
      if (it->first == node.name) return it->second;
    }
    if (node.name == "result") return result_;
    if (node.name == "series") return series_;
    if (node.name == "$env") return Simple(Kind::kMap);
    std::vector<std::string_view> known = {"result", "series", "true", "false", "nil"};
    for (const auto& variable : variables_) known.push_back(variable.first);
    if (FindBuiltin(node.name) != nullptr) {
      return Fail(node, StrCat("unknown name ", Quote(node.name), " (it is a function: write ",
                               node.name, "(...))"));
    }
    return Fail(node, StrCat("unknown name ", Quote(node.name), Suggestion(node.name, known)));
  }

  StaticType Pointer(const Node& node) {
    if (node.name == "index") return kIntType;
    return node.name.empty() && !elements_.empty() ? elements_.back() : kAnyType;
  }

  StaticType Unary(const Node& node) {
    StaticType t = Visit(node.a);
    bool fits = t.any() || (node.op == Op::kNot ? t.Is(Kind::kBool) : t.number());
    if (!fits)
      return Fail(node, StrCat("invalid operation: ", ToString(node.op), " (mismatched type ",
                               t.Name(), ")"));
    return node.op == Op::kNot ? kBoolType : t;
  }

  StaticType Chain(NodeId id) {
    std::vector<NodeId> spine;
    while (tree_.at(id).kind == NodeKind::kBinary) {
      spine.push_back(id);
      id = tree_.at(id).a;
    }
    StaticType left = Visit(id);
    for (auto it = spine.rbegin(); it != spine.rend(); ++it) {
      const Node& node = tree_.at(*it);
      left = Binary(node, left, Visit(node.b));
    }
    return left;
  }

  StaticType Mismatch(const Node& node, StaticType l, StaticType r) {
    return Fail(node, StrCat("invalid operation: ", ToString(node.op), " (mismatched types ",
                             l.Name(), " and ", r.Name(), ")"));
  }

  StaticType Binary(const Node& node, StaticType l, StaticType r) {
    switch (node.op) {
      case Op::kEqual:
      case Op::kNotEqual: return Comparable(l, r) ? kBoolType : Mismatch(node, l, r);
      case Op::kOr:
      case Op::kAnd: return Fits(l, r, {Kind::kBool}) ? kBoolType : Mismatch(node, l, r);
      case Op::kLess:
      case Op::kGreater:
      case Op::kLessEqual:
      case Op::kGreaterEqual: {
        bool fits =
            Fits(l, r, {Kind::kInt, Kind::kFloat, Kind::kString, Kind::kTime, Kind::kDuration});
        return fits ? kBoolType : Mismatch(node, l, r);
      }
      case Op::kMultiply:
        return Fits(l, r, {Kind::kInt, Kind::kFloat}) ? Combined(l, r) : Mismatch(node, l, r);
      case Op::kDivide:
      case Op::kPower:
        return Fits(l, r, {Kind::kInt, Kind::kFloat}) ? kFloatType : Mismatch(node, l, r);
      case Op::kModulo: return Fits(l, r, {Kind::kInt}) ? kIntType : Mismatch(node, l, r);
      case Op::kRange: return Fits(l, r, {Kind::kInt}) ? ListOf(Kind::kInt) : Mismatch(node, l, r);
      case Op::kAdd:
      case Op::kSubtract: return Sum(node, l, r);
      case Op::kIn: return In(node, l, r);
      case Op::kMatches: return Matches(node, l, r);
      case Op::kContains:
      case Op::kStartsWith:
      case Op::kEndsWith:
        return Fits(l, r, {Kind::kString, Kind::kNil}) || l.Is(Kind::kNil) ? kBoolType
                                                                           : Mismatch(node, l, r);
      case Op::kCoalesce: return Join(l, r);
      case Op::kNone:
      case Op::kNot:
      case Op::kNegate:
      case Op::kPlus: return kAnyType;
    }
    return kAnyType;
  }

  StaticType Sum(const Node& node, StaticType l, StaticType r) {
    bool plus = node.op == Op::kAdd;
    if (Fits(l, r, {Kind::kInt, Kind::kFloat})) return Combined(l, r);
    if (plus && Fits(l, r, {Kind::kString})) return l.any() || r.any() ? kAnyType : kStringType;
    bool time = (l.any() || l.Is(Kind::kTime) || l.Is(Kind::kDuration)) &&
                (r.any() || r.Is(Kind::kTime) || r.Is(Kind::kDuration));
    bool both_times = l.Is(Kind::kTime) && r.Is(Kind::kTime);
    if (!time || (plus && both_times)) return Mismatch(node, l, r);
    if (l.any() || r.any()) return kAnyType;
    if (both_times) return Simple(Kind::kDuration);
    if (l.kind == r.kind) return l;
    return !plus && l.Is(Kind::kDuration) ? Mismatch(node, l, r) : Simple(Kind::kTime);
  }

  StaticType In(const Node& node, StaticType l, StaticType r) {
    if (r.any() || r.Is(Kind::kNil) || l.Is(Kind::kNil)) return kBoolType;
    if (r.Is(Kind::kMap)) return l.any() || l.Is(Kind::kString) ? kBoolType : Mismatch(node, l, r);
    if (r.Is(Kind::kList) && Comparable(l, Simple(r.element))) return kBoolType;
    return Mismatch(node, l, r);
  }

  StaticType Matches(const Node& node, StaticType l, StaticType r) {
    const Node& pattern = tree_.at(node.b);
    if (pattern.kind == NodeKind::kLiteral && pattern.literal.is_string()) {
      RE2 re(pattern.literal.AsString(), RE2::Quiet);
      if (!re.ok()) return Fail(pattern, StrCat("bad regular expression: ", re.error()));
    }
    return Fits(l, r, {Kind::kString}) ? kBoolType : Mismatch(node, l, r);
  }

  StaticType Conditional(const Node& node) {
    StaticType condition = Visit(node.a);
    if (!condition.any() && !condition.Is(Kind::kBool)) {
      Fail(node, StrCat("non-bool expression (type ", condition.Name(), ") used as condition"));
    }
    StaticType yes = Visit(node.b);
    StaticType no = Visit(node.c);
    return Join(yes, no);
  }

  StaticType Let(const Node& node) {
    StaticType value = Visit(node.a);
    if (node.name == "result" || node.name == "series" || FindBuiltin(node.name) != nullptr) {
      Fail(node, StrCat("cannot redeclare ", Quote(node.name)));
    }
    variables_.emplace_back(node.name, value);
    StaticType body = Visit(node.b);
    variables_.pop_back();
    return body;
  }

  StaticType Member(const Node& node) {
    StaticType base = Visit(node.a);
    StaticType index = node.b == kNoNode ? kStringType : Visit(node.b);
    if (base.any() || base.Is(Kind::kMap)) return kAnyType;
    if (base.Is(Kind::kNil) && node.optional) return kAnyType;
    if (base.Is(Kind::kList) && node.b != kNoNode) {
      if (index.any() || index.Is(Kind::kInt)) return Simple(base.element);
      return Fail(node, StrCat("array elements can only be selected using an integer (got ",
                               index.Name(), ")"));
    }
    if (node.b == kNoNode)
      return Fail(node, StrCat("type ", base.Name(), " has no field ", node.name));
    return Fail(node, StrCat("type ", base.Name(), "[", index.Name(), "] is undefined"));
  }

  StaticType Slice(const Node& node) {
    StaticType base = Visit(node.a);
    for (NodeId id : {node.b, node.c}) {
      if (id == kNoNode) continue;
      StaticType t = Visit(id);
      if (!t.any() && !t.Is(Kind::kInt))
        Fail(tree_.at(id), StrCat("non-integer slice index ", t.Name()));
    }
    if (base.any() || base.Is(Kind::kList) || base.Is(Kind::kString)) return base;
    return Fail(node, StrCat("cannot slice ", base.Name()));
  }

  StaticType List(const Node& node) {
    std::optional<Kind> element;
    for (NodeId arg : node.args) {
      Kind kind = Visit(arg).kind;
      element = !element || *element == kind ? kind : Kind::kAny;
    }
    return ListOf(element.value_or(Kind::kAny));
  }

  StaticType Call(const Node& node) {
    const Builtin* builtin = FindBuiltin(node.name);
    if (builtin == nullptr) {
      Fail(node,
           StrCat("unknown function ", Quote(node.name), Suggestion(node.name, BuiltinNames())));
    } else if (!CheckCount(node, *builtin)) {
      builtin = nullptr;
    }
    std::vector<StaticType> types;
    for (size_t i = 0; i < node.args.size(); ++i) {
      bool closure = tree_.at(node.args[i]).kind == NodeKind::kPredicate;
      if (closure)
        elements_.push_back(types[0].Is(Kind::kList) ? Simple(types[0].element) : kAnyType);
      types.push_back(Visit(node.args[i]));
      if (closure) elements_.pop_back();
    }
    if (builtin == nullptr) return kAnyType;
    return builtin->takes == Takes::kPredicate ? PredicateCall(node, types)
                                               : PlainCall(node, types);
  }

  bool CheckCount(const Node& node, const Builtin& builtin) {
    int count = static_cast<int>(node.args.size());
    if (count < builtin.min_args) {
      Fail(node, StrCat("not enough arguments to call ", node.name, " (needs ", builtin.min_args,
                        ", got ", count, ")"));
      return false;
    }
    if (builtin.max_args >= 0 && count > builtin.max_args) {
      Fail(node, StrCat("too many arguments to call ", node.name, " (takes ", builtin.max_args,
                        ", got ", count, ")"));
      return false;
    }
    return true;
  }

  StaticType PredicateCall(const Node& node, const std::vector<StaticType>& types) {
    static constexpr std::string_view kWantBool[] = {
        "all",  "none",      "any",      "one",           "filter",
        "find", "findIndex", "findLast", "findLastIndex", "count"};
    const std::string& name = node.name;
    if (!types[0].any() && !types[0].Is(Kind::kList)) {
      return Fail(tree_.at(node.args[0]),
                  StrCat("builtin ", name, " takes only array (got ", types[0].Name(), ")"));
    }
    bool want_bool =
        std::find(std::begin(kWantBool), std::end(kWantBool), name) != std::end(kWantBool);
    if (want_bool && types.size() > 1 && !types[1].any() && !types[1].Is(Kind::kBool)) {
      return Fail(tree_.at(node.args[1]),
                  StrCat("predicate should return boolean (got ", types[1].Name(), ")"));
    }
    if (name == "all" || name == "none" || name == "any" || name == "one") return kBoolType;
    if (name == "count") return kIntType;
    if (name == "filter" || name == "sortBy") return types[0].any() ? ListOf(Kind::kAny) : types[0];
    if (name == "map") return ListOf(types[1].kind);
    if (name == "groupBy") return Simple(Kind::kMap);
    return kAnyType;
  }

  StaticType BadArgument(const Node& node, StaticType t) {
    return Fail(node, StrCat("invalid argument for ", node.name, " (type ", t.Name(), ")"));
  }

  StaticType PlainCall(const Node& node, const std::vector<StaticType>& types) {
    const std::string& name = node.name;
    if (name == "isNaN" || name == "isInf") {
      if (types[0].any() || types[0].number()) return kBoolType;
      return Fail(node, StrCat("cannot use ", types[0].Name(),
                               " as argument (type float64) to call ", name));
    }
    if (name == "isNil" || name == "hasPrefix" || name == "hasSuffix") return kBoolType;
    if (name == "len") {
      bool fits = types[0].any() || types[0].Is(Kind::kList) || types[0].Is(Kind::kMap) ||
                  types[0].Is(Kind::kString);
      return fits ? kIntType : BadArgument(node, types[0]);
    }
    if (name == "abs" || name == "ceil" || name == "floor" || name == "round") {
      if (!types[0].any() && !types[0].number()) return BadArgument(node, types[0]);
      return name == "abs" ? types[0] : kFloatType;
    }
    return ResultOf(name, types);
  }

  static StaticType ResultOf(std::string_view name, const std::vector<StaticType>& types) {
    if (name == "mean" || name == "median" || name == "float" || name == "asFloat")
      return kFloatType;
    if (name == "int" || name == "asInt" || name == "indexOf" || name == "lastIndexOf")
      return kIntType;
    if (name == "string" || name == "type" || name == "toJSON" || name == "upper" ||
        name == "lower" || name == "join") {
      return kStringType;
    }
    if (name == "now" || name == "date") return Simple(Kind::kTime);
    if (name == "duration") return Simple(Kind::kDuration);
    bool same = name == "reverse" || name == "uniq" || name == "sort" || name == "take";
    if (same && types[0].Is(Kind::kList)) return types[0];
    return kAnyType;
  }

  const Tree& tree_;
  StaticType result_;
  StaticType series_;
  std::vector<std::pair<std::string, StaticType>> variables_;
  std::vector<StaticType> elements_;
  std::vector<Problem> problems_;
};

Kind KindOf(const Value& value) {
  switch (value.type()) {
    case Value::Type::kNil: return Kind::kNil;
    case Value::Type::kBool: return Kind::kBool;
    case Value::Type::kInt: return Kind::kInt;
    case Value::Type::kFloat: return Kind::kFloat;
    case Value::Type::kString: return Kind::kString;
    case Value::Type::kList: return Kind::kList;
    case Value::Type::kMap: return Kind::kMap;
    case Value::Type::kDuration: return Kind::kDuration;
    case Value::Type::kTime: return Kind::kTime;
  }
  return Kind::kAny;
}

}  // namespace

std::string StaticType::Name() const {
  if (kind != Kind::kList || element == Kind::kAny || element == Kind::kNil) return KindName(kind);
  return StrCat("[]", KindName(element));
}

StaticType TypeOf(const Value& value, bool untyped) {
  StaticType type{KindOf(value), Kind::kAny};
  if (!value.is_list() || untyped) return type;
  const Value::List& list = value.AsList();
  type.element = list.empty() ? Kind::kFloat : KindOf(list[0]);
  for (const Value& item : list) {
    if (KindOf(item) != type.element) return {Kind::kList, Kind::kAny};
  }
  return type;
}

std::vector<Problem> CheckTypes(const Tree& tree, StaticType result, StaticType series) {
  return Checker(tree, result, series).Run();
}

}  // namespace rollguard::expr
