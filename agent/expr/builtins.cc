// SPDX-License-Identifier: Apache-2.0
#include "agent/expr/builtins.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "agent/base/text.h"

namespace rollguard::expr {
namespace {

struct Row {
  Builtin builtin;
  Family family;
};

constexpr auto V = Takes::kValues;
constexpr auto P = Takes::kPredicate;

constexpr std::array kTable = {
    Row{{"all", P, 2, 2}, Family::kPredicate},
    Row{{"none", P, 2, 2}, Family::kPredicate},
    Row{{"any", P, 2, 2}, Family::kPredicate},
    Row{{"one", P, 2, 2}, Family::kPredicate},
    Row{{"filter", P, 2, 2}, Family::kPredicate},
    Row{{"map", P, 2, 2}, Family::kPredicate},
    Row{{"find", P, 2, 2}, Family::kPredicate},
    Row{{"findIndex", P, 2, 2}, Family::kPredicate},
    Row{{"findLast", P, 2, 2}, Family::kPredicate},
    Row{{"findLastIndex", P, 2, 2}, Family::kPredicate},
    Row{{"count", P, 1, 2}, Family::kPredicate},
    Row{{"sum", P, 1, 2}, Family::kPredicate},
    Row{{"groupBy", P, 2, 2}, Family::kPredicate},
    Row{{"sortBy", P, 2, 3}, Family::kPredicate},
    Row{{"reduce", P, 2, 3}, Family::kPredicate},
    Row{{"len", V, 1, 1}, Family::kList},
    Row{{"first", V, 1, 1}, Family::kList},
    Row{{"last", V, 1, 1}, Family::kList},
    Row{{"get", V, 2, 2}, Family::kList},
    Row{{"take", V, 2, 2}, Family::kList},
    Row{{"keys", V, 1, 1}, Family::kList},
    Row{{"values", V, 1, 1}, Family::kList},
    Row{{"reverse", V, 1, 1}, Family::kList},
    Row{{"uniq", V, 1, 1}, Family::kList},
    Row{{"concat", V, 1, -1}, Family::kList},
    Row{{"flatten", V, 1, 1}, Family::kList},
    Row{{"sort", V, 1, 2}, Family::kList},
    Row{{"abs", V, 1, 1}, Family::kNumber},
    Row{{"ceil", V, 1, 1}, Family::kNumber},
    Row{{"floor", V, 1, 1}, Family::kNumber},
    Row{{"round", V, 1, 1}, Family::kNumber},
    Row{{"min", V, 1, -1}, Family::kNumber},
    Row{{"max", V, 1, -1}, Family::kNumber},
    Row{{"mean", V, 1, -1}, Family::kNumber},
    Row{{"median", V, 1, -1}, Family::kNumber},
    Row{{"int", V, 1, 1}, Family::kNumber},
    Row{{"float", V, 1, 1}, Family::kNumber},
    Row{{"isNaN", V, 1, 1}, Family::kNumber},
    Row{{"isInf", V, 1, 1}, Family::kNumber},
    Row{{"asInt", V, 1, 1}, Family::kNumber},
    Row{{"asFloat", V, 1, 1}, Family::kNumber},
    Row{{"isNil", V, 1, 1}, Family::kNumber},
    Row{{"default", V, 2, 2}, Family::kNumber},
    Row{{"string", V, 1, 1}, Family::kText},
    Row{{"trim", V, 1, 2}, Family::kText},
    Row{{"trimPrefix", V, 2, 2}, Family::kText},
    Row{{"trimSuffix", V, 2, 2}, Family::kText},
    Row{{"upper", V, 1, 1}, Family::kText},
    Row{{"lower", V, 1, 1}, Family::kText},
    Row{{"split", V, 2, 3}, Family::kText},
    Row{{"replace", V, 3, 4}, Family::kText},
    Row{{"repeat", V, 2, 2}, Family::kText},
    Row{{"join", V, 1, 2}, Family::kText},
    Row{{"indexOf", V, 2, 2}, Family::kText},
    Row{{"lastIndexOf", V, 2, 2}, Family::kText},
    Row{{"hasPrefix", V, 2, 2}, Family::kText},
    Row{{"hasSuffix", V, 2, 2}, Family::kText},
    Row{{"type", V, 1, 1}, Family::kText},
    Row{{"toJSON", V, 1, 1}, Family::kText},
    Row{{"fromJSON", V, 1, 1}, Family::kText},
    Row{{"now", V, 0, 0}, Family::kTime},
    Row{{"duration", V, 1, 1}, Family::kTime},
    Row{{"date", V, 1, 3}, Family::kTime},
};

const Row* FindRow(std::string_view name) {
  auto row = std::find_if(kTable.begin(), kTable.end(),
                          [&](const Row& r) { return r.builtin.name == name; });
  return row == kTable.end() ? nullptr : &*row;
}

template <class T>
int Order(const T& a, const T& b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

}  // namespace

const Builtin* FindBuiltin(std::string_view name) {
  const Row* row = FindRow(name);
  return row == nullptr ? nullptr : &row->builtin;
}

std::vector<std::string_view> BuiltinNames() {
  std::vector<std::string_view> names;
  names.reserve(std::size(kTable));
  for (const Row& row : kTable) names.push_back(row.builtin.name);
  return names;
}

Family FamilyOf(std::string_view name) {
  const Row* row = FindRow(name);
  return row == nullptr ? Family::kUnknown : row->family;
}

Value CallContext::Fail(std::string message) {
  if (!failed_) error_ = std::move(message);
  failed_ = true;
  return {};
}

bool CallContext::Charge(int64_t elements) {
  memory_ -= elements;
  if (memory_ >= 0) return !failed_;
  Fail("memory budget exceeded: a condition may make at most 1,000,000 elements");
  return false;
}

bool CallContext::Step() {
  if (--steps_ >= 0) return true;
  Fail("the condition takes too long: more than 20,000,000 steps");
  return false;
}

Value Mismatch(std::string_view op, const Value& a, const Value& b, CallContext& context) {
  return context.Fail(StrCat("invalid operation: ", op, " (mismatched types ", a.TypeName(),
                             " and ", b.TypeName(), ")"));
}

Value BadArgument(std::string_view function, const Value& argument, CallContext& context) {
  return context.Fail(
      StrCat("invalid argument for ", function, " (type ", argument.TypeName(), ")"));
}

Value::Nanoseconds Between(Time later, Time earlier) {
  constexpr int64_t kMostMillis = INT64_MAX / 1'000'000;
  auto wide = static_cast<double>(ToUnixMillis(later)) - static_cast<double>(ToUnixMillis(earlier));
  if (std::fabs(wide) >= static_cast<double>(kMostMillis)) {
    return Value::Nanoseconds(wide > 0 ? INT64_MAX : INT64_MIN);
  }
  return Value::Nanoseconds(later - earlier);
}

Time Shift(Time time, Value::Nanoseconds by) {
  // Far beyond any date, and far from overflow.
  constexpr int64_t kMostMillis = INT64_MAX / 4;
  int64_t millis = ToUnixMillis(time) + by.count() / 1'000'000;
  return FromUnixMillis(std::clamp(millis, -kMostMillis, kMostMillis));
}

Value::Nanoseconds Plus(Value::Nanoseconds a, Value::Nanoseconds b) {
  return Value::Nanoseconds(
      static_cast<int64_t>(static_cast<uint64_t>(a.count()) + static_cast<uint64_t>(b.count())));
}

Value Add(const Value& a, const Value& b, CallContext& context) {
  if (a.is_int() && b.is_int()) {
    return Value(
        static_cast<int64_t>(static_cast<uint64_t>(a.AsInt()) + static_cast<uint64_t>(b.AsInt())));
  }
  if (a.is_number() && b.is_number()) return Value(a.AsNumber() + b.AsNumber());
  if (a.is_string() && b.is_string()) {
    if (!context.ChargeText(a.AsString().size() + b.AsString().size())) return {};
    return Value(a.AsString() + b.AsString());
  }
  if (a.is_time() && b.is_duration()) return Value(Shift(a.AsTime(), b.AsDuration()));
  if (a.is_duration() && b.is_time()) return Value(Shift(b.AsTime(), a.AsDuration()));
  if (a.is_duration() && b.is_duration()) return Value(Plus(a.AsDuration(), b.AsDuration()));
  return Mismatch("+", a, b, context);
}

int Compare(const Value& a, const Value& b, std::string_view op, CallContext& context) {
  if (a.is_int() && b.is_int()) return Order(a.AsInt(), b.AsInt());
  if (a.is_number() && b.is_number()) {
    double x = a.AsNumber();
    double y = b.AsNumber();
    return std::isnan(x) || std::isnan(y) ? 2 : Order(x, y);
  }
  if (a.is_string() && b.is_string()) return Order(a.AsString(), b.AsString());
  if (a.is_time() && b.is_time()) return Order(a.AsTime(), b.AsTime());
  if (a.is_duration() && b.is_duration()) return Order(a.AsDuration(), b.AsDuration());
  Mismatch(op, a, b, context);
  return 2;
}

std::string KeyOf(const Value& value) {
  return value.is_string() ? value.AsString() : value.ToText();
}

}  // namespace rollguard::expr
