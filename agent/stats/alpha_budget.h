// SPDX-License-Identifier: Apache-2.0
// One alpha per release, shared by all comparing rules: the chance that a healthy release is ever
// accused by any of them is at most alpha.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rollguard::stats {

inline constexpr double kDefaultAlpha = 0.01;

class AlphaBudget {
 public:
  explicit AlphaBudget(double alpha = kDefaultAlpha) : alpha_(alpha) {}

  // Rules join before the release begins; weights are relative and default to equal shares.
  void Join(std::string rule, double weight = 1);
  // A rule that can no longer speak (removed, its metric is gone) gives its share to the others.
  void Leave(std::string_view rule);
  // alpha * weight / sum of weights; 0 for a rule that is not there.
  double Share(std::string_view rule) const;
  double alpha() const { return alpha_; }

 private:
  double alpha_;
  std::vector<std::pair<std::string, double>> rules_;
};

// Overdispersion of stable's error counts: Pearson's chi-square over its degrees of freedom, within
// [1, 20]. 1 with fewer than 8 looks or no errors. `looks` are (bad, total).
double EstimateOverdispersion(const std::vector<std::pair<double, double>>& looks);

}  // namespace rollguard::stats
