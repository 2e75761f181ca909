// SPDX-License-Identifier: Apache-2.0
#include "agent/stats/sequential.h"

#include "agent/stats/alpha_budget.h"
#include "agent/stats/histogram.h"
#include "tests/stats/traffic.h"
#include "tests/support/catch.h"

namespace rollguard::stats {
namespace {

ProportionOptions With(Form form) { return {.tolerate = 1, .overdispersion = 1, .form = form}; }

// False alarms among `releases` healthy ones of 240 looks.
int FalseAlarms(World world, int releases, double alpha) {
  int alarms = 0;
  for (int seed = 1; seed <= releases; ++seed) {
    Traffic traffic(static_cast<uint64_t>(seed), world);
    alarms += FirstAlarm(ProportionTest(), traffic, alpha, 240) > 0 ? 1 : 0;
  }
  return alarms;
}

}  // namespace

TEST_CASE("proportions: the check values", "[stats]") {
  struct Row {
    ProportionLook look;
    double e;
  };
  ProportionTest test(With(Form::kPlain));
  for (const Row& row : {Row{{0, 150, 7, 1350}, 0.229937}, Row{{3, 150, 6, 1350}, 0.765208},
                         Row{{6, 150, 7, 1350}, 37.480959}, Row{{5, 150, 8, 1350}, 1034.451227}}) {
    REQUIRE(test.Add(row.look));
    CHECK(test.E() == Approx(row.e).epsilon(3e-6));
  }
  CHECK(test.Alarm(0.001));
  CHECK_FALSE(test.Alarm(0.0005));
}

// The forms as their definition reads, in plain numbers.
TEST_CASE("proportions: restart and mix are what they say", "[stats]") {
  ProportionTest plain(With(Form::kPlain));
  ProportionTest restart(With(Form::kRestart));
  ProportionTest mix(With(Form::kMix));
  double w[7] = {};
  double spent = 0;
  Traffic traffic(7, World::kSteady, 2);
  for (int t = 1; t <= 20; ++t) {
    ProportionLook look = traffic.Next(t - 1);
    for (auto* test : {&plain, &restart, &mix}) REQUIRE(test->Add(look));
    double weight = 1.0 / (t * (t + 1.0));
    spent += weight;
    double mean = 0;
    for (size_t i = 0; i < 7; ++i) {
      double g = kProportionGrid[i];
      double q0 = look.candidate_total / (look.candidate_total + look.stable_total);
      double qg = g * look.candidate_total / (g * look.candidate_total + look.stable_total);
      double l =
          look.candidate_bad * std::log(qg / q0) + look.stable_bad * std::log((1 - qg) / (1 - q0));
      w[i] = (w[i] + weight) * std::exp(l);
      mean += w[i] / 7;
    }
    CHECK(restart.E() == Approx(mean + 1 - spent).epsilon(1e-9));
    CHECK(mix.E() == Approx((plain.E() + restart.E()) / 2).epsilon(1e-9));
  }
}

TEST_CASE("proportions: looks that say nothing", "[stats]") {
  ProportionTest test;
  CHECK_FALSE(test.Add({0, 0, 3, 100}));
  CHECK_FALSE(test.Add({0, 100, 0, 0}));
  CHECK_FALSE(test.Add({std::nan(""), 100, 0, 10}));
  CHECK_FALSE(test.Add({-1, 100, 0, 10}));
  CHECK(test.looks() == 0);
  CHECK(test.E() == Approx(1));
  for (int i = 0; i < 10; ++i) CHECK(test.Add({0, 100, 0, 900}));
  CHECK(test.E() == Approx(1));
}

TEST_CASE("proportions: a late fault is found, and sooner than by the plain form", "[stats]") {
  auto first = [](Form form) {
    ProportionTest test(With(form));
    for (int i = 0; i < 200; ++i) (void)test.Add({1, 150, 9, 1350});
    for (int i = 1; i <= 200; ++i) {
      (void)test.Add({6, 150, 9, 1350});
      if (test.Alarm(0.01)) return i;
    }
    return 999;
  };
  CHECK(first(Form::kMix) <= 6);
  CHECK(first(Form::kMix) < first(Form::kPlain));
}

TEST_CASE("proportions: tolerance and overdispersion hold the test back", "[stats]") {
  ProportionTest strict;
  ProportionTest tolerant({.tolerate = 2, .overdispersion = 1, .form = Form::kMix});
  ProportionTest clustered({.tolerate = 1, .overdispersion = 4, .form = Form::kMix});
  for (int i = 0; i < 100; ++i) {
    for (auto* test : {&strict, &tolerant, &clustered}) (void)test->Add({2, 100, 9, 900});
  }
  CHECK(strict.Alarm(0.01));
  CHECK_FALSE(tolerant.Alarm(0.01));
  CHECK(clustered.LogE() < strict.LogE());
  CHECK(
      ProportionTest({.tolerate = 1, .overdispersion = 99, .form = Form::kMix}).overdispersion() ==
      20);
}

TEST_CASE("proportions: a test goes on from its state", "[stats]") {
  ProportionTest a;
  (void)a.Add({3, 100, 4, 900});
  ProportionTest b;
  b.Restore(a.state());
  (void)a.Add({2, 100, 4, 900});
  (void)b.Add({2, 100, 4, 900});
  CHECK(a.LogE() == b.LogE());
}

TEST_CASE("proportions: huge counts do not overflow", "[stats]") {
  ProportionTest test;
  for (int i = 0; i < 100; ++i) (void)test.Add({1e9, 1e9, 0, 1e9});
  CHECK(std::isfinite(test.E()));
  CHECK(test.Alarm(1e-300));
}

// 240 looks at each of 10,000 healthy releases: the share that is ever accused stays under alpha.
TEST_CASE("proportions: false alarms under the null", "[stats][null]") {
  constexpr int kReleases = 10'000;
  constexpr double kAlpha = 0.01;
  for (World world : {World::kSteady, World::kDrifting, World::kIncidents}) {
    int alarms = FalseAlarms(world, kReleases, kAlpha);
    CAPTURE(alarms, WilsonUpper(alarms, kReleases));
    CHECK(alarms <= kAlpha * kReleases);
    CHECK(WilsonUpper(alarms, kReleases) <= kAlpha);
  }
}

TEST_CASE("proportions: real faults are found", "[stats]") {
  for (double ratio : {3.0, 10.0}) {
    int found = 0;
    for (uint64_t seed = 1; seed <= 100; ++seed) {
      found +=
          FirstAlarm(ProportionTest(), Traffic(seed, World::kSteady, ratio), 0.01, 240) > 0 ? 1 : 0;
    }
    CHECK(found >= 99);
  }
}

namespace {

HistogramLook Latency(Random& random, double factor) {
  HistogramLook look;
  look.edges = {0.05, 0.1, 0.25, 0.5, 1, 2.5};
  auto fill = [&](std::vector<double>& cumulative, int requests, double scale) {
    cumulative.assign(look.edges.size() + 1, 0);
    for (int i = 0; i < requests; ++i) {
      double latency = 0.1 * scale * std::exp(0.7 * random.Normal());
      size_t bucket = 0;
      while (bucket < look.edges.size() && latency > look.edges[bucket]) ++bucket;
      for (size_t b = bucket; b < cumulative.size(); ++b) ++cumulative[b];
    }
  };
  fill(look.candidate, 30, factor);
  fill(look.stable, 120, 1);
  return look;
}

int FirstLatencyAlarm(uint64_t seed, double factor, int looks) {
  Random random(seed);
  HistogramTest test;
  for (int i = 1; i <= looks; ++i) {
    if (test.Add(Latency(random, factor)) && test.Alarm(0.01)) return i;
  }
  return 0;
}

}  // namespace

TEST_CASE("latency: one look by hand", "[stats]") {
  HistogramTest test;
  REQUIRE(test.Add({{0.1}, {6, 10}, {90, 100}}));
  double mean = 0;
  for (double odds : kOddsGrid) {
    double p_b = 0.5;
    double p_c = odds * p_b / (1 - p_b) / (1 + odds * p_b / (1 - p_b));
    double p0 = (10 * p_c + 100 * p_b) / 110;
    mean += std::exp(4 * std::log(p_c / p0) + 6 * std::log((1 - p_c) / (1 - p0)) +
                     10 * std::log(p_b / p0) + 90 * std::log((1 - p_b) / (1 - p0))) /
            5;
  }
  CHECK(test.E() == Approx(mean));
  CHECK(test.LoudestEdge() == 0.1);
}

TEST_CASE("latency: slower candidates are found, equal ones are not", "[stats]") {
  int quiet = 0;
  int found = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    quiet += FirstLatencyAlarm(seed, 1, 60) == 0 ? 1 : 0;
    int at = FirstLatencyAlarm(seed, 2, 60);
    found += at > 0 && at <= 20 ? 1 : 0;
  }
  CHECK(quiet == 40);
  CHECK(found == 40);
}

