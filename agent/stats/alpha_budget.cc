// SPDX-License-Identifier: Apache-2.0
#include "agent/stats/alpha_budget.h"

#include <algorithm>
#include <cmath>

namespace rollguard::stats {

void AlphaBudget::Join(std::string rule, double weight) {
  Leave(rule);
  rules_.emplace_back(std::move(rule), std::isfinite(weight) && weight > 0 ? weight : 0);
}

void AlphaBudget::Leave(std::string_view rule) {
  std::erase_if(rules_, [&](const auto& r) { return r.first == rule; });
}

double AlphaBudget::Share(std::string_view rule) const {
  double sum = 0;
  double own = 0;
  for (const auto& [name, weight] : rules_) {
    sum += weight;
    if (name == rule) own = weight;
  }
  return sum > 0 ? alpha_ * own / sum : 0;
}

double EstimateOverdispersion(const std::vector<std::pair<double, double>>& looks) {
  constexpr size_t kEnough = 8;
  constexpr double kCap = 20;
  double bad = 0;
  double total = 0;
  size_t used = 0;
  for (const auto& [b, n] : looks) {
    if (!(n > 0) || !(b >= 0)) continue;
    bad += b;
    total += n;
    ++used;
  }
  if (used < kEnough || !(bad > 0) || bad >= total) return 1;
  double share = bad / total;
  double chi = 0;
  for (const auto& [b, n] : looks) {
    if (!(n > 0) || !(b >= 0)) continue;
    double off = b - n * share;
    chi += off * off / (n * share * (1 - share));
  }
  return std::clamp(chi / static_cast<double>(used - 1), 1.0, kCap);
}

}  // namespace rollguard::stats
