// SPDX-License-Identifier: Apache-2.0
// Functions over a window of one series: points in, one value (or nothing) out.
#pragma once

#include <span>

#include "agent/promql/cells.h"
#include "agent/promql/functions.h"
#include "agent/promql/value.h"

namespace rollguard::promql {

// What a window function may know besides its points.
struct Window {
  std::span<const Point> points;  // not empty, no stale markers
  Millis start = 0;               // the window asked for, after offset and @
  Millis end = 0;
  Millis step_time = 0;  // the step being evaluated, before offset and @
  // The points inside the window that are below the point before them. Only for rate and increase:
  // found once per series, because windows overlap.
  std::span<const Point* const> drops;
  double parameter[2] = {0, 0};  // scalar arguments, in order, without the window
  bool version3 = false;
};

// kNoCell when there is nothing to say.
using WindowFunction = double (*)(const Window&);

// nullptr when `id` is no function over a window. absent_over_time is 1 where there are points,
// like present_over_time: turning that around takes all series together.
WindowFunction FindWindowFunction(FunctionId id);

// The quantile of a list as Prometheus interpolates it. Reorders `values`; NaN counts as smallest.
double Quantile(double q, std::span<double> values);

}  // namespace rollguard::promql
