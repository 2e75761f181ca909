// SPDX-License-Identifier: Apache-2.0
// The agent is killed at every single write of a canary, before its effect and after it; and a bad
// version's way back likewise. Wherever it dies, the next start ends in the same place.
#include <iostream>

#include "agent/base/text.h"
#include "tests/simulation/harness/simulation.h"
#include "tests/support/catch.h"

namespace rollguard::simulation {
namespace {

Plan ShortRelease(Quality quality) {
  Plan plan = OneRelease("canary istio subsets", quality, "5s");
  plan.faults_for = seconds(90);
  plan.delete_at_end = true;
  return plan;
}

uint64_t WritesWithoutCrash(Quality quality) {
  const Report report = Simulation(ShortRelease(quality)).Run();
  CHECK(report.violations == std::vector<std::string>{});
  return report.writes + report.status_writes;
}

void KillEverywhere(Quality quality, const char* outcome, const char* stable) {
  const uint64_t writes = WritesWithoutCrash(quality);
  CHECK(writes > 20);
  uint64_t kills = 0;
  for (uint64_t nth = 1; nth <= writes; ++nth) {
    for (bool after : {false, true}) {
      Plan plan = ShortRelease(quality);
      plan.crashes = {{nth, after}};
      const Report report = Simulation(plan).Run();
      kills += report.kills;
      INFO("killed " << (after ? "after" : "before") << " the effect of write " << nth);
      CHECK(report.violations == std::vector<std::string>{});
      CHECK(report.outcome == outcome);
      CHECK(report.stable == ImageOf(stable));
    }
  }
  std::cout << "killed at each of " << writes << " writes, before and after the effect: " << kills
            << " kills, every one ended " << outcome << "\n";
}

TEST_CASE("crash: at every write of a good canary") {
  KillEverywhere(Quality::kGood, "promoted", "v2");
}

TEST_CASE("crash: at every write of a bad canary") {
  KillEverywhere(Quality::kAlerted, "rolledBack", "v1");
}

}  // namespace
}  // namespace rollguard::simulation
