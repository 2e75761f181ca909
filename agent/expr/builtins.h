// SPDX-License-Identifier: Apache-2.0
// The functions of the condition language: which there are and how many arguments they take.
// Private to agent/expr.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/expr/expr.h"
#include "agent/expr/value.h"

namespace rollguard::expr {

enum class Takes : uint8_t {
  kValues,     // plain arguments
  kPredicate,  // a list, then a closure (optional when min_args is 1), then plain arguments
};

struct Builtin {
  std::string_view name;
  Takes takes;
  int min_args;
  int max_args;  // -1: any number
};

const Builtin* FindBuiltin(std::string_view name);
std::vector<std::string_view> BuiltinNames();

// What a builtin may do besides computing: take memory from the budget, and say why it failed.
class CallContext {
 public:
  explicit CallContext(const Environment& env) : env_(env) {}

  const Environment& env() const { return env_; }
  bool failed() const { return failed_; }
  const std::string& error() const { return error_; }

  // Remembers the first error; returns nil for the caller to return.
  Value Fail(std::string message);
  // Takes `elements` from the working memory; false (and failed) when there is no more.
  bool Charge(int64_t elements);
  bool ChargeText(size_t bytes) { return Charge(1 + static_cast<int64_t>(bytes / 16)); }
  bool Step();

 private:
  const Environment& env_;
  bool failed_ = false;
  std::string error_;
  int64_t memory_ = kMaxElements;
  int64_t steps_ = kMaxSteps;
};

// Plain functions; the number of arguments has been checked. One family per file.
Value CallText(std::string_view name, std::span<const Value> args, CallContext& context);
Value CallList(std::string_view name, std::span<const Value> args, CallContext& context);
Value CallNumber(std::string_view name, std::span<const Value> args, CallContext& context);
Value CallTime(std::string_view name, std::span<const Value> args, CallContext& context);
// Methods of dates and durations: now().Unix(), duration("1h").Seconds().
Value CallMethod(const Value& self, std::string_view name, std::span<const Value> args,
                 CallContext& context);

// Which family a function belongs to.
enum class Family : uint8_t { kText, kList, kNumber, kTime, kPredicate, kUnknown };
Family FamilyOf(std::string_view name);

// Shared by operators and functions. Whole numbers and durations wrap around as in Go; dates
// saturate.
Value::Nanoseconds Between(Time later, Time earlier);
Time Shift(Time time, Value::Nanoseconds by);
Value::Nanoseconds Plus(Value::Nanoseconds a, Value::Nanoseconds b);
Value Add(const Value& a, const Value& b, CallContext& context);
// -1, 0, 1; 2 when NaN makes them unordered. Unlike types fail as `op`.
int Compare(const Value& a, const Value& b, std::string_view op, CallContext& context);
Value Mismatch(std::string_view op, const Value& a, const Value& b, CallContext& context);
Value BadArgument(std::string_view function, const Value& argument, CallContext& context);
// "[]" of a map key: text as it is, numbers in their shown form.
std::string KeyOf(const Value& value);

}  // namespace rollguard::expr
