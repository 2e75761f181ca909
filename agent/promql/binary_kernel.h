// SPDX-License-Identifier: Apache-2.0
// The arithmetic itself: one tight loop per operator, chosen once per row.
#pragma once

#include <cmath>

#include "agent/promql/ast.h"
#include "agent/promql/cells.h"

namespace rollguard::promql {

// True when the result of `op` is no longer the metric it was.
inline bool DropsName(BinaryOp op) { return op >= BinaryOp::kAdd && op != BinaryOp::kAtan2; }

// Calls `use` with a callable double(double, double) for an arithmetic operator, or
// bool(double, double) for a comparison.
template <class Use>
void WithOperator(BinaryOp op, Use use) {
  switch (op) {
    case BinaryOp::kAdd: return use([](double a, double b) { return a + b; });
    case BinaryOp::kSub: return use([](double a, double b) { return a - b; });
    case BinaryOp::kMul: return use([](double a, double b) { return a * b; });
    case BinaryOp::kDiv: return use([](double a, double b) { return a / b; });
    case BinaryOp::kMod: return use([](double a, double b) { return std::fmod(a, b); });
    case BinaryOp::kPow: return use([](double a, double b) { return std::pow(a, b); });
    case BinaryOp::kAtan2: return use([](double a, double b) { return std::atan2(a, b); });
    case BinaryOp::kEqual: return use([](double a, double b) { return a == b; });
    case BinaryOp::kNotEqual: return use([](double a, double b) { return a != b; });
    case BinaryOp::kLess: return use([](double a, double b) { return a < b; });
    case BinaryOp::kLessEqual: return use([](double a, double b) { return a <= b; });
    case BinaryOp::kGreater: return use([](double a, double b) { return a > b; });
    case BinaryOp::kGreaterEqual: return use([](double a, double b) { return a >= b; });
    case BinaryOp::kOr:
    case BinaryOp::kAnd:
    case BinaryOp::kUnless: return;
  }
}

// What `f` says about two cells that are both there: a filter keeps `kept`.
template <class F>
double Decide(F f, double a, double b, double kept, bool as_bool) {
  if constexpr (std::is_same_v<decltype(f(a, b)), bool>) {
    if (as_bool) return f(a, b) ? 1 : 0;
    return f(a, b) ? kept : kNoCell;
  } else {
    return f(a, b);
  }
}

}  // namespace rollguard::promql
