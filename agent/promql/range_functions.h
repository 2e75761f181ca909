// SPDX-License-Identifier: Apache-2.0
// Functions over a window of one series: points in, one value (or nothing) out.
#pragma once

#include <span>
#include <string_view>

#include "agent/promql/cells.h"
#include "agent/promql/value.h"

namespace rollguard::promql {

// What a window function may know besides its points.
struct Window {
  std::span<const Point> points;  // not empty, no stale markers
  Millis start = 0;               // the window asked for, after offset and @
  Millis end = 0;
  Millis step_time = 0;          // the step being evaluated, before offset and @
  double parameter[2] = {0, 0};  // scalar arguments, in order, without the window
  bool version3 = false;
};

// kAbsent when there is nothing to say.
using WindowFunction = double (*)(const Window&);

// nullptr when `name` is no function over a window. absent_over_time is not here: it looks at many
// series at once.
WindowFunction FindWindowFunction(std::string_view name);

// The quantile of a list as Prometheus interpolates it. Reorders `values`; NaN counts as smallest.
double Quantile(double q, std::span<double> values);

}  // namespace rollguard::promql
