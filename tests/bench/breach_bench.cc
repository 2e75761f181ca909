// SPDX-License-Identifier: Apache-2.0
// From a breach that the metrics source shows to the first route patch. Each of a hundred active
// releases has five rules that a real Prometheus is asked about every five seconds; one release
// after the other breaks one of them, at any moment between two rounds. What may pass is the rest
// of the interval, which nobody can shorten, and the agent's share and the source's after that.
//
//   bench_breach [--active N]
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "agent/base/text.h"
#include "tests/bench/fleet.h"
#include "tests/bench/report.h"
#include "tests/support/real_clock.h"

namespace rollguard::bench {
namespace {

constexpr int kInterval = 5;
constexpr int kSamples = 40;
constexpr double kApart = 0.73;  // no part of the interval: they fall on every part of it

// When the first route patch of svc-`guard` came after `since`; negative: none did.
double PatchedAt(const std::vector<ApiWrite>& writes, int guard, double since) {
  for (const ApiWrite& write : writes) {
    if (write.arrived >= since && write.path.ends_with(StrCat("/svc-", guard)) &&
        write.path.find("/virtualservices/") != std::string::npos)
      return write.arrived;
  }
  return -1;
}

// The first round at or after a moment of the monotonic clock: rounds lie on multiples of the
// interval on the clock of the wall.
double NextRound(double moment) {
  const double wall =
      static_cast<double>(ToUnixMillis(testing::RealClock().Now())) / 1e3 - Monotonic();
  return std::ceil((moment + wall) / kInterval) * kInterval - wall;
}

int Main(int argc, char** argv) {
  Report report("breach", argc, argv);
  const int active = static_cast<int>(report.Option("--active", 100));
  Fleet fleet({.guards = active, .interval = kInterval, .breakable = true});
  fleet.StartAgent(false);
  fleet.Await("Idle", active);
  fleet.cluster().SetImage(0, active, "registry.example.com/shop/app:2");
  fleet.Await("Waiting", active);
  fleet.Pass(2 * kInterval);
  const size_t before = fleet.cluster().Writes().size();
  std::vector<double> visible;
  for (int i = 0; i < std::min(kSamples, active); ++i) {
    visible.push_back(fleet.Break(i));
    fleet.Pass(kApart);
  }
  fleet.Pass(2 * kInterval);
  const auto writes = fleet.cluster().Writes(before);
  std::vector<double> whole, after_round;
  int lost = 0;
  for (size_t i = 0; i < visible.size(); ++i) {
    const double patched = PatchedAt(writes, static_cast<int>(i), visible[i]);
    if (patched < 0) {
      ++lost;
      continue;
    }
    whole.push_back(patched - visible[i]);
    after_round.push_back((patched - NextRound(visible[i])) * 1e3);
  }
  auto name = [&](const char* what) { return StrCat(active, " active: breach to patch, ", what); };
  report.Add({.name = name("slowest"),
              .value = whole.empty() ? 0 : *std::max_element(whole.begin(), whole.end()),
              .unit = "s",
              .at_most = kInterval + 0.1,
              .at_least = {},
              .floor = kInterval,
              .floor_is = "the interval of the rules"});
  report.Add(name("p50"), Quantile(whole, 0.5), "s");
  report.Add(name("p50 after the round that sees it"), Quantile(after_round, 0.5), "ms");
  report.Add(name("p99 after the round that sees it"), Quantile(after_round, 0.99), "ms");
  report.AtMost(name("breaches without a patch"), lost, "", 0);
  return report.Finish();
}

}  // namespace
}  // namespace rollguard::bench

int main(int argc, char** argv) { return rollguard::bench::Main(argc, argv); }
