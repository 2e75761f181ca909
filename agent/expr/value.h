// SPDX-License-Identifier: Apache-2.0
// What a condition computes with: nil, bool, int, float, string, list, map, duration, date.
// A value type: copies are cheap because lists and maps are shared and never change once made.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "agent/base/json.h"
#include "agent/base/time.h"

namespace rollguard::expr {

class Value {
 public:
  using List = std::vector<Value>;
  using Map = std::vector<std::pair<std::string, Value>>;  // in order of insertion, keys unique
  using Nanoseconds = std::chrono::nanoseconds;
  enum class Type { kNil, kBool, kInt, kFloat, kString, kList, kMap, kDuration, kTime };

  Value() = default;
  Value(bool value) : data_(value) {}                           // NOLINT(*-explicit-*)
  Value(int64_t value) : data_(value) {}                        // NOLINT(*-explicit-*)
  Value(int value) : data_(static_cast<int64_t>(value)) {}      // NOLINT(*-explicit-*)
  Value(double value) : data_(value) {}                         // NOLINT(*-explicit-*)
  Value(std::string value) : data_(std::move(value)) {}         // NOLINT(*-explicit-*)
  Value(std::string_view value) : data_(std::string(value)) {}  // NOLINT(*-explicit-*)
  Value(const char* value) : data_(std::string(value)) {}       // NOLINT(*-explicit-*)
  Value(List value)
      : data_(std::make_shared<const List>(std::move(value))) {}  // NOLINT(*-explicit-*)
  Value(Map value)
      : data_(std::make_shared<const Map>(std::move(value))) {}  // NOLINT(*-explicit-*)
  Value(Nanoseconds value) : data_(value) {}                     // NOLINT(*-explicit-*)
  Value(Time value) : data_(value) {}                            // NOLINT(*-explicit-*)

  static Value Floats(const std::vector<double>& values) {
    return Value(List(values.begin(), values.end()));
  }

  Type type() const { return static_cast<Type>(data_.index()); }
  bool is_nil() const { return type() == Type::kNil; }
  bool is_bool() const { return type() == Type::kBool; }
  bool is_int() const { return type() == Type::kInt; }
  bool is_float() const { return type() == Type::kFloat; }
  bool is_number() const { return is_int() || is_float(); }
  bool is_string() const { return type() == Type::kString; }
  bool is_list() const { return type() == Type::kList; }
  bool is_map() const { return type() == Type::kMap; }
  bool is_duration() const { return type() == Type::kDuration; }
  bool is_time() const { return type() == Type::kTime; }

  // The value of that very type; calling the wrong one is a programming error.
  bool AsBool() const { return std::get<bool>(data_); }
  int64_t AsInt() const { return std::get<int64_t>(data_); }
  double AsFloat() const { return std::get<double>(data_); }
  const std::string& AsString() const { return std::get<std::string>(data_); }
  const List& AsList() const { return *std::get<std::shared_ptr<const List>>(data_); }
  const Map& AsMap() const { return *std::get<std::shared_ptr<const Map>>(data_); }
  Nanoseconds AsDuration() const { return std::get<Nanoseconds>(data_); }
  Time AsTime() const { return std::get<Time>(data_); }
  double AsNumber() const { return is_int() ? static_cast<double>(AsInt()) : AsFloat(); }

  // The member of a map, or nullptr.
  const Value* Find(std::string_view key) const;

  // Nil, or a list, map or string with nothing in it.
  bool IsEmpty() const;

  // Equality as `==` has it: 1 == 1.0, NaN != NaN, lists and maps by element, unlike types differ.
  friend bool operator==(const Value& a, const Value& b);

  // How errors name the type: "nil", "bool", "int", "float64", "string", "[]float64",
  // "[]interface {}", "map[string]interface {}", "time.Duration", "time.Time".
  std::string TypeName() const;

  // As text: numbers as Prometheus prints samples, lists "[10,11]", maps and the rest as JSON.
  std::string ToText() const;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, std::shared_ptr<const List>,
               std::shared_ptr<const Map>, Nanoseconds, Time>
      data_;
};

// JSON as conditions see it: every number is a float.
Value FromJson(const Json& json);
// As FromJson, but the strings "NaN", "+Inf" and "-Inf" (alone or in a list) stand for those
// numbers.
Value FromResultJson(const Json& json);
Json ToJson(const Value& value);

// A sample as Prometheus shows it: plain decimals without exponent, "NaN", "+Inf", "-Inf".
std::string FormatSample(double value);

}  // namespace rollguard::expr
