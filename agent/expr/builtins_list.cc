// SPDX-License-Identifier: Apache-2.0
// Functions over lists and maps.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/expr/builtins.h"

namespace rollguard::expr {
namespace {

Value Length(const Value& value, CallContext& context) {
  if (value.is_list()) return Value(static_cast<int64_t>(value.AsList().size()));
  if (value.is_map()) return Value(static_cast<int64_t>(value.AsMap().size()));
  if (!value.is_string()) return BadArgument("len", value, context);
  auto starts = std::count_if(value.AsString().begin(), value.AsString().end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
  return Value(static_cast<int64_t>(starts));
}

// Like indexing, but nil where there is nothing.
Value Get(const Value& from, const Value& key, CallContext& context) {
  if (from.is_nil()) return {};
  if (from.is_map()) {
    const Value* found = from.Find(KeyOf(key));
    return found == nullptr ? Value() : *found;
  }
  if (!from.is_list()) return BadArgument("get", from, context);
  if (!key.is_int()) return BadArgument("get", key, context);
  auto size = static_cast<int64_t>(from.AsList().size());
  int64_t at = key.AsInt() < 0 ? size + key.AsInt() : key.AsInt();
  return at < 0 || at >= size ? Value() : from.AsList()[static_cast<size_t>(at)];
}

Value Take(const Value::List& list, const Value& count, CallContext& context) {
  if (!count.is_int()) return BadArgument("take", count, context);
  if (count.AsInt() < 0) return context.Fail("take: the number of elements must not be negative");
  auto size = std::min<int64_t>(count.AsInt(), static_cast<int64_t>(list.size()));
  if (!context.Charge(size)) return {};
  return Value(Value::List(list.begin(), list.begin() + size));
}

Value Members(const Value& map, bool keys, CallContext& context) {
  if (!map.is_map()) return BadArgument(keys ? "keys" : "values", map, context);
  if (!context.Charge(static_cast<int64_t>(map.AsMap().size()))) return {};
  Value::List out;
  for (const auto& [key, value] : map.AsMap()) out.push_back(keys ? Value(key) : value);
  return Value(std::move(out));
}

Value Uniq(const Value::List& list, CallContext& context) {
  Value::List out;
  for (const Value& item : list) {
    bool known = false;
    for (const Value& other : out) {
      if (!context.Step()) return {};
      known = known || other == item;
    }
    if (known) continue;
    if (!context.Charge(1)) return {};
    out.push_back(item);
  }
  return Value(std::move(out));
}

Value Concat(std::span<const Value> lists, CallContext& context) {
  Value::List out;
  for (const Value& list : lists) {
    if (!list.is_list()) return BadArgument("concat", list, context);
    if (!context.Charge(static_cast<int64_t>(list.AsList().size()))) return {};
    out.insert(out.end(), list.AsList().begin(), list.AsList().end());
  }
  return Value(std::move(out));
}

// Lists within lists, however deep; walked with a stack of our own.
Value Flatten(const Value::List& list, CallContext& context) {
  Value::List out;
  std::vector<std::pair<const Value::List*, size_t>> stack = {{&list, 0}};
  while (!stack.empty()) {
    auto& [current, at] = stack.back();
    if (at == current->size()) {
      stack.pop_back();
      continue;
    }
    const Value& item = (*current)[at++];
    if (!context.Charge(1)) return {};
    if (item.is_list()) {
      stack.emplace_back(&item.AsList(), 0);
    } else {
      out.push_back(item);
    }
  }
  return Value(std::move(out));
}

Value Sort(std::span<const Value> args, CallContext& context) {
  bool descending = args.size() > 1 && args[1] == Value("desc");
  if (args.size() > 1 && !descending && !(args[1] == Value("asc"))) {
    return context.Fail("sort: the order must be \"asc\" or \"desc\"");
  }
  Value::List out = args[0].AsList();
  if (!context.Charge(static_cast<int64_t>(out.size()))) return {};
  std::stable_sort(out.begin(), out.end(), [&](const Value& a, const Value& b) {
    if (context.failed() || !context.Step()) return false;
    int order = Compare(a, b, "<", context);
    return order != 2 && (descending ? order > 0 : order < 0);
  });
  return Value(std::move(out));
}

}  // namespace

Value CallList(std::string_view name, std::span<const Value> args, CallContext& context) {
  if (name == "len") return Length(args[0], context);
  if (name == "get") return Get(args[0], args[1], context);
  if (name == "keys" || name == "values") return Members(args[0], name == "keys", context);
  if (name == "concat") return Concat(args, context);
  bool ends = name == "first" || name == "last";
  if (ends && args[0].is_nil()) return {};
  if (!args[0].is_list()) return BadArgument(name, args[0], context);
  const Value::List& list = args[0].AsList();
  if (ends) return list.empty() ? Value() : (name == "first" ? list.front() : list.back());
  if (name == "take") return Take(list, args[1], context);
  if (name == "uniq") return Uniq(list, context);
  if (name == "flatten") return Flatten(list, context);
  if (name == "sort") return Sort(args, context);
  if (!context.Charge(static_cast<int64_t>(list.size()))) return {};
  return Value(Value::List(list.rbegin(), list.rend()));  // reverse
}

}  // namespace rollguard::expr
