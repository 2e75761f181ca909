// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/functions.h"

#include <algorithm>

namespace rollguard::promql {
namespace {

constexpr ValueType kScalar = ValueType::kScalar;
constexpr ValueType kVector = ValueType::kVector;
constexpr ValueType kMatrix = ValueType::kMatrix;
constexpr ValueType kString = ValueType::kString;

constexpr Function kFunctions[] = {
    {"abs", FunctionId::kAbs, kVector, 0, 1, {kVector}},
    {"absent", FunctionId::kAbsent, kVector, 0, 1, {kVector}},
    {"absent_over_time", FunctionId::kAbsentOverTime, kVector, 0, 1, {kMatrix}},
    {"acos", FunctionId::kAcos, kVector, 0, 1, {kVector}},
    {"acosh", FunctionId::kAcosh, kVector, 0, 1, {kVector}},
    {"asin", FunctionId::kAsin, kVector, 0, 1, {kVector}},
    {"asinh", FunctionId::kAsinh, kVector, 0, 1, {kVector}},
    {"atan", FunctionId::kAtan, kVector, 0, 1, {kVector}},
    {"atanh", FunctionId::kAtanh, kVector, 0, 1, {kVector}},
    {"avg_over_time", FunctionId::kAvgOverTime, kVector, 0, 1, {kMatrix}},
    {"ceil", FunctionId::kCeil, kVector, 0, 1, {kVector}},
    {"changes", FunctionId::kChanges, kVector, 0, 1, {kMatrix}},
    {"clamp", FunctionId::kClamp, kVector, 0, 3, {kVector, kScalar, kScalar}},
    {"clamp_max", FunctionId::kClampMax, kVector, 0, 2, {kVector, kScalar}},
    {"clamp_min", FunctionId::kClampMin, kVector, 0, 2, {kVector, kScalar}},
    {"cos", FunctionId::kCos, kVector, 0, 1, {kVector}},
    {"cosh", FunctionId::kCosh, kVector, 0, 1, {kVector}},
    {"count_over_time", FunctionId::kCountOverTime, kVector, 0, 1, {kMatrix}},
    {"day_of_month", FunctionId::kDayOfMonth, kVector, 1, 1, {kVector}},
    {"day_of_week", FunctionId::kDayOfWeek, kVector, 1, 1, {kVector}},
    {"day_of_year", FunctionId::kDayOfYear, kVector, 1, 1, {kVector}},
    {"days_in_month", FunctionId::kDaysInMonth, kVector, 1, 1, {kVector}},
    {"deg", FunctionId::kDeg, kVector, 0, 1, {kVector}},
    {"delta", FunctionId::kDelta, kVector, 0, 1, {kMatrix}},
    {"deriv", FunctionId::kDeriv, kVector, 0, 1, {kMatrix}},
    {"exp", FunctionId::kExp, kVector, 0, 1, {kVector}},
    {"floor", FunctionId::kFloor, kVector, 0, 1, {kVector}},
    {"histogram_count", FunctionId::kHistogramCount, kVector, 0, 1, {kVector}},
    {"histogram_fraction",
     FunctionId::kHistogramFraction,
     kVector,
     0,
     3,
     {kScalar, kScalar, kVector}},
    {"histogram_quantile", FunctionId::kHistogramQuantile, kVector, 0, 2, {kScalar, kVector}},
    {"histogram_sum", FunctionId::kHistogramSum, kVector, 0, 1, {kVector}},
    {"holt_winters", FunctionId::kHoltWinters, kVector, 0, 3, {kMatrix, kScalar, kScalar}},
    {"hour", FunctionId::kHour, kVector, 1, 1, {kVector}},
    {"idelta", FunctionId::kIdelta, kVector, 0, 1, {kMatrix}},
    {"increase", FunctionId::kIncrease, kVector, 0, 1, {kMatrix}},
    {"irate", FunctionId::kIrate, kVector, 0, 1, {kMatrix}},
    {"label_join", FunctionId::kLabelJoin, kVector, -1, 4, {kVector, kString, kString, kString}},
    {"label_replace",
     FunctionId::kLabelReplace,
     kVector,
     0,
     5,
     {kVector, kString, kString, kString, kString}},
    {"last_over_time", FunctionId::kLastOverTime, kVector, 0, 1, {kMatrix}},
    {"ln", FunctionId::kLn, kVector, 0, 1, {kVector}},
    {"log10", FunctionId::kLog10, kVector, 0, 1, {kVector}},
    {"log2", FunctionId::kLog2, kVector, 0, 1, {kVector}},
    {"max_over_time", FunctionId::kMaxOverTime, kVector, 0, 1, {kMatrix}},
    {"min_over_time", FunctionId::kMinOverTime, kVector, 0, 1, {kMatrix}},
    {"minute", FunctionId::kMinute, kVector, 1, 1, {kVector}},
    {"month", FunctionId::kMonth, kVector, 1, 1, {kVector}},
    {"pi", FunctionId::kPi, kScalar, 0, 0, {}},
    {"predict_linear", FunctionId::kPredictLinear, kVector, 0, 2, {kMatrix, kScalar}},
    {"present_over_time", FunctionId::kPresentOverTime, kVector, 0, 1, {kMatrix}},
    {"quantile_over_time", FunctionId::kQuantileOverTime, kVector, 0, 2, {kScalar, kMatrix}},
    {"rad", FunctionId::kRad, kVector, 0, 1, {kVector}},
    {"rate", FunctionId::kRate, kVector, 0, 1, {kMatrix}},
    {"resets", FunctionId::kResets, kVector, 0, 1, {kMatrix}},
    {"round", FunctionId::kRound, kVector, 1, 2, {kVector, kScalar}},
    {"scalar", FunctionId::kScalar, kScalar, 0, 1, {kVector}},
    {"sgn", FunctionId::kSgn, kVector, 0, 1, {kVector}},
    {"sin", FunctionId::kSin, kVector, 0, 1, {kVector}},
    {"sinh", FunctionId::kSinh, kVector, 0, 1, {kVector}},
    {"sort", FunctionId::kSort, kVector, 0, 1, {kVector}},
    {"sort_desc", FunctionId::kSortDesc, kVector, 0, 1, {kVector}},
    {"sqrt", FunctionId::kSqrt, kVector, 0, 1, {kVector}},
    {"stddev_over_time", FunctionId::kStddevOverTime, kVector, 0, 1, {kMatrix}},
    {"stdvar_over_time", FunctionId::kStdvarOverTime, kVector, 0, 1, {kMatrix}},
    {"sum_over_time", FunctionId::kSumOverTime, kVector, 0, 1, {kMatrix}},
    {"tan", FunctionId::kTan, kVector, 0, 1, {kVector}},
    {"tanh", FunctionId::kTanh, kVector, 0, 1, {kVector}},
    {"time", FunctionId::kTime, kScalar, 0, 0, {}},
    {"timestamp", FunctionId::kTimestamp, kVector, 0, 1, {kVector}},
    {"vector", FunctionId::kVector, kVector, 0, 1, {kScalar}},
    {"year", FunctionId::kYear, kVector, 1, 1, {kVector}},
};

}  // namespace

const char* Describe(ValueType type) {
  switch (type) {
    case ValueType::kNone: return "none";
    case ValueType::kScalar: return "scalar";
    case ValueType::kVector: return "instant vector";
    case ValueType::kMatrix: return "range vector";
    case ValueType::kString: return "string";
  }
  return "none";
}

std::span<const Function> Functions() { return kFunctions; }

const Function* FindFunction(std::string_view name) {
  const Function* found =
      std::lower_bound(std::begin(kFunctions), std::end(kFunctions), name,
                       [](const Function& f, std::string_view wanted) { return f.name < wanted; });
  return found != std::end(kFunctions) && found->name == name ? found : nullptr;
}

}  // namespace rollguard::promql
