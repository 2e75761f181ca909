// SPDX-License-Identifier: Apache-2.0
// Monitoring that dies takes no healthy release back: the release holds, says so, and goes on when
// it can see again; only a policy that says so in that word takes it back.
#include <chrono>

#include "agent/base/text.h"
#include "tests/app/sim_rig.h"
#include "tests/support/catch.h"

namespace rollguard::app {
namespace {

using namespace std::chrono_literals;
using release::Phase;
using release::Verdict;
using rollguard::testing::CanaryYaml;
using rollguard::testing::SimRig;
using Mood = sim::SimMetrics::Mood;

constexpr const char* kRules = R"(groups:
  - name: errors
    interval: 15s
    rules:
      - rollback: HighErrorRate
        expr: |
          sum(rate(http_requests_total{namespace="$namespace", pod=~"$candidate_pods", code=~"5.."}[1m]))
            / sum(rate(http_requests_total{namespace="$namespace", pod=~"$candidate_pods"}[1m])) > 0.05
        for: 30s
        severity: critical
)";

std::string Guard(const char* blind) {
  return CanaryYaml("checkout", StrCat("  blind: ", blind, "\n"), "    rules: [errors]\n");
}

}  // namespace

TEST_CASE("a release holds while the metrics are gone, and goes on after", "[app]") {
  for (Mood mood : {Mood::kDown, Mood::kSlow, Mood::kGarbage, Mood::kEmpty, Mood::kPartial}) {
    INFO("mood " << static_cast<int>(mood));
    SimRig rig({Guard("{after: 2m, then: hold}")}, kRules);
    rig.Release("checkout", "v2");
    REQUIRE(rig.RunToTraffic("checkout", 20, 5min));
    rig.scheduler().RunFor(20s);
    rig.metrics.SetMood(mood);
    rig.scheduler().RunFor(20min);
    auto guard = rig.Guard("checkout");
    CHECK(guard.state.phase == Phase::kProgressing);
    REQUIRE(guard.state.release.has_value());
    CHECK(guard.state.release->weight == 20);
    INFO(rig.Waits("checkout"));
    CHECK_FALSE(guard.reasons.empty());
    CHECK(rig.Count(Verdict::kRollBack) == 0);
    rig.metrics.SetMood(Mood::kWell);
    REQUIRE(rig.RunToEnd("checkout", 30min));
    CHECK(rig.Guard("checkout").state.last->outcome == "promoted");
    CHECK(rig.Count(Verdict::kRollBack) == 0);
    rig.CheckReplays();
  }
}

TEST_CASE("what follows from blindness is the guard's policy", "[app]") {
  struct Row {
    const char* name;
    const char* blind;
    const char* outcome;  // null: it waits, paused
  };
  const Row rows[] = {
      {"pause", "{after: 2m, then: pause}", nullptr},
      {"rollback", "{after: 2m, then: rollback}", "rolledBack"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    SimRig rig({Guard(row.blind)}, kRules);
    rig.Release("checkout", "v2");
    REQUIRE(rig.RunToTraffic("checkout", 20, 5min));
    rig.scheduler().RunFor(20s);
    rig.metrics.SetMood(Mood::kDown);
    rig.scheduler().RunFor(30min);
    auto guard = rig.Guard("checkout");
    if (row.outcome == nullptr) {
      REQUIRE(guard.state.release.has_value());
      CHECK(guard.state.release->paused);
      CHECK(guard.state.release->pause_reason.find("blind") != std::string::npos);
      CHECK(rig.Count(Verdict::kRollBack) == 0);
    } else {
      REQUIRE(guard.state.last.has_value());
      CHECK(guard.state.last->reason.find("blind") != std::string::npos);
    }
    rig.CheckReplays();
  }
}

TEST_CASE("a bad release is still taken back while the Watchdog is missing", "[app]") {
  SimRig rig({CanaryYaml("checkout", "", "    rules: [errors]\n")}, kRules);
  rig.Behave("checkout", "v2", R"({"errorRatio": 0.4})");
  rig.Release("checkout", "v2");
  REQUIRE(rig.RunToTraffic("checkout", 20, 5min));
  rig.agent->SetWatchdog([] { return std::string("the Watchdog alert has not been seen"); });
  REQUIRE(rig.RunUntil([&] { return rig.Count(Verdict::kRollBack) > 0; }, 10min));
  rig.CheckReplays();
}

TEST_CASE("a missing Watchdog holds a release that alerts could take back", "[app]") {
  SimRig rig({CanaryYaml("checkout")});
  bool missing = false;
  rig.agent->SetWatchdog([&] { return std::string(missing ? "the Watchdog is missing" : ""); });
  rig.Release("checkout", "v2");
  REQUIRE(rig.RunToTraffic("checkout", 20, 10min));
  missing = true;
  rig.scheduler().RunFor(20min);
  CHECK(rig.Guard("checkout").state.release->weight == 20);
  CHECK(rig.Waits("checkout").find("Watchdog") != std::string::npos);
  missing = false;
  rig.agent->controller().Touch("shop/checkout");
  REQUIRE(rig.RunToEnd("checkout", 30min));
  CHECK(rig.Guard("checkout").state.last->outcome == "promoted");
  rig.CheckReplays();
}

}  // namespace rollguard::app
