// SPDX-License-Identifier: Apache-2.0
#include "agent/stats/trend.h"

namespace rollguard::stats {

Trend EstimateTrend(std::span<const double> scores) {
  constexpr size_t kEnough = 3;
  if (scores.size() > kTrendLooks) scores = scores.subspan(scores.size() - kTrendLooks);
  Trend trend;
  trend.looks = scores.size();
  if (scores.size() < kEnough) return trend;
  auto n = static_cast<double>(scores.size());
  double mean_x = (n - 1) / 2;
  double mean_y = 0;
  for (double y : scores) mean_y += y / n;
  double xx = 0;
  double xy = 0;
  double yy = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    double x = static_cast<double>(i) - mean_x;
    double y = scores[i] - mean_y;
    xx += x * x;
    xy += x * y;
    yy += y * y;
  }
  trend.slope = xy / xx;
  constexpr double kFlat = 1e-18;
  trend.r_squared = yy > kFlat ? xy * xy / (xx * yy) : 1;
  if (yy <= kFlat) trend.slope = 0;
  return trend;
}

}  // namespace rollguard::stats
