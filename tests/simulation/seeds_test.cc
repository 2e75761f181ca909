// SPDX-License-Identifier: Apache-2.0
// Thousands of releases, each drawn from a seed. A failing seed prints its whole story and how to
// play it alone.
#include <cstdlib>
#include <iostream>

#include "agent/base/text.h"
#include "tests/simulation/harness/tally.h"
#include "tests/support/catch.h"

namespace rollguard::simulation {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t usual) {
  const char* wanted = std::getenv(name);
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : usual;
}

using Draw = Plan (*)(uint64_t seed);

Plan DrawWide(uint64_t seed) { return DrawPlan(seed); }
Plan DrawPlain(uint64_t seed) { return DrawPlainPlan(seed); }

// The same seed once more, with its story written down.
std::string Story(uint64_t seed, Draw draw, const std::string& which) {
  Report report = Simulation(draw(seed), true).Run();
  return StrCat(Describe(draw(seed)), Join(report.trace, "\n"), "\n", Join(report.violations, "\n"),
                "\nalone: ROLLGUARD_FIRST_SEED=", seed, " ROLLGUARD_SEEDS=1 test_simulation '",
                which, "'");
}

// Of every failing seed one line; the whole story of the first.
void PlaySeeds(Draw draw, uint64_t usual, const std::string& which) {
  const uint64_t first = FromEnvironment("ROLLGUARD_FIRST_SEED", 1);
  const uint64_t end = first + FromEnvironment("ROLLGUARD_SEEDS", usual);
  std::vector<std::string> failed;
  std::string story;
  Tally tally;
  for (uint64_t seed = first; seed < end; ++seed) {
    const Plan plan = draw(seed);
    const Report report = Simulation(plan).Run();
    tally.Add(plan, report);
    if (report.violations.empty()) continue;
    if (failed.empty()) story = Story(seed, draw, which);
    failed.push_back(StrCat("seed ", seed, " ", plan.setup->name, ": ", report.violations[0]));
    std::cout << failed.back() << std::endl;
  }
  std::cout << story << "\n" << tally.Text();
  CHECK(failed.empty());
}

TEST_CASE("seeds") { PlaySeeds(DrawPlain, 2000, "seeds"); }

// With hooks, configuration, freezes, approvals and header routes besides.
TEST_CASE("seeds with all that stands besides a release") {
  PlaySeeds(DrawWide, 800, "seeds with all that stands besides a release");
}

}  // namespace
}  // namespace rollguard::simulation
