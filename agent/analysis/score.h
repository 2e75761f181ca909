// SPDX-License-Identifier: Apache-2.0
// The health score and the confidence that a release should be taken back.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/base/json.h"
#include "agent/spec/guard.h"
#include "agent/stats/trend.h"

namespace rollguard::analysis {

struct CheckScore {
  std::string name;
  double weight = 1;
  std::optional<double> score;  // 0..1; nothing: unknown, left out of the mean
  bool critical = false;
  bool failing = false;
  std::string message;
};

enum class Health { kUnknown, kHealthy, kDegraded, kUnhealthy };
const char* ToString(Health health);

struct HealthScore {
  Health health = Health::kUnknown;
  double score = 1;            // weighted mean of what is known; 1 when nothing is
  std::string critical_check;  // the failing critical check, if any
};

// healthy >= 0.9, degraded >= 0.7; any failing critical check makes it unhealthy.
HealthScore ScoreHealth(std::span<const CheckScore> checks, double healthy = 0.9,
                        double degraded = 0.7);

// Degrading below -0.05 per look: min(1, 10 * |slope|), else 0.
double TrendPart(const stats::Trend& trend);

enum class Advice { kMonitor, kInvestigate, kRollBack };
const char* ToString(Advice advice);

struct ConfidenceInput {
  double health = 1;               // the score
  std::vector<double> scores;      // the last looks, oldest first, `health` included
  double severity = 0;             // the weightiest firing rule or alert, 0 without any
  int64_t consecutive_before = 0;  // looks at or above the threshold before this one
};

struct ConfidenceResult {
  double value = 0;
  double health_part = 0;  // each already weighted: they sum to `value`
  double trend_part = 0;
  double severity_part = 0;
  stats::Trend trend;
  int64_t consecutive = 0;  // looks in a row at or above the threshold, this one included
  Advice advice = Advice::kMonitor;
};

// 0.4 (1 - health) + 0.3 trend + 0.3 severity, with the guard's weights normalised to sum to 1.
// kRollBack at `threshold` for `consecutive` looks; kInvestigate at 0.7 of the threshold.
ConfidenceResult WeighConfidence(const spec::Confidence& settings, const ConfidenceInput& input);

Json ToJson(const ConfidenceResult& result);

}  // namespace rollguard::analysis
