// SPDX-License-Identifier: Apache-2.0
// From an error that is counted to the route patch on a real API server, through a real Prometheus
// and a real Alertmanager: how long each part of the way takes, what must not act, and that what
// must act does so exactly once whoever is killed on the way.
#include <signal.h>

#include <atomic>
#include <cstdio>

#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/e2e/support/alert_chain.h"
#include "tests/e2e/support/fleet.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// One guarded service with the whole chain around it.
struct Scene {
  Scene() : member(fleet.Add("canary istio subsets")) {}

  bool Start() {
    chain =
        std::make_unique<AlertChain>(StrCat(member.ns, "/checkout"), fleet.agent_port(), "sesame");
    if (!chain->Start() || !fleet.StartAgent()) return false;
    return fleet.PutGuard(member, true).ok() && AtRest("");
  }
  bool AtRest(const std::string& outcome) {
    return PollUntil([&] { return fleet.AtRest(member, outcome); }, minutes(1));
  }
  bool Waits() {
    return PollUntil([&] { return fleet.Waits(member); }, minutes(1));
  }
  // A new version stands at its last step and waits.
  bool Release() {
    fleet.SetVersion(member, StrCat("v", ++version));
    return Waits();
  }
  size_t Rollbacks() { return fleet.StatusOf(member).At("rollbacks").size(); }
  // The alert ends and everybody knows.
  bool Quiet() {
    chain->SetFailing(false);
    return chain->AwaitAlert(false) && PollUntil(
                                           [&] {
                                             auto shown = Shown();
                                             return shown.At("firing").IntOr(-1) == 0;
                                           },
                                           seconds(60));
  }
  // What the agent shows of alerts.
  Json Shown() {
    auto answer =
        ParseJson(Ask(fleet.agent().port(), "GET", "/api/v1/alerts", "", fleet.Reader()).body);
    return answer ? *answer : Json();
  }
  bool ShownAs(const std::string& disposition) {
    return PollUntil(
        [&] { return Shown().Dump().find(StrCat("\"", disposition, "\"")) != std::string::npos; },
        seconds(60));
  }

  Fleet fleet;
  Member& member;
  std::unique_ptr<AlertChain> chain;
  int version = 1;
};

// The status that says the version is taken back. Its weight may still be on its way when a release
// is seen to wait, so what the alert caused is told by its content, not by being the first.
bool SaysTakenBack(const ApiProxy::Write& write) {
  return write.path.find("/guards/") != std::string::npos &&
         write.body.find("\"RollingBack\"") != std::string::npos;
}

struct WayBack {
  const ApiProxy::Write* status = nullptr;  // says it
  const ApiProxy::Write* patch = nullptr;   // the route's, after it
};

WayBack FindWayBack(const std::vector<ApiProxy::Write>& writes) {
  WayBack way;
  for (const ApiProxy::Write& write : writes) {
    if (way.status == nullptr) {
      if (SaysTakenBack(write)) way.status = &write;
    } else if (write.path.find("/virtualservices/") != std::string::npos) {
      way.patch = &write;
      break;
    }
  }
  return way;
}

void PrintWay(const Json& alert, Time received, const ApiProxy::Write& status,
              const ApiProxy::Write& patch) {
  auto starts = ParseRfc3339(alert.At("startsAt").Str());
  auto part = [](const char* what, Time from, Time to) {
    std::printf("  %-52s %6lld ms\n", what, static_cast<long long>((to - from).count()));
  };
  std::printf("the way of an alert, real Prometheus, Alertmanager and API server:\n");
  part("the rule fires -> the webhook arrives", *starts, received);
  part("the webhook arrives -> the intent is written", received, status.at);
  part("the intent is written -> the route is patched", status.at, patch.at);
  part("the rule fires -> the route is patched", *starts, patch.at);
}

