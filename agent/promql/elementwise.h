// SPDX-License-Identifier: Apache-2.0
// Functions of one number, applied to every sample: mathematics, and the calendar of Unix seconds.
#pragma once

#include "agent/promql/functions.h"

namespace rollguard::promql {

using NumberFunction = double (*)(double);

// nullptr when `id` is no such function.
NumberFunction FindNumberFunction(FunctionId id);

// True for hour(), month(), ... which take the evaluation time when they have no argument.
bool IsCalendarFunction(FunctionId id);

double RoundTo(double value, double nearest);
// max(low, min(high, value)) where NaN wins.
double Clamp(double value, double low, double high);
double ClampLow(double value, double low);
double ClampHigh(double value, double high);

}  // namespace rollguard::promql
