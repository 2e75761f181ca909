// SPDX-License-Identifier: Apache-2.0
// Scores of groups of judged metrics, as Kayenta counts them.
#include <algorithm>
#include <cmath>
#include <map>

#include "agent/stats/mann_whitney.h"

namespace rollguard::stats {
namespace {

struct Counts {
  int pass = 0;
  int judged = 0;  // Pass, High, Low, NodataFailMetric
};

// A group with weights: its own; the others share what is left evenly.
double WeightOf(const std::string& group, const std::map<std::string, Counts>& groups,
                std::span<const GroupWeight> weights) {
  double given = 0;
  size_t weighted = 0;
  for (const GroupWeight& w : weights) {
    if (!groups.contains(w.group)) continue;
    if (w.group == group) return w.weight;
    given += w.weight;
    ++weighted;
  }
  return std::max(0.0, 100 - given) / static_cast<double>(groups.size() - weighted);
}

double Round2(double value) { return std::round(value * 100) / 100; }

}  // namespace

Score ScoreMetrics(std::span<const ScoredMetric> metrics, std::span<const GroupWeight> weights,
                   const ScoreThresholds& thresholds) {
  std::map<std::string, Counts> groups;
  size_t nodata = 0;
  for (const ScoredMetric& metric : metrics) {
    const Judgement& j = metric.judgement;
    if (j.critical && j.verdict != Class::kPass)
      return {0, ScoreClass::kFail, "a critical metric failed"};
    Counts& counts = groups[metric.group];
    if (j.verdict == Class::kNodata) {
      ++nodata;
      continue;
    }
    ++counts.judged;
    if (j.verdict == Class::kPass) ++counts.pass;
  }
  if (metrics.empty() || 2 * nodata >= metrics.size())
    return {0, ScoreClass::kFail, "half or more of the metrics have no data"};
  double sum = 0;
  double weight_sum = 0;
  for (const auto& [name, counts] : groups) {
    double weight = WeightOf(name, groups, weights);
    double group = counts.judged == 0 ? 100 : 100.0 * counts.pass / counts.judged;
    sum += group * weight;
    weight_sum += weight;
  }
  Score score;
  score.value = weight_sum > 0 ? Round2(sum / weight_sum) : 0;
  if (score.value >= thresholds.pass) {
    score.verdict = ScoreClass::kPass;
  } else {
    score.verdict = score.value >= thresholds.marginal ? ScoreClass::kMarginal : ScoreClass::kFail;
  }
  return score;
}

}  // namespace rollguard::stats
