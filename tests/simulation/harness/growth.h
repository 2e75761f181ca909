// SPDX-License-Identifier: Apache-2.0
// Whether a measured value grows. A straight line through all samples (least squares) says how much
// an hour adds, and how far that may be off by the samples' own ups and downs.
#pragma once

#include <span>

namespace rollguard::simulation {

struct Reading {
  double hour = 0;
  double value = 0;
};

struct Growth {
  double mean = 0;
  double slope = 0;  // per hour
  // One standard error of the slope. Neighbours that are alike tell little anew, so it is larger
  // the more each sample resembles the one before.
  double error = 0;

  // Surely more than `limit` an hour: by more than two standard errors.
  bool Exceeds(double limit) const { return slope - 2 * error > limit; }
};

// With fewer than three readings, or all of one hour, nothing is known: no slope, no error.
Growth GrowthOf(std::span<const Reading> readings);

}  // namespace rollguard::simulation
