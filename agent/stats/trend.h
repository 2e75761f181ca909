// SPDX-License-Identifier: Apache-2.0
// Where a score is heading: the least-squares line through its last looks.
#pragma once

#include <cstddef>
#include <span>

namespace rollguard::stats {

inline constexpr size_t kTrendLooks = 6;

struct Trend {
  double slope = 0;      // per look; negative is getting worse
  double r_squared = 0;  // 0..1: how much of the movement the line explains
  size_t looks = 0;
};

// Of the last `kTrendLooks` scores, oldest first. Slope 0 with fewer than 3; R² is 1 when all are
// equal.
Trend EstimateTrend(std::span<const double> scores);

}  // namespace rollguard::stats
