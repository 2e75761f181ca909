// SPDX-License-Identifier: Apache-2.0
// How often the comparing tests accuse a healthy release, and how soon they find a bad one, beside
// what people use otherwise: a z-test looked at again and again, and Mann-Whitney on each look.
// 240 looks of 15 s, alpha 0.01, candidate with a tenth of the traffic. Everything is seeded.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "agent/base/text.h"
#include "agent/stats/histogram.h"
#include "agent/stats/mann_whitney.h"
#include "agent/stats/sequential.h"
#include "tests/bench/report.h"
#include "tests/stats/traffic.h"

namespace rollguard::stats {
namespace {

constexpr int kReleases = 10'000;
constexpr int kLooks = 240;
constexpr double kAlpha = 0.01;
constexpr double kLookSeconds = 15;

// The look of the first alarm, 0 for never, of one seeded release.
using Trial = std::function<int(uint64_t seed)>;

int ZTest(Traffic traffic) {
  const double bound = NormalQuantile(1 - kAlpha);
  ProportionLook sum;
  for (int i = 0; i < kLooks; ++i) {
    ProportionLook look = traffic.Next(i);
    sum.candidate_bad += look.candidate_bad;
    sum.candidate_total += look.candidate_total;
    sum.stable_bad += look.stable_bad;
    sum.stable_total += look.stable_total;
    double pooled = (sum.candidate_bad + sum.stable_bad) / (sum.candidate_total + sum.stable_total);
    double spread =
        std::sqrt(pooled * (1 - pooled) * (1 / sum.candidate_total + 1 / sum.stable_total));
    double off = sum.candidate_bad / sum.candidate_total - sum.stable_bad / sum.stable_total;
    if (spread > 0 && off / spread > bound) return i + 1;
  }
  return 0;
}

// On the error ratios of the looks so far, every fourth look (it is asked once a minute).
int MannWhitneyTrial(Traffic traffic) {
  std::vector<double> candidate;
  std::vector<double> stable;
  JudgeOptions options;
  options.direction = Direction::kIncrease;
  for (int i = 0; i < kLooks; ++i) {
    ProportionLook look = traffic.Next(i);
    candidate.push_back(look.candidate_bad / look.candidate_total);
    stable.push_back(look.stable_bad / look.stable_total);
    if (i % 4 == 3 && Judge(candidate, stable, options).verdict == Class::kHigh) return i + 1;
  }
  return 0;
}

// Latencies are lognormal around 100 ms; requests fall into buckets as Poisson counts.
class Latencies {
 public:
  Latencies(uint64_t seed, double factor) : random_(seed), factor_(factor) {}

  HistogramLook Next() {
    HistogramLook look;
    look.edges = {0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5};
    Fill(look.edges, look.candidate, 100, factor_);
    Fill(look.edges, look.stable, 900, 1);
    return look;
  }

 private:
  void Fill(const std::vector<double>& edges, std::vector<double>& out, double requests,
            double factor) {
    double below = 0;
    double sum = 0;
    for (size_t i = 0; i <= edges.size(); ++i) {
      double upto = i < edges.size() ? NormalCdf(std::log(edges[i] / (0.1 * factor)) / 0.7) : 1;
      sum += Poisson(random_, requests * (upto - below));
      below = upto;
      out.push_back(sum);
    }
  }

  Random random_;
  double factor_;
};

int LatencyTrial(uint64_t seed, double factor) {
  Latencies latencies(seed, factor);
  HistogramTest test;
  for (int i = 0; i < kLooks; ++i) {
    if (test.Add(latencies.Next()) && test.Alarm(kAlpha)) return i + 1;
  }
  return 0;
}

struct Outcome {
  int releases = 0;
  int alarms = 0;
  double median = 0;  // seconds, among those that alarmed
  double p90 = 0;
};

Outcome Measure(int releases, const Trial& trial) {
  Outcome outcome;
  outcome.releases = releases;
  std::vector<double> when;
  for (int seed = 1; seed <= releases; ++seed) {
    int look = trial(static_cast<uint64_t>(seed));
    if (look > 0) when.push_back(look * kLookSeconds);
  }
  outcome.alarms = static_cast<int>(when.size());
  if (!when.empty()) {
    outcome.median = Percentile(when, 50);
    outcome.p90 = Percentile(when, 90);
  }
  return outcome;
}

using bench::Report;

// Tests that promise alpha are held to it; the others are there to compare with.
void False(Report& report, const std::string& name, const Outcome& o, bool promised) {
  const double share = 100.0 * o.alarms / o.releases;
  const std::string what = StrCat("false alarms: ", name);
  if (promised) {
    report.AtMost(what, share, "%", 100 * kAlpha);
  } else {
    report.Add(what, share, "%");
  }
  report.Add(StrCat(what, ", 95 % interval to"), 100 * WilsonUpper(o.alarms, o.releases), "%");
}

void Found(Report& report, const std::string& name, const Outcome& o) {
  report.Add(StrCat(name, ": found"), 100.0 * o.alarms / o.releases, "%");
  report.Add(StrCat(name, ": median"), o.median, "s");
  report.Add(StrCat(name, ": p90"), o.p90, "s");
}

Trial Errors(World world, double ratio) {
  return [=](uint64_t seed) {
    return FirstAlarm(ProportionTest(), Traffic(seed, world, ratio), kAlpha, kLooks);
  };
}

void FalseAlarms(Report& report) {
  report.Section("false alarms on healthy releases, share with 95 % interval (alpha 1 %)");
  False(report, "errors, sequential (mix)", Measure(kReleases, Errors(World::kSteady, 1)), true);
  False(report, "errors, sequential, drifting traffic",
        Measure(kReleases, Errors(World::kDrifting, 1)), true);
  False(report, "errors, sequential, shared incidents",
        Measure(kReleases, Errors(World::kIncidents, 1)), true);
  False(report, "latency, sequential",
        Measure(kReleases, [](uint64_t seed) { return LatencyTrial(seed, 1); }), true);
  False(report, "errors, z-test looked at each time",
        Measure(kReleases, [](uint64_t seed) { return ZTest(Traffic(seed, World::kSteady)); }),
        false);
  False(report, "errors, Mann-Whitney each minute",
        Measure(300, [](uint64_t seed) { return MannWhitneyTrial(Traffic(seed, World::kSteady)); }),
        false);
}

void Detection(Report& report) {
  constexpr int kBad = 1'000;
  report.Section("time to find a bad release");
  for (double ratio : {1.5, 2.0, 3.0, 10.0}) {
    std::string name = Format("errors x %g, sequential", ratio);
    Found(report, name, Measure(kBad, Errors(World::kSteady, ratio)));
    name = Format("errors x %g, z-test (see its false alarms)", ratio);
    Found(report, name, Measure(kBad, [=](uint64_t seed) {
            return ZTest(Traffic(seed, World::kSteady, ratio));
          }));
  }
  for (double factor : {1.25, 1.5, 2.0}) {
    std::string name = Format("latency x %g, sequential", factor);
    Found(report, name, Measure(kBad, [=](uint64_t seed) { return LatencyTrial(seed, factor); }));
  }
}

}  // namespace
}  // namespace rollguard::stats

int main(int argc, char** argv) {
  using namespace rollguard::stats;
  rollguard::bench::Report report("stats", argc, argv);
  FalseAlarms(report);
  Detection(report);
  return report.Finish();
}
