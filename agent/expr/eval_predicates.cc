// SPDX-License-Identifier: Apache-2.0
// Functions that run a closure over a list: all any none one count map filter find sum groupBy
// sortBy reduce.
#include <algorithm>
#include <map>

#include "agent/base/text.h"
#include "agent/expr/evaluator.h"

namespace rollguard::expr {

Value Evaluator::Predicate(const Node& node) {
  Value collection = Eval(node.args[0]);
  if (context_.failed()) return {};
  if (!collection.is_list()) {
    return Fail(
        StrCat("builtin ", node.name, " takes only array (got ", collection.TypeName(), ")"));
  }
  const Value::List& list = collection.AsList();
  NodeId closure = node.args.size() > 1 ? node.args[1] : kNoNode;
  const std::string& name = node.name;
  if (name == "map" || name == "filter") return Transform(name == "map", list, closure);
  if (name.starts_with("find")) return Find(name, list, closure);
  if (name == "sum") return Sum(list, closure);
  if (name == "groupBy") return GroupBy(list, closure);
  if (name == "sortBy") return SortBy(node, list, closure);
  if (name == "reduce") return Reduce(node, list, closure);
  return Count(name, list, closure);
}

std::optional<bool> Evaluator::Holds(NodeId closure) {
  Value value = closure == kNoNode ? frames_.back().item : Eval(closure);
  if (context_.failed()) return std::nullopt;
  return Truth(value, "a predicate");
}

// all none any one count, with short circuit.
Value Evaluator::Count(std::string_view name, const Value::List& list, NodeId closure) {
  int64_t held = 0;
  bool missed = false;
  Each(list, false, [&](size_t) {
    auto truth = Holds(closure);
    if (!truth) return false;
    held += *truth ? 1 : 0;
    missed = missed || !*truth;
    if (name == "all") return !missed;
    if (name == "any" || name == "none") return held == 0;
    return name != "one" || held < 2;
  });
  if (name == "all") return Value(!missed);
  if (name == "any") return Value(held > 0);
  if (name == "none") return Value(held == 0);
  return name == "one" ? Value(held == 1) : Value(held);
}

Value Evaluator::Transform(bool map, const Value::List& list, NodeId closure) {
  Value::List out;
  Each(list, false, [&](size_t at) {
    if (map) {
      out.push_back(Eval(closure));
      return context_.Charge(1);
    }
    auto truth = Holds(closure);
    if (truth && *truth) out.push_back(list[at]);
    return truth && (!*truth || context_.Charge(1));
  });
  return Value(std::move(out));
}

Value Evaluator::Find(std::string_view name, const Value::List& list, NodeId closure) {
  bool index = name.ends_with("Index");
  Value found;
  Each(list, name.starts_with("findLast"), [&](size_t at) {
    auto truth = Holds(closure);
    if (truth && *truth) found = index ? Value(static_cast<int64_t>(at)) : list[at];
    return truth && !*truth;
  });
  return found;
}

Value Evaluator::Sum(const Value::List& list, NodeId closure) {
  Value sum(0);
  Each(list, false, [&](size_t at) {
    Value item = closure == kNoNode ? list[at] : Eval(closure);
    if (context_.failed()) return false;
    if (!item.is_number() && !item.is_duration()) {
      Fail(StrCat("cannot sum ", item.TypeName()));
      return false;
    }
    bool first_duration = item.is_duration() && at == 0;
    sum = first_duration ? item : Add(sum, item, context_);
    return context_.Step();
  });
  return sum;
}

Value Evaluator::GroupBy(const Value::List& list, NodeId closure) {
  std::vector<std::pair<std::string, Value::List>> groups;
  std::map<std::string, size_t> places;
  Each(list, false, [&](size_t at) {
    std::string key = KeyOf(Eval(closure));
    auto [place, fresh] = places.emplace(key, groups.size());
    if (fresh) groups.emplace_back(std::move(key), Value::List{});
    groups[place->second].second.push_back(list[at]);
    return context_.Charge(1);
  });
  Value::Map map;
  for (auto& [key, items] : groups) map.emplace_back(std::move(key), Value(std::move(items)));
  return Value(std::move(map));
}

// The second argument is a closure, or the name of a field as text.
Value Evaluator::SortBy(const Node& node, const Value::List& list, NodeId closure) {
  bool descending = false;
  if (node.args.size() > 2) {
    Value order = Eval(node.args[2]);
    if (!context_.failed() && !(order == Value("asc")) && !(order == Value("desc"))) {
      return Fail("sortBy: the order must be \"asc\" or \"desc\"");
    }
    descending = order == Value("desc");
  }
  const Node& body = tree_.at(tree_.at(closure).a);
  bool field = body.kind == NodeKind::kLiteral && body.literal.is_string();
  std::vector<std::pair<Value, size_t>> keys;
  Each(list, false, [&](size_t at) {
    Value key = Eval(closure);
    if (field) {
      const Value* found = list[at].Find(body.literal.AsString());
      if (found == nullptr)
        return !Fail(StrCat("sortBy: no field ", Quote(body.literal.AsString()))).is_nil();
      key = *found;
    }
    keys.emplace_back(std::move(key), at);
    return context_.Charge(1);
  });
  if (context_.failed()) return {};
  return Sorted(list, std::move(keys), descending);
}

// Insertion into order by merge sort: the comparison may fail half way and must stay consistent.
Value Evaluator::Sorted(const Value::List& list, std::vector<std::pair<Value, size_t>> keys,
                        bool descending) {
  std::stable_sort(keys.begin(), keys.end(), [&](const auto& a, const auto& b) {
    if (context_.failed() || !context_.Step()) return false;
    int order = Compare(a.first, b.first, "<", context_);
    return order != 2 && (descending ? order > 0 : order < 0);
  });
  Value::List out;
  for (const auto& key : keys) out.push_back(list[key.second]);
  return Value(std::move(out));
}

Value Evaluator::Reduce(const Node& node, const Value::List& list, NodeId closure) {
  bool given = node.args.size() > 2;
  Value accumulator = given ? Eval(node.args[2]) : Value();
  if (!given && list.empty()) return Fail("reduce of an empty array with no initial value");
  Each(list, false, [&](size_t at) {
    if (!given && at == 0) {
      accumulator = list[0];
      return true;
    }
    frames_.back().accumulator = accumulator;
    accumulator = Eval(closure);
    return !context_.failed();
  });
  return accumulator;
}

}  // namespace rollguard::expr
