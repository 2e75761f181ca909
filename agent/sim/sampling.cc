// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/sampling.h"

#include <algorithm>
#include <cmath>

namespace rollguard::sim {

int64_t Binomial(Random& random, int64_t n, double p) {
  if (n <= 0 || p <= 0) return 0;
  if (p >= 1) return n;
  if (p > 0.5) return n - Binomial(random, n, 1 - p);
  double mean = static_cast<double>(n) * p;
  if (n <= 24) {
    int64_t hits = 0;
    for (int64_t i = 0; i < n; ++i) hits += random.Chance(p) ? 1 : 0;
    return hits;
  }
  if (mean > 12) {
    double draw = mean + std::sqrt(mean * (1 - p)) * random.Normal();
    return std::clamp<int64_t>(std::llround(draw), 0, n);
  }
  // The gaps between hits are geometric: few draws when hits are rare.
  int64_t hits = 0;
  double log_miss = std::log1p(-p);
  for (double at = 0;;) {
    at += std::floor(std::log(1 - random.Uniform()) / log_miss) + 1;
    if (at > static_cast<double>(n)) return hits;
    ++hits;
  }
}

LatencyCounts DrawLatencies(Random& random, int64_t n, Duration median, double spread, bool noise) {
  LatencyCounts out;
  double mu = std::log(std::max(1e-4, ToSeconds(median)));
  double sigma = std::max(spread, 1e-3);
  int64_t left = n;
  double below = 0;
  for (size_t i = 0; i < kLatencyBounds.size() && left > 0; ++i) {
    double cdf = 0.5 * std::erfc(-(std::log(kLatencyBounds[i]) - mu) / (sigma * std::sqrt(2.0)));
    double share = below < 1 ? (cdf - below) / (1 - below) : 1;
    int64_t count =
        noise
            ? Binomial(random, left, share)
            : std::min(left, static_cast<int64_t>(std::llround(share * static_cast<double>(left))));
    out.buckets[i] = count;
    left -= count;
    below = cdf;
  }
  out.buckets[kLatencyBounds.size()] = left;
  out.sum = static_cast<double>(n) * std::exp(mu + sigma * sigma / 2);
  return out;
}

}  // namespace rollguard::sim