TEST_CASE("an alert takes a release back through real Prometheus and Alertmanager") {
  Scene scene;
  REQUIRE(scene.Start());
  INFO(scene.fleet.Log());

  SECTION("the way of an alert, then a silenced one, then one that was firing before") {
    REQUIRE(scene.Release());
    scene.fleet.proxy().Reset();
    scene.chain->SetFailing(true);
    const bool taken_back = scene.AtRest("rolledBack");
    CHECK(taken_back);
    CHECK(scene.Rollbacks() == 1);
    const auto writes = scene.fleet.proxy().writes();
    const WayBack way = FindWayBack(writes);
    REQUIRE(way.status != nullptr);
    REQUIRE(way.patch != nullptr);
    Json receipt;
    const Json shown = scene.Shown();
    for (const Json& one : shown.At("items").items()) {
      if (one.At("disposition").Str() == "trigger") receipt = one;
    }
    INFO(shown.Dump(2));
    auto received = ParseRfc3339(receipt.At("receivedAt").Str());
    REQUIRE(received.ok());
    PrintWay(receipt, *received, *way.status, *way.patch);

    // Silenced: Alertmanager has it, and nothing happens.
    REQUIRE(scene.Quiet());
    REQUIRE(scene.chain->Silence());
    REQUIRE(scene.Release());
    scene.chain->SetFailing(true);
    REQUIRE(
        PollUntil([&] { return scene.chain->Alert().At("status", "state").Str() == "suppressed"; },
                  seconds(60)));
    // A second version of the alert's record has passed through Alertmanager meanwhile.
    const std::string updated = scene.chain->Alert().At("updatedAt").Str();
    PollUntil([&] { return scene.chain->Alert().At("updatedAt").Str() != updated; }, seconds(20));
    CHECK(scene.fleet.Waits(scene.member));
    CHECK(scene.Rollbacks() == 1);
    // The silence ends: now it counts, for it began after the release did.
    REQUIRE(scene.chain->EndSilences());
    CHECK(scene.AtRest("rolledBack"));
    CHECK(scene.Rollbacks() == 2);

    // It still fires when the next version comes: shown as that, and no reason to take it back.
    scene.fleet.SetVersion(scene.member, StrCat("v", ++scene.version));
    const bool pending =
        PollUntil([&] { return scene.fleet.StatusOf(scene.member).At("phase").Str() == "Pending"; },
                  seconds(60));
    INFO(scene.fleet.StatusOf(scene.member).Dump(2));
    CHECK(pending);
    CHECK(scene.fleet.StatusOf(scene.member).Dump().find("HighErrorRate") != std::string::npos);
    CHECK(scene.Rollbacks() == 2);
  }

  SECTION("Alertmanager is killed, and the agent between intake and action") {
    REQUIRE(scene.Release());
    scene.chain->KillAlertmanager();
    scene.chain->SetFailing(true);
    REQUIRE(scene.chain->StartAlertmanager());
    CHECK(scene.AtRest("rolledBack"));
    CHECK(scene.Rollbacks() == 1);

    REQUIRE(scene.Quiet());
    REQUIRE(scene.Release());
    // The alert is recorded and answered; the first write that follows from it never arrives.
    scene.fleet.proxy().Reset();
    std::atomic<bool> killed{false};
    scene.fleet.proxy().SetHook([&](int number, bool) {
      const auto writes = scene.fleet.proxy().writes();
      const auto index = static_cast<size_t>(number) - 1;
      if (!killed && (index >= writes.size() || !SaysTakenBack(writes[index]))) return true;
      if (!killed.exchange(true)) scene.fleet.agent().process().Signal(SIGKILL);
      return false;
    });
    scene.chain->SetFailing(true);
    REQUIRE(PollUntil([&] { return killed.load(); }, seconds(60)));
    scene.fleet.KillAgent();
    scene.fleet.proxy().SetHook({});
    // Nobody sends the alert again: what the agent had accepted must suffice.
    scene.chain->KillAlertmanager();
    REQUIRE(scene.fleet.StartAgent());
    CHECK(scene.AtRest("rolledBack"));
    CHECK(scene.Rollbacks() == 2);
  }
}

}  // namespace
}  // namespace rollguard::testing
