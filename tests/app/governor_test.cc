// SPDX-License-Identifier: Apache-2.0
// Many guards at once are the platform; a group goes back together; limits hold and are told.
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

std::vector<std::string> Guards(int count) {
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) out.push_back(CanaryYaml(StrCat("app-", i)));
  return out;
}

void ReleaseAll(SimRig& rig, int count) {
  for (int i = 0; i < count; ++i) rig.Release(StrCat("app-", i), "v2");
  for (int i = 0; i < count; ++i) REQUIRE(rig.RunToTraffic(StrCat("app-", i), 20, 5min));
}

}  // namespace

TEST_CASE("when many guards trigger within a minute rollbacks stop and people are told", "[app]") {
  SimRig rig(Guards(8));
  spec::FleetLimits limits;
  limits.max_triggers = 3;
  limits.max_share = 1;
  std::vector<std::string> pages;
  rig.agent->governor().SetLimits(limits);
  rig.agent->governor().SetPager([&](const std::string& reason) { pages.push_back(reason); });
  ReleaseAll(rig, 8);
  std::vector<alerts::Alert> alerts;
  for (int i = 0; i < 8; ++i)
    alerts.push_back(rig.Firing("Everything", StrCat("app-", i), rig.scheduler().Now()));
  rig.agent->alerts().Receive(alerts);
  rig.scheduler().RunFor(30s);
  CHECK(rig.Count(Verdict::kRollBack) == 3);
  REQUIRE(pages.size() == 1);
  CHECK(pages[0].find("looks like the platform") != std::string::npos);
  size_t held = 0, limited = 0;
  for (int i = 0; i < 8; ++i)
    held += rig.Guard(StrCat("app-", i)).state.phase == Phase::kHeld ? 1 : 0;
  for (const std::string& line : rig.told) limited += line.starts_with("limited ") ? 1 : 0;
  CHECK(held == 5);
  CHECK(limited == 5);  // each is told once

  // The calm does not let them fall: a person decides, also after a restart of the agent.
  rig.scheduler().RunFor(2h);
  CHECK(rig.Count(Verdict::kRollBack) == 3);
  rig.KillAgent();
  rig.StartAgent();
  rig.agent->alerts().Receive(alerts);
  rig.scheduler().RunFor(10min);
  CHECK(rig.Count(Verdict::kRollBack) == 3);
  release::Command command;
  command.id = "c1";
  command.verb = release::Command::Verb::kRollBack;
  command.actor = "someone@example.com";
  command.at = rig.scheduler().Now();
  std::string held_guard;
  for (int i = 0; i < 8 && held_guard.empty(); ++i) {
    if (rig.Guard(StrCat("app-", i)).state.phase == Phase::kHeld) held_guard = StrCat("app-", i);
  }
  rig.agent->controller().Tell(StrCat("shop/", held_guard), command, [](auto) {});
  rig.scheduler().RunFor(1min);
  CHECK(rig.Count(Verdict::kRollBack) == 4);
  rig.CheckReplays();
}

TEST_CASE("nothing starts while rollbacks are stopped, and after the calm it does", "[app]") {
  SimRig rig(Guards(4));
  spec::FleetLimits limits;
  limits.max_triggers = 1;
  rig.agent->governor().SetLimits(limits);
  ReleaseAll(rig, 3);
  std::vector<alerts::Alert> alerts;
  for (int i = 0; i < 3; ++i)
    alerts.push_back(rig.Firing("Everything", StrCat("app-", i), rig.scheduler().Now()));
  rig.agent->alerts().Receive(alerts);
  rig.scheduler().RunFor(10s);
  CHECK_FALSE(rig.agent->governor().Stopped().empty());
  rig.Release("app-3", "v2");
  rig.scheduler().RunFor(1min);
  CHECK(rig.Guard("app-3").state.phase == Phase::kPending);
  CHECK(rig.Guard("app-3").state.blocked_by.find("stopped") != std::string::npos);
  rig.scheduler().RunFor(15min);
  CHECK(rig.agent->governor().Stopped().empty());
  rig.agent->controller().Touch("shop/app-3");
  CHECK(rig.RunToTraffic("app-3", 20, 5min));
  rig.CheckReplays();
}

TEST_CASE("so many releases at one time and no more", "[app]") {
  SimRig rig(Guards(3));
  spec::FleetLimits limits;
  limits.max_active_releases = 2;
  rig.agent->governor().SetLimits(limits);
  ReleaseAll(rig, 2);
  rig.Release("app-2", "v2");
  rig.scheduler().RunFor(20s);
  CHECK(rig.Guard("app-2").state.phase == Phase::kPending);
  CHECK(rig.Waits("app-2").find("at one time (2)") != std::string::npos);
  rig.CheckReplays();
}

TEST_CASE("a group goes back together, whatever its limit says meanwhile", "[app]") {
  std::vector<std::string> guards = {CanaryYaml("app-0", "  group: checkout\n"),
                                     CanaryYaml("app-1", "  group: checkout\n")};
  SimRig rig(guards);
  spec::FleetLimits limits;
  limits.max_group_rollbacks_per_hour = 1;
  limits.max_triggers = 1;
  rig.agent->governor().SetLimits(limits);
  ReleaseAll(rig, 2);
  rig.agent->alerts().Receive({rig.Firing("Bad", "app-0", rig.scheduler().Now())});
  rig.scheduler().RunFor(2min);
  CHECK(rig.Count(Verdict::kRollBack, "app-0") == 1);
  CHECK(rig.Count(Verdict::kRollBack, "app-1") == 1);
  rig.CheckReplays();
}

}  // namespace rollguard::app
