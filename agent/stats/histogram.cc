// SPDX-License-Identifier: Apache-2.0
#include "agent/stats/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "agent/stats/sequential.h"

namespace rollguard::stats {
namespace {

// Finite, falling nowhere, and with at least one observation.
bool Usable(const std::vector<double>& cumulative, size_t edges) {
  if (cumulative.size() != edges + 1 || !(cumulative.back() > 0)) return false;
  for (size_t i = 0; i < cumulative.size(); ++i) {
    if (!std::isfinite(cumulative[i]) || cumulative[i] < 0) return false;
    if (i > 0 && cumulative[i] + 1e-9 * cumulative.back() < cumulative[i - 1]) return false;
  }
  return true;
}

void Accumulate(std::vector<double>& total, const std::vector<double>& look) {
  for (size_t i = 0; i < look.size(); ++i) total[i] += look[i];
}

// k ln(p / p0) + (n - k) ln((1 - p) / (1 - p0)).
double LogRatio(double k, double n, double p, double p0) {
  return k * std::log(p / p0) + (n - k) * std::log((1 - p) / (1 - p0));
}

}  // namespace

// Krichevsky-Trofimov: (slow + 1/2) / (all + 1) of what stable has shown before this look. A bet on
// counts that are not whole is taken as it stands: the sums are linear in them.
bool HistogramTest::Add(const HistogramLook& look) {
  size_t edges = look.edges.size();
  if (edges == 0 || !Usable(look.candidate, edges) || !Usable(look.stable, edges)) return false;
  if (look.edges != edges_) {
    edges_ = look.edges;
    candidate_total_.assign(edges + 1, 0);
    stable_total_.assign(edges + 1, 0);
    log_e_.assign(edges, {});
    looks_ = 0;
  }
  ++looks_;
  double seen = stable_total_[edges];
  double n_c = look.candidate[edges];
  double n_b = look.stable[edges];
  for (size_t edge = 0; edge < edges; ++edge) {
    double slow_before = seen - stable_total_[edge];
    double p_b = (std::max(slow_before, 0.0) + 0.5) / (seen + 1);
    double k_c = std::max(n_c - look.candidate[edge], 0.0);
    double k_b = std::max(n_b - look.stable[edge], 0.0);
    for (size_t i = 0; i < kOddsGrid.size(); ++i) {
      double odds = kOddsGrid[i] * p_b / (1 - p_b);
      double p_c = odds / (1 + odds);
      double p0 = (n_c * p_c + n_b * p_b) / (n_c + n_b);
      log_e_[edge][i] +=
          (LogRatio(k_c, n_c, p_c, p0) + LogRatio(k_b, n_b, p_b, p0)) / overdispersion_;
    }
  }
  Accumulate(candidate_total_, look.candidate);
  Accumulate(stable_total_, look.stable);
  return true;
}

double HistogramTest::LogE() const {
  if (log_e_.empty()) return 0;
  std::vector<double> all;
  all.reserve(log_e_.size() * kOddsGrid.size());
  for (const auto& row : log_e_) all.insert(all.end(), row.begin(), row.end());
  return LogSumExp(all.data(), all.size()) - std::log(static_cast<double>(all.size()));
}

double HistogramTest::E() const {
  return std::min(std::exp(LogE()), std::numeric_limits<double>::max());
}

bool HistogramTest::Alarm(double alpha) const { return alpha > 0 && LogE() >= -std::log(alpha); }

std::optional<double> HistogramTest::LoudestEdge() const {
  std::optional<double> edge;
  double loudest = 0;
  for (size_t i = 0; i < log_e_.size(); ++i) {
    double here = LogSumExp(log_e_[i].data(), log_e_[i].size());
    if (!edge || here > loudest) {
      loudest = here;
      edge = edges_[i];
    }
  }
  return edge;
}

Quantiles HistogramTest::Estimate(std::span<const double> cumulative) const {
  return {HistogramQuantile(0.5, edges_, cumulative), HistogramQuantile(0.9, edges_, cumulative),
          HistogramQuantile(0.99, edges_, cumulative)};
}

double HistogramQuantile(double q, std::span<const double> edges,
                         std::span<const double> cumulative) {
  if (edges.empty() || cumulative.size() != edges.size() + 1 || !(cumulative.back() > 0))
    return std::nan("");
  double rank = q * cumulative.back();
  size_t bucket = 0;
  while (bucket < edges.size() && cumulative[bucket] < rank) ++bucket;
  if (bucket == edges.size()) return edges.back();
  if (bucket == 0 && edges[0] <= 0) return edges[0];
  double start = bucket == 0 ? 0 : edges[bucket - 1];
  double below = bucket == 0 ? 0 : cumulative[bucket - 1];
  double inside = cumulative[bucket] - below;
  return inside > 0 ? start + (edges[bucket] - start) * (rank - below) / inside : edges[bucket];
}

}  // namespace rollguard::stats
