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

// The same seed once more, with its story written down.
std::string Story(uint64_t seed) {
  Report report = Simulation(DrawPlan(seed), true).Run();
  return StrCat(Describe(DrawPlan(seed)), Join(report.trace, "\n"), "\n",
                Join(report.violations, "\n"), "\nalone: ROLLGUARD_FIRST_SEED=", seed,
                " ROLLGUARD_SEEDS=1 test_simulation seeds");
}

// Of every failing seed one line; the whole story of the first.
TEST_CASE("seeds") {
  const uint64_t first = FromEnvironment("ROLLGUARD_FIRST_SEED", 1);
  const uint64_t end = first + FromEnvironment("ROLLGUARD_SEEDS", 2000);
  std::vector<std::string> failed;
  std::string story;
  Tally tally;
  for (uint64_t seed = first; seed < end; ++seed) {
    const Report report = Simulation(DrawPlan(seed)).Run();
    tally.Add(DrawPlan(seed), report);
    if (report.violations.empty()) continue;
    if (failed.empty()) story = Story(seed);
    failed.push_back(
        StrCat("seed ", seed, " ", DrawPlan(seed).setup->name, ": ", report.violations[0]));
    std::cout << failed.back() << std::endl;
  }
  std::cout << story << "\n" << tally.Text();
  CHECK(failed.empty());
}

}  // namespace
}  // namespace rollguard::simulation
