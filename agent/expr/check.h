// SPDX-License-Identifier: Apache-2.0
// The types of a condition before it is computed. Private to agent/expr.
#pragma once

#include <string>
#include <vector>

#include "agent/expr/ast.h"
#include "agent/expr/expr.h"

namespace rollguard::expr {

// What is known of a value before it is there. Elements of lists are known one level deep.
struct StaticType {
  enum class Kind : uint8_t {
    kAny,
    kNil,
    kBool,
    kInt,
    kFloat,
    kString,
    kList,
    kMap,
    kDuration,
    kTime
  };
  Kind kind = Kind::kAny;
  Kind element = Kind::kAny;

  bool Is(Kind k) const { return kind == k; }
  bool any() const { return kind == Kind::kAny; }
  bool number() const { return kind == Kind::kInt || kind == Kind::kFloat; }
  std::string Name() const;
  friend bool operator==(const StaticType&, const StaticType&) = default;
};

// The type of an actual value; `untyped`: elements are not looked at.
StaticType TypeOf(const Value& value, bool untyped);

// All problems, in order of position. Names, functions and their arguments, operators over types
// that never fit, literal regular expressions.
std::vector<Problem> CheckTypes(const Tree& tree, StaticType result, StaticType series);

}  // namespace rollguard::expr
