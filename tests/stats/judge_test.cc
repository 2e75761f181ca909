// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "agent/base/random.h"
#include "agent/stats/mann_whitney.h"
#include "agent/stats/trend.h"
#include "tests/support/catch.h"

namespace rollguard::stats {
namespace {

const std::vector<double> kBase = {10, 11, 12, 13, 14, 15, 16, 17, 18, 19};

std::vector<double> Shifted(double by) {
  std::vector<double> out = kBase;
  for (double& v : out) v += by;
  return out;
}

Class Of(const std::vector<double>& candidate, const std::vector<double>& stable,
         JudgeOptions options = {}) {
  return Judge(candidate, stable, options).verdict;
}

}  // namespace

TEST_CASE("judge: classes in their order", "[stats]") {
  const double nan = std::nan("");
  CHECK(Of({}, kBase) == Class::kNodata);
  CHECK(Of(kBase, {nan, nan}) == Class::kNodata);
  CHECK(Of({}, kBase, {.nan = NanStrategy::kReplace}) == Class::kPass);
  CHECK(Of({}, kBase, {.must_have_data = true}) == Class::kNodataFailMetric);
  CHECK(Of({}, kBase, {.critical = true, .must_have_data = true}) == Class::kNodata);
  CHECK(Of({1, 2, 3}, {4, 5, 6}) == Class::kNodata);
  CHECK(Of({3, 1, 2}, {1, 2, 3}, {.min_points = 1}) == Class::kPass);
  CHECK(Of({5, 5, 5, 5, 5}, {5, 5, 5, 5, 5, 5}) == Class::kPass);
  CHECK(Of({9, 9, 9, 9, 9}, {5, 5, 5, 5, 5}) == Class::kHigh);
  CHECK(Of(Shifted(0.1), kBase) == Class::kPass);
  CHECK(Of(Shifted(20), kBase) == Class::kHigh);
  CHECK(Of(Shifted(-8), kBase) == Class::kLow);
  CHECK(Of(Shifted(20), kBase, {.direction = Direction::kDecrease}) == Class::kPass);
  CHECK(Of(Shifted(-8), kBase, {.direction = Direction::kIncrease}) == Class::kPass);
  CHECK(Of(Shifted(20), kBase, {.allowed_increase = 3}) == Class::kPass);
  CHECK(Of(Shifted(20), kBase, {.effect = EffectMeasure::kCles, .allowed_increase = 0.9}) ==
        Class::kHigh);
}

TEST_CASE("judge: the interval", "[stats]") {
  // A shift of everything by 20: the estimate is 20, and the interval holds it.
  ShiftInterval shift = EstimateShift(Shifted(20), kBase, 0.98);
  CHECK(shift.estimate == Approx(20).margin(0.6));
  CHECK(shift.low < shift.estimate);
  CHECK(shift.high > shift.estimate);
  CHECK(shift.low > 15);
  CHECK(shift.high < 25);
  // A wider confidence is a wider interval.
  ShiftInterval wide = EstimateShift(Shifted(20), kBase, 0.999);
  CHECK(wide.low <= shift.low);
  CHECK(wide.high >= shift.high);
}

TEST_CASE("judge: critical metrics", "[stats]") {
  JudgeOptions critical{.critical = true, .critical_increase = 3};
  CHECK_FALSE(Judge(Shifted(20), kBase, critical).critical);
  CHECK(Judge(Shifted(60), kBase, critical).critical);
  std::vector<double> zeros = {-1, 1, -1, 1, 0};
  CHECK(Judge(Shifted(20), zeros, critical).critical);  // no ratio: a mean is 0
  CHECK(std::isnan(Judge(Shifted(20), zeros, critical).deviation));
}

TEST_CASE("judge: outliers", "[stats]") {
  std::vector<double> spiked = Shifted(1);
  spiked.push_back(1e6);
  JudgeOptions remove{.outliers = OutlierStrategy::kRemove};
  CHECK(Judge(spiked, kBase).deviation > 1000);
  // The 99th percentile itself lies beyond the spike's fence: strictly outside is what goes.
  CHECK(Judge(spiked, kBase, remove).deviation < 2);
  CHECK(Percentile({1, 2, 3, 4}, 25) == Approx(1.75));
  CHECK(Percentile({1, 2, 3, 4}, 99) == Approx(3.97));
}

TEST_CASE("judge: the same answer from the same samples", "[stats]") {
  std::vector<double> a(8, 9);
  std::vector<double> b(9, 5);
  CHECK(Judge(a, b).low == Judge(a, b).low);
  CHECK(Judge(a, b).estimate == Approx(4).margin(0.01));
}

TEST_CASE("scores of groups", "[stats]") {
  auto metric = [](const char* group, Class c, bool critical = false) {
    Judgement j;
    j.verdict = c;
    j.critical = critical;
    return ScoredMetric{group, j};
  };
  using Metrics = std::vector<ScoredMetric>;
  ScoreThresholds thresholds{80, 50};
  Metrics half = {metric("a", Class::kPass), metric("a", Class::kHigh), metric("b", Class::kPass)};
  CHECK(ScoreMetrics(half, std::vector<GroupWeight>{}, thresholds).value == 75);
  CHECK(ScoreMetrics(half, std::vector<GroupWeight>{{"a", 80}}, thresholds).value == 60);
  CHECK(ScoreMetrics(half, std::vector<GroupWeight>{{"a", 80}}, thresholds).verdict ==
        ScoreClass::kMarginal);
  Metrics third = {metric("a", Class::kPass), metric("a", Class::kLow),
                   metric("a", Class::kNodataFailMetric)};
  CHECK(ScoreMetrics(third, std::vector<GroupWeight>{}, thresholds).value == 33.33);
  Metrics critical = {metric("a", Class::kPass), metric("b", Class::kHigh, true)};
  CHECK(ScoreMetrics(critical, std::vector<GroupWeight>{}, thresholds).value == 0);
  Metrics blind = {metric("a", Class::kPass), metric("b", Class::kNodata)};
  CHECK(ScoreMetrics(blind, std::vector<GroupWeight>{}, thresholds).value == 0);
  Metrics mostly = {metric("a", Class::kPass), metric("a", Class::kPass),
                    metric("b", Class::kNodata)};
  CHECK(ScoreMetrics(mostly, std::vector<GroupWeight>{}, thresholds).value == 100);
}

TEST_CASE("the normal distribution", "[stats]") {
  CHECK(NormalQuantile(0.975) == Approx(1.959963985).epsilon(1e-9));
  CHECK(NormalQuantile(0.99) == Approx(2.326347874).epsilon(1e-9));
  CHECK(NormalQuantile(0.5) == Approx(0).margin(1e-12));
  CHECK(NormalCdf(1.959963985) == Approx(0.975));
}

TEST_CASE("trend: slope and R² over the last six looks", "[stats]") {
  auto trend = [](std::vector<double> scores) { return EstimateTrend(scores); };
  CHECK(trend({1, 0.9, 0.8, 0.7}).slope == Approx(-0.1));
  CHECK(trend({1, 0.9, 0.8, 0.7}).r_squared == Approx(1));
  CHECK(trend({0, 0, 0, 1, 1, 1, 1, 1, 1}).slope == 0);
  CHECK(trend({0.9, 0.9, 0.9}).r_squared == 1);
  CHECK(trend({1, 0.5}).slope == 0);
  CHECK(trend({1, 2, 1, 2, 1, 2}).r_squared == Approx(0.0857).margin(1e-3));
}

}  // namespace rollguard::stats
