// SPDX-License-Identifier: Apache-2.0
#include "agent/analysis/score.h"

#include <algorithm>
#include <cmath>

namespace rollguard::analysis {
namespace {

constexpr double kDegradingSlope = -0.05;
constexpr double kSlopeScale = 10;
constexpr double kInvestigateShare = 0.7;
constexpr double kRounding = 1e-9;

double Clamp01(double value) { return std::isfinite(value) ? std::clamp(value, 0.0, 1.0) : 0; }

}  // namespace

const char* ToString(Health health) {
  switch (health) {
    case Health::kUnknown: return "unknown";
    case Health::kHealthy: return "healthy";
    case Health::kDegraded: return "degraded";
    case Health::kUnhealthy: return "unhealthy";
  }
  return "";
}

const char* ToString(Advice advice) {
  switch (advice) {
    case Advice::kMonitor: return "monitor";
    case Advice::kInvestigate: return "investigate";
    case Advice::kRollBack: return "rollback";
  }
  return "";
}

HealthScore ScoreHealth(std::span<const CheckScore> checks, double healthy, double degraded) {
  HealthScore out;
  double sum = 0;
  double weights = 0;
  for (const CheckScore& check : checks) {
    if (check.critical && check.failing && out.critical_check.empty())
      out.critical_check = check.name;
    if (!check.score || !(check.weight > 0)) continue;
    sum += check.weight * Clamp01(*check.score);
    weights += check.weight;
  }
  if (weights > 0) {
    out.score = sum / weights;
    out.health = Health::kUnhealthy;
    if (out.score >= degraded - kRounding) out.health = Health::kDegraded;
    if (out.score >= healthy - kRounding) out.health = Health::kHealthy;
  }
  if (!out.critical_check.empty()) out.health = Health::kUnhealthy;
  return out;
}

double TrendPart(const stats::Trend& trend) {
  return trend.slope < kDegradingSlope ? std::min(1.0, -trend.slope * kSlopeScale) : 0;
}

ConfidenceResult WeighConfidence(const spec::Confidence& settings, const ConfidenceInput& input) {
  ConfidenceResult out;
  double sum = settings.health + settings.trend + settings.severity;
  double unit = sum > 0 ? 1 / sum : 0;
  out.trend = stats::EstimateTrend(input.scores);
  out.health_part = settings.health * unit * (1 - Clamp01(input.health));
  out.trend_part = settings.trend * unit * TrendPart(out.trend);
  out.severity_part = settings.severity * unit * Clamp01(input.severity);
  out.value = out.health_part + out.trend_part + out.severity_part;
  bool reached = out.value >= settings.threshold - kRounding;
  out.consecutive = reached ? input.consecutive_before + 1 : 0;
  if (reached && out.consecutive >= settings.consecutive) {
    out.advice = Advice::kRollBack;
  } else if (out.value >= kInvestigateShare * settings.threshold - kRounding) {
    out.advice = Advice::kInvestigate;
  }
  return out;
}

Json ToJson(const ConfidenceResult& result) {
  return Json::Obj({{"value", result.value},
                    {"health", result.health_part},
                    {"trend", result.trend_part},
                    {"severity", result.severity_part},
                    {"slope", result.trend.slope},
                    {"rSquared", result.trend.r_squared},
                    {"consecutive", result.consecutive},
                    {"advice", ToString(result.advice)}});
}

}  // namespace rollguard::analysis
