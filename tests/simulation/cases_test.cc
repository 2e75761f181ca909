// SPDX-License-Identifier: Apache-2.0
// Stories that seeds found and that went wrong once. Each is named after what it was.
#include "agent/base/text.h"
#include "tests/simulation/harness/simulation.h"
#include "tests/support/catch.h"

namespace rollguard::simulation {
namespace {

using Kind = Event::Kind;

Plan Story(const char* setup, std::vector<Event> events) {
  Plan plan;
  plan.seed = 77;
  plan.setup = FindSetup(setup);
  plan.guard_extra = "  bake: 20s\n  rollback:\n    verify: {for: 10s}\n    cooldown: 0s\n";
  plan.versions["v2"] = Quality::kGood;
  plan.events = std::move(events);
  plan.delete_at_end = true;
  return plan;
}

Report Play(Plan plan) {
  Report report = Simulation(plan).Run();
  if (!report.violations.empty()) report.trace = Simulation(plan, true).Run().trace;
  INFO(Join(report.trace, "\n"));
  CHECK(report.violations == std::vector<std::string>{});
  return report;
}

// The target rolled behind routes that were pinned to stable's pods: with the last of them nine
// tenths of the users had nobody to answer.
TEST_CASE("case: the hold is taken off in the middle of a canary") {
  for (const char* setup : {"canary traefik", "canary istio subsets", "canary nginx"}) {
    for (int64_t at : {4, 9, 15, 24, 40, 70}) {
      INFO(setup << " at " << at);
      Play(Story(setup, {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                         {.at = seconds(at), .kind = Kind::kUnpause}}));
    }
  }
}

TEST_CASE("case: the hold is taken off and a newer template follows") {
  const Report report =
      Play(Story("canary traefik", {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"},
                                    {.at = seconds(15), .kind = Kind::kUnpause},
                                    {.at = seconds(15), .kind = Kind::kRelease, .version = "v3"}}));
  CHECK(report.stable == ImageOf("v3"));
}

// Pods outlive their ReplicaSet for a while; with it out of sight they were taken for gone.
TEST_CASE("case: pods of a deleted candidate still answer") {
  Plan plan = Story("canary replicas", {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"}});
  plan.versions["v2"] = Quality::kAlerted;
  const Report report = Play(plan);
  CHECK(report.outcome == "rolledBack");
  CHECK(report.stable == ImageOf("v1"));
}

// The answer to a write came after the watch had told of later changes; it was taken for the newest
// view, and since nothing changed any more, for ever.
TEST_CASE("case: an answer is older than what the watch has told") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    Plan plan = Story("rolling", {{.at = seconds(1), .kind = Kind::kRelease, .version = "v2"}});
    plan.seed = seed;
    plan.versions["v2"] = Quality::kUnpullable;
    plan.faults.slow = 0.3;
    const Report report = Play(plan);
    CHECK(report.outcome == "rolledBack");
    CHECK(report.stable == ImageOf("v1"));
  }
}

}  // namespace
}  // namespace rollguard::simulation
