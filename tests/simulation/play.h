// SPDX-License-Identifier: Apache-2.0
// Plays a plan to its end: nothing may be wrong, and what went wrong is told from the beginning.
#pragma once

#include <utility>

#include "agent/base/text.h"
#include "tests/simulation/harness/simulation.h"
#include "tests/support/catch.h"

namespace rollguard::simulation {

inline Report Play(Plan plan) {
  Report report = Simulation(plan).Run();
  if (!report.violations.empty()) report.trace = Simulation(std::move(plan), true).Run().trace;
  INFO(Join(report.trace, "\n"));
  CHECK(report.violations == std::vector<std::string>{});
  return report;
}

}  // namespace rollguard::simulation