TEST_CASE("latency: looks that cannot be used", "[stats]") {
  HistogramTest test;
  CHECK_FALSE(test.Add({{}, {1}, {1}}));
  CHECK_FALSE(test.Add({{1}, {0, 0}, {5, 9}}));
  CHECK_FALSE(test.Add({{1}, {5, 3}, {5, 9}}));
  CHECK_FALSE(test.Add({{1}, {5}, {5, 9}}));
  CHECK(test.E() == 1);
  REQUIRE(test.Add({{1, 2}, {5, 8, 10}, {50, 90, 100}}));
  CHECK(test.Candidate().p50 == Approx(1));
  CHECK(test.Stable().p90 == Approx(2));
  CHECK(test.Stable().p99 == Approx(2));
  REQUIRE(test.Add({{1}, {5, 10}, {50, 100}}));  // other buckets: anew
  CHECK(test.looks() == 1);
}

TEST_CASE("alpha is shared and unspent shares go to the others", "[stats]") {
  AlphaBudget budget(0.01);
  budget.Join("a");
  budget.Join("b", 3);
  CHECK(budget.Share("a") == Approx(0.0025));
  CHECK(budget.Share("b") == Approx(0.0075));
  CHECK(budget.Share("c") == 0);
  budget.Leave("b");
  CHECK(budget.Share("a") == Approx(0.01));
}

TEST_CASE("overdispersion of clustered errors", "[stats]") {
  std::vector<std::pair<double, double>> even;
  std::vector<std::pair<double, double>> clustered;
  Random random(3);
  for (int i = 0; i < 64; ++i) {
    even.emplace_back(Poisson(random, 10), 1000);
    clustered.emplace_back(5 * Poisson(random, 2), 1000);
  }
  CHECK(EstimateOverdispersion(even) < 1.6);
  CHECK(EstimateOverdispersion(clustered) > 3);
  CHECK(EstimateOverdispersion(clustered) < 8);
  CHECK(EstimateOverdispersion({{5, 10}}) == 1);
  CHECK(EstimateOverdispersion(std::vector<std::pair<double, double>>(10, {0, 100})) == 1);
}

}  // namespace rollguard::stats
