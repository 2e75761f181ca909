// SPDX-License-Identifier: Apache-2.0
// Functions over numbers, conversions, and Argo's own: isNaN isInf asInt asFloat isNil default.
#include <algorithm>
#include <cmath>
#include <optional>

#include "agent/base/text.h"
#include "agent/expr/builtins.h"

namespace rollguard::expr {
namespace {

// Numbers as arguments, in lists, or both; `each` sees them one by one.
template <class Each>
bool Flat(std::string_view name, std::span<const Value> args, CallContext& context, Each each) {
  for (const Value& arg : args) {
    if (arg.is_list()) {
      for (const Value& item : arg.AsList()) {
        if (!context.Step()) return false;
        if (!item.is_number()) return BadArgument(name, item, context), false;
        each(item);
      }
    } else if (arg.is_number()) {
      each(arg);
    } else {
      return BadArgument(name, arg, context), false;
    }
  }
  return true;
}

Value Extreme(std::string_view name, std::span<const Value> args, CallContext& context) {
  Value best;
  Flat(name, args, context, [&](const Value& item) {
    if (best.is_nil() ||
        (name == "min" ? item.AsNumber() < best.AsNumber() : item.AsNumber() > best.AsNumber())) {
      best = item;
    }
  });
  return best;
}

Value Middle(std::string_view name, std::span<const Value> args, CallContext& context) {
  std::vector<double> values;
  if (!Flat(name, args, context, [&](const Value& item) { values.push_back(item.AsNumber()); }))
    return {};
  if (values.empty()) return Value(0.0);
  if (name == "mean") {
    double sum = 0;
    for (double value : values) sum += value;
    return Value(sum / static_cast<double>(values.size()));
  }
  if (std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); }))
    return Value(std::nan(""));
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return Value(values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2);
}

int64_t Truncate(double value) {
  if (std::isnan(value)) return INT64_MIN;
  if (value >= 9.2233720368547758e18) return INT64_MAX;
  if (value <= -9.2233720368547758e18) return INT64_MIN;
  return static_cast<int64_t>(value);
}

Value ToInt(std::string_view name, const Value& value, CallContext& context) {
  if (value.is_int()) return value;
  if (value.is_float()) return Value(Truncate(value.AsFloat()));
  if (!value.is_string())
    return context.Fail(StrCat(name, "() not supported on type ", value.TypeName()));
  auto parsed = ParseInt(value.AsString());
  if (!parsed)
    return context.Fail(
        StrCat("parsing ", Quote(value.AsString()), " as an integer: invalid syntax"));
  return Value(*parsed);
}

Value ToFloat(std::string_view name, const Value& value, CallContext& context) {
  if (value.is_number()) return Value(value.AsNumber());
  if (!value.is_string())
    return context.Fail(StrCat(name, "() not supported on type ", value.TypeName()));
  auto parsed = ParseDouble(value.AsString());
  if (!parsed)
    return context.Fail(StrCat("parsing ", Quote(value.AsString()), " as a float: invalid syntax"));
  return Value(*parsed);
}

// Of one number.
Value Round(std::string_view name, const Value& value, CallContext& context) {
  if (!value.is_number()) return BadArgument(name, value, context);
  if (name == "abs") {
    if (value.is_float()) return Value(std::fabs(value.AsFloat()));
    return Value(value.AsInt() < 0 ? static_cast<int64_t>(0 - static_cast<uint64_t>(value.AsInt()))
                                   : value.AsInt());
  }
  double number = value.AsNumber();
  if (name == "ceil") return Value(std::ceil(number));
  return Value(name == "floor" ? std::floor(number) : std::round(number));
}

}  // namespace

Value CallNumber(std::string_view name, std::span<const Value> args, CallContext& context) {
  if (name == "min" || name == "max") return Extreme(name, args, context);
  if (name == "mean" || name == "median") return Middle(name, args, context);
  if (name == "int" || name == "asInt") return ToInt(name, args[0], context);
  if (name == "float" || name == "asFloat") return ToFloat(name, args[0], context);
  // These two look at the whole result, whatever they are given.
  if (name == "isNil") return Value(context.env().result.is_nil());
  if (name == "default") return context.env().result.is_nil() ? args[1] : context.env().result;
  if (name == "isNaN" || name == "isInf") {
    if (!args[0].is_number()) return BadArgument(name, args[0], context);
    return Value(name == "isNaN" ? std::isnan(args[0].AsNumber()) : std::isinf(args[0].AsNumber()));
  }
  return Round(name, args[0], context);
}

}  // namespace rollguard::expr
