// SPDX-License-Identifier: Apache-2.0
// The Mann-Whitney judge, as people who come from Kayenta know it: classify each metric as Pass,
// High, Low or Nodata from the confidence interval of the shift between two samples, then score
// groups of metrics.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace rollguard::stats {

enum class Direction { kIncrease, kDecrease, kEither };
enum class NanStrategy { kRemove, kReplace };
enum class OutlierStrategy { kKeep, kRemove };
enum class EffectMeasure { kMeanRatio, kCles };
enum class Class { kPass, kHigh, kLow, kNodata, kNodataFailMetric };

const char* ToString(Class c);

struct JudgeOptions {
  Direction direction = Direction::kEither;
  NanStrategy nan = NanStrategy::kRemove;
  OutlierStrategy outliers = OutlierStrategy::kKeep;
  double confidence = 0.98;
  double tolerance = 0.25;  // the bound is this share of the estimate
  EffectMeasure effect = EffectMeasure::kMeanRatio;
  double allowed_increase = 1;
  double allowed_decrease = 1;
  bool critical = false;
  double critical_increase = 1;
  double critical_decrease = 1;
  bool must_have_data = false;
  size_t min_points = 5;  // below this on either side the verdict is Nodata
  uint64_t seed = 1;      // of the tiny noise on constant samples
};

struct Judgement {
  Class verdict = Class::kNodata;
  bool critical = false;  // a critical metric that did not pass, and far enough off
  // NaN when they were not computed.
  double low = 0;
  double high = 0;
  double estimate = 0;
  double deviation = 0;  // the effect
  std::string reason;
};

Judgement Judge(std::span<const double> candidate, std::span<const double> stable,
                const JudgeOptions& options = {});

// The interval of the shift candidate - stable. Both sides must have values.
struct ShiftInterval {
  double low = 0;
  double high = 0;
  double estimate = 0;
};
ShiftInterval EstimateShift(std::span<const double> candidate, std::span<const double> stable,
                            double confidence);

// One judged metric in a group, for scores.
struct ScoredMetric {
  std::string group;
  Judgement judgement;
};
struct GroupWeight {
  std::string group;
  double weight = 0;  // of 100
};
struct ScoreThresholds {
  double pass = 75;
  double marginal = 50;
};
enum class ScoreClass { kPass, kMarginal, kFail };
struct Score {
  double value = 0;  // 0..100, two decimals
  ScoreClass verdict = ScoreClass::kFail;
  std::string reason;
};
Score ScoreMetrics(std::span<const ScoredMetric> metrics, std::span<const GroupWeight> weights,
                   const ScoreThresholds& thresholds);

// R-7 percentile (linear interpolation) of unsorted values; p in [0, 100].
double Percentile(std::vector<double> values, double p);
double NormalQuantile(double p);
double NormalCdf(double x);

}  // namespace rollguard::stats
