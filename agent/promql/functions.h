// SPDX-License-Identifier: Apache-2.0
// The table of PromQL's functions: what each is called, takes and returns. The parser checks calls
// against it, the engine switches on the id.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace rollguard::promql {

// What an expression evaluates to. kVector is an instant vector, kMatrix a range vector.
enum class ValueType : uint8_t { kNone, kScalar, kVector, kMatrix, kString };

// "scalar", "instant vector", "range vector", "string", "none": as Prometheus' errors say it.
const char* Describe(ValueType type);

enum class FunctionId : uint8_t {
  kAbs,
  kAbsent,
  kAbsentOverTime,
  kAcos,
  kAcosh,
  kAsin,
  kAsinh,
  kAtan,
  kAtanh,
  kAvgOverTime,
  kCeil,
  kChanges,
  kClamp,
  kClampMax,
  kClampMin,
  kCos,
  kCosh,
  kCountOverTime,
  kDayOfMonth,
  kDayOfWeek,
  kDayOfYear,
  kDaysInMonth,
  kDeg,
  kDelta,
  kDeriv,
  kExp,
  kFloor,
  kHistogramCount,
  kHistogramFraction,
  kHistogramQuantile,
  kHistogramSum,
  kHoltWinters,
  kHour,
  kIdelta,
  kIncrease,
  kIrate,
  kLabelJoin,
  kLabelReplace,
  kLastOverTime,
  kLn,
  kLog10,
  kLog2,
  kMaxOverTime,
  kMinOverTime,
  kMinute,
  kMonth,
  kPi,
  kPredictLinear,
  kPresentOverTime,
  kQuantileOverTime,
  kRad,
  kRate,
  kResets,
  kRound,
  kScalar,
  kSgn,
  kSin,
  kSinh,
  kSort,
  kSortDesc,
  kSqrt,
  kStddevOverTime,
  kStdvarOverTime,
  kSumOverTime,
  kTan,
  kTanh,
  kTime,
  kTimestamp,
  kVector,
  kYear,
};

// `variadic` as Prometheus counts: 0 means exactly `arg_count` arguments; n > 0 means the last
// argument type may be left out or come up to n times; -1 means any number of times, or none.
struct Function {
  std::string_view name;
  FunctionId id;
  ValueType returns;
  int8_t variadic;
  uint8_t arg_count;
  std::array<ValueType, 5> arg_types;

  size_t MinArgs() const { return variadic == 0 ? arg_count : arg_count - 1U; }
};

// Every function, in the order of their names. Lives for ever.
std::span<const Function> Functions();

// Case matters. nullptr when there is no such function.
const Function* FindFunction(std::string_view name);

}  // namespace rollguard::promql
