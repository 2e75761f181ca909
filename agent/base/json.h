// SPDX-License-Identifier: Apache-2.0
// A JSON value: the form in which Kubernetes objects, patches and evidence travel through the core.
// Members keep their order. A value type: copies are deep. Not thread-safe.
//
// Why not a library type: the core's headers carry no third-party types, parsing must be bounded
// in depth and reject duplicate keys, and printing must never throw on invalid UTF-8. Big answers
// (lists of thousands of objects) are read with simdjson at the edges instead.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "agent/base/expected.h"

namespace rollguard {

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;
  enum class Type { kNull, kBool, kInt, kDouble, kString, kArray, kObject };

  Json() = default;
  Json(std::nullptr_t) {}                                        // NOLINT(*-explicit-*)
  Json(bool value) : value_(value) {}                            // NOLINT(*-explicit-*)
  Json(int value) : value_(static_cast<int64_t>(value)) {}       // NOLINT(*-explicit-*)
  Json(int64_t value) : value_(value) {}                         // NOLINT(*-explicit-*)
  Json(uint32_t value) : value_(static_cast<int64_t>(value)) {}  // NOLINT(*-explicit-*)
  Json(size_t value) : value_(static_cast<int64_t>(value)) {}    // NOLINT(*-explicit-*)
  Json(double value) : value_(value) {}                          // NOLINT(*-explicit-*)
  Json(const char* value) : value_(std::string(value)) {}        // NOLINT(*-explicit-*)
  Json(std::string_view value) : value_(std::string(value)) {}   // NOLINT(*-explicit-*)
  Json(std::string value) : value_(std::move(value)) {}          // NOLINT(*-explicit-*)
  Json(Array value) : value_(std::move(value)) {}                // NOLINT(*-explicit-*)
  Json(Object value) : value_(std::move(value)) {}               // NOLINT(*-explicit-*)

  // Json::Obj({{"a", 1}, {"b", Json::Arr({1, 2})}})
  static Json Obj(std::initializer_list<Member> members = {}) { return Json(Object(members)); }
  static Json Arr(std::initializer_list<Json> items = {}) { return Json(Array(items)); }

  Type type() const { return static_cast<Type>(value_.index()); }
  bool is_null() const { return type() == Type::kNull; }
  bool is_bool() const { return type() == Type::kBool; }
  bool is_number() const { return type() == Type::kInt || type() == Type::kDouble; }
  bool is_int() const { return type() == Type::kInt; }
  bool is_string() const { return type() == Type::kString; }
  bool is_array() const { return type() == Type::kArray; }
  bool is_object() const { return type() == Type::kObject; }

  // Lenient readers: the fallback when the value is of another type.
  bool BoolOr(bool fallback) const;
  int64_t IntOr(int64_t fallback) const;  // a double with an integral value counts
  double DoubleOr(double fallback) const;
  const std::string& StringOr(const std::string& fallback) const;
  std::string Str() const;  // the string, or "" for anything else

  // Items or members; empty when the value is of another type. The mutable forms make any other
  // value an empty array/object first, so that what strangers wrote in another shape ends nothing.
  const Array& items() const;
  const Object& members() const;
  Array& items();
  Object& members();
  size_t size() const;  // of an array or object, else 0

  // Lookup. Find: nullptr when absent or not an object. At: a shared null when absent; several keys
  // walk down. operator[] inserts. Keys are unique.
  const Json* Find(std::string_view key) const;
  Json* Find(std::string_view key);
  const Json& At(std::string_view key) const;
  template <class... Keys>
  const Json& At(std::string_view key, std::string_view next, Keys... rest) const {
    return At(key).At(next, rest...);
  }
  const Json& At(size_t index) const;
  Json& operator[](std::string_view key);
  Json& Set(std::string_view key, Json value);  // returns *this
  bool Erase(std::string_view key);
  Json& Push(Json value);  // returns *this

  // Structural equality; objects compare regardless of member order; 1 == 1.0.
  friend bool operator==(const Json& a, const Json& b);

  // Compact, or indented when `indent` > 0. Doubles print shortest; NaN and infinities as strings.
  // Invalid UTF-8 is replaced by U+FFFD.
  std::string Dump(int indent = 0) const;
  // Members sorted by key at every level: the form that is hashed and compared.
  std::string Canonical() const;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> value_;
};

struct JsonLimits {
  size_t max_depth = 128;
  size_t max_bytes = 64U << 20;
  bool allow_duplicate_keys = false;  // false: an error; true: the last one wins
};

// Strict RFC 8259: one value, nothing after it, valid UTF-8, no duplicate keys. The error names
// line and column.
Expected<Json> ParseJson(std::string_view text, const JsonLimits& limits = {});

}  // namespace rollguard
