// SPDX-License-Identifier: Apache-2.0
// A sequential test of latency from histogram buckets: is a larger share of the candidate's
// requests slower than some bucket edge than of stable's?
//
// For every finite edge, stable's share is predicted from earlier looks only (Krichevsky-Trofimov),
// and a grid of odds ratios over it is the bet for the candidate, against a common share for both.
// E is the mean over edges and grid, so it is an e-process like the proportion test's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace rollguard::stats {

inline constexpr std::array<double, 5> kOddsGrid = {1.25, 1.5, 2, 3, 5};

// Cumulative counts per edge, ascending, the last one for +Inf; increases since the last look.
struct HistogramLook {
  std::vector<double> edges;      // finite edges only
  std::vector<double> candidate;  // edges.size() + 1 counts
  std::vector<double> stable;
};

struct Quantiles {
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
};

class HistogramTest {
 public:
  explicit HistogramTest(double overdispersion = 1) : overdispersion_(overdispersion) {}

  // False when the look was skipped: no requests on one side, counts that fall along the edges, or
  // other edges than before (the test then starts anew on those: reset() tells).
  bool Add(const HistogramLook& look);

  double LogE() const;
  double E() const;
  bool Alarm(double alpha) const;

  // The edge whose bets stand highest; nothing before the first look.
  std::optional<double> LoudestEdge() const;
  Quantiles Candidate() const { return Estimate(candidate_total_); }
  Quantiles Stable() const { return Estimate(stable_total_); }
  uint64_t looks() const { return looks_; }
  void set_overdispersion(double phi) { overdispersion_ = phi < 1 ? 1 : phi; }

 private:
  Quantiles Estimate(std::span<const double> cumulative) const;

  double overdispersion_ = 1;
  uint64_t looks_ = 0;
  std::vector<double> edges_;
  std::vector<double> candidate_total_;
  std::vector<double> stable_total_;
  std::vector<std::array<double, kOddsGrid.size()>> log_e_;  // per edge
};

// histogram_quantile's linear interpolation; the largest finite edge when the quantile lies beyond
// it, NaN without observations.
double HistogramQuantile(double q, std::span<const double> edges,
                         std::span<const double> cumulative);

}  // namespace rollguard::stats
