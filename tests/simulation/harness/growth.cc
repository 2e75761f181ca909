// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/harness/growth.h"

#include <algorithm>
#include <cmath>

namespace rollguard::simulation {

Growth GrowthOf(std::span<const Reading> readings) {
  Growth out;
  const auto n = static_cast<double>(readings.size());
  if (readings.size() < 3) return out;
  double hour = 0;
  for (const Reading& r : readings) {
    hour += r.hour / n;
    out.mean += r.value / n;
  }
  double spread = 0, together = 0;
  for (const Reading& r : readings) {
    spread += (r.hour - hour) * (r.hour - hour);
    together += (r.hour - hour) * (r.value - out.mean);
  }
  if (spread <= 0) return out;
  out.slope = together / spread;

  double squares = 0, neighbours = 0, before = 0;
  for (const Reading& r : readings) {
    const double off = r.value - out.mean - out.slope * (r.hour - hour);
    squares += off * off;
    neighbours += off * before;
    before = off;
  }
  const double alike = squares > 0 ? std::clamp(neighbours / squares, 0.0, 0.95) : 0;
  out.error = std::sqrt(squares / (n - 2) / spread * (1 + alike) / (1 - alike));
  return out;
}

}  // namespace rollguard::simulation
