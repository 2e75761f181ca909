// SPDX-License-Identifier: Apache-2.0
// ./dev fuzz sim (and ./dev chaos sim): whole releases from seeds, as many as time allows.
//
//   chaos_sim --seconds 60 --seed 100000     from that seed on, for that long
//   chaos_sim --seed 7 --seeds 1 --story     one seed, with everything that happened
//
// Without --seed it begins where nobody has been: at the time of day.
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "agent/base/text.h"
#include "tests/simulation/harness/simulation.h"

namespace rollguard::simulation {
namespace {

struct Options {
  double seconds = 60;
  uint64_t seed = 0;
  uint64_t seeds = 0;  // 0: as many as fit
  std::string setup;
  bool story = false;
};

struct Sums {
  uint64_t seeds = 0, failed = 0, starts = 0, rollbacks = 0, promoted = 0, kills = 0, writes = 0;
  double requests = 0, lost = 0;

  void Add(const Report& report) {
    ++seeds;
    starts += report.starts;
    rollbacks += report.rollbacks;
    promoted += report.outcome == "promoted" ? 1 : 0;
    kills += report.kills;
    writes += report.writes + report.status_writes;
    requests += report.requests;
    lost += report.lost;
  }
};

using SteadyClock = std::chrono::steady_clock;

double Since(SteadyClock::time_point began) {
  return std::chrono::duration<double>(SteadyClock::now() - began).count();
}

void Tell(uint64_t seed, const Options& options, const Report& report, bool whole) {
  const Setup* setup = FindSetup(options.setup);
  std::printf("\nFAILED seed %" PRIu64 ": %s\n", seed, report.violations[0].c_str());
  if (!whole) return;
  Report again = Simulation(DrawPlan(seed, setup), true).Run();
  std::printf("%s%s\n", Describe(DrawPlan(seed, setup)).c_str(), Join(again.trace, "\n").c_str());
  for (const std::string& violation : again.violations) std::printf("%s\n", violation.c_str());
  std::printf("alone: chaos_sim --seeds 1 --story --seed %" PRIu64 "\n", seed);
}

int Play(const Options& options) {
  const auto began = SteadyClock::now();
  const Setup* setup = FindSetup(options.setup);
  Sums sums;
  for (uint64_t seed = options.seed;; ++seed) {
    if (options.seeds > 0 ? sums.seeds >= options.seeds : Since(began) >= options.seconds) break;
    Report report = Simulation(DrawPlan(seed, setup), options.story).Run();
    sums.Add(report);
    if (options.story && report.violations.empty()) {
      std::printf("%s%s\n", Describe(DrawPlan(seed, setup)).c_str(),
                  Join(report.trace, "\n").c_str());
    }
    if (report.violations.empty()) continue;
    Tell(seed, options, report, options.story || sums.failed < 3);
    ++sums.failed;
  }
  std::printf("seeds %" PRIu64 " from %" PRIu64 ", failed %" PRIu64
              ", %.1f s, %.1f ms each\n"
              "releases %" PRIu64 ", promoted at the end %" PRIu64 ", revisions rejected %" PRIu64
              ", agents killed %" PRIu64 ", writes %" PRIu64
              "\n"
              "requests %.0f, lost %.0f\n",
              sums.seeds, options.seed, sums.failed, Since(began),
              Since(began) * 1000 / static_cast<double>(sums.seeds > 0 ? sums.seeds : 1),
              sums.starts, sums.promoted, sums.rollbacks, sums.kills, sums.writes, sums.requests,
              sums.lost);
  return sums.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace rollguard::simulation

int main(int argc, char** argv) {
  rollguard::simulation::Options options;
  options.seed = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch() /
                                       std::chrono::seconds(1));
  for (int i = 1; i < argc; ++i) {
    const bool more = i + 1 < argc;
    if (std::strcmp(argv[i], "--story") == 0) {
      options.story = true;
    } else if (more && std::strcmp(argv[i], "--seconds") == 0) {
      options.seconds = std::strtod(argv[++i], nullptr);
    } else if (more && std::strcmp(argv[i], "--seed") == 0) {
      options.seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (more && std::strcmp(argv[i], "--seeds") == 0) {
      options.seeds = std::strtoull(argv[++i], nullptr, 10);
    } else if (more && std::strcmp(argv[i], "--setup") == 0) {
      options.setup = argv[++i];
    } else {
      std::fprintf(stderr,
                   "usage: %s [--seconds N] [--seed S] [--seeds N] [--setup NAME] [--story]\n",
                   argv[0]);
      return 2;
    }
  }
  return rollguard::simulation::Play(options);
}
