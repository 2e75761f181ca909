// SPDX-License-Identifier: Apache-2.0
// Random counts for the traffic: binomial draws and latency histograms. Exact for small numbers,
// the normal approximation for large ones.
#pragma once

#include <array>
#include <cstdint>

#include "agent/base/random.h"
#include "agent/base/time.h"

namespace rollguard::sim {

// How many of `n` happen, each with probability `p`.
int64_t Binomial(Random& random, int64_t n, double p);

inline constexpr std::array<double, 12> kLatencyBounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                          0.5,   1,    2.5,   5,    10,  30};

// Requests per bucket (not cumulative; the last is beyond every bound) and their sum in seconds.
struct LatencyCounts {
  std::array<int64_t, kLatencyBounds.size() + 1> buckets{};
  double sum = 0;
};

// `n` log-normal latencies around `median`. Without noise the counts are the rounded expectations.
LatencyCounts DrawLatencies(Random& random, int64_t n, Duration median, double spread, bool noise);

}  // namespace rollguard::sim
