// SPDX-License-Identifier: Apache-2.0
// Guards through the agent's own Controller: what needs other guards, other clusters, the time, or
// a cluster that cannot be read.
#include "agent/app/controller.h"

#include "agent/base/text.h"
#include "tests/app/house.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

using namespace std::chrono_literals;
using release::Command;
using release::Phase;

const std::string kDigest =
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

TEST_CASE("freeze: nothing starts before the window ends, and then it starts by itself") {
  House house;
  house.AddService("shop", "checkout");
  house.AddGuard(CanaryGuard("shop", "checkout", "{setWeight: 50}",
                             "  freeze: [{cron: \"0 1 * * *\", duration: 2h, timezone: \"+01:00\", "
                             "reason: nightly backup}]\n"));
  house.StartAgent();
  house.Run(1min);
  house.SetImage("shop/checkout", "checkout:v2");
  house.Run(30min);
  CHECK(house.State("shop/checkout").blocked_by ==
        "frozen: nightly backup, window \"0 1 * * *\" of 2h until 2026-01-01T02:00:00Z");
  CHECK(std::count(house.told.begin(), house.told.end(), "shop/checkout frozen") == 1);
  CHECK(house.PodsOf("checkout:v2") == 0);
  house.Run(90min);
  CHECK(house.State("shop/checkout").release.has_value());
  CHECK(house.Outcome("shop/checkout", "promoted", 10min));
}

TEST_CASE("promotion: only images that succeeded and baked in the earlier guard") {
  House house;
  house.AddService("staging", "checkout");
  house.AddService("shop", "checkout");
  house.AddGuard(CanaryGuard("staging", "checkout", "{setWeight: 50}"));
  house.AddGuard(CanaryGuard("shop", "checkout", "{setWeight: 50}",
                             "  promotion: {after: [{guard: staging/checkout, bake: 30m}]}\n"));
  house.StartAgent();
  house.Run(1min);
  house.SetImage("shop/checkout", "checkout:v2");
  house.Run(1min);
  CHECK(house.State("shop/checkout").blocked_by ==
        "waits for staging/checkout: these images have not succeeded there");
  house.SetImage("staging/checkout", "checkout:v2");
  REQUIRE(house.Outcome("staging/checkout", "promoted", 10min));
  house.Run(25min);
  INFO(Join(house.trace, "\n"));
  CHECK(house.State("shop/checkout").blocked_by.find("they bake there until") != std::string::npos);
  CHECK(house.PodsOf("checkout:v2") == 4);  // staging's
  CHECK(house.Outcome("shop/checkout", "promoted", 20min));
}

// Answers Guards of another cluster.
class OtherCluster : public Cluster {
 public:
  void Call(ClusterRequest request, ClusterDone done) override {
    ++asked;
    REQUIRE(request.verb == Verb::kGet);
    REQUIRE(request.type.kind == "Guard");
    if (down) return done(Error(ErrorCode::kUnavailable, "connection refused"));
    done(Json::Obj({{"status", release::ToJson(state)}}));
  }
  WatchId Watch(WatchRequest, WatchHandler) override { return 0; }
  void CancelWatch(WatchId) override {}

  release::GuardState state;
  bool down = true;
  int asked = 0;
};

TEST_CASE("promotion: from another cluster by its context") {
  House house;
  app::ClusterEnvironments environments(house.world.scheduler(), house.world.scheduler());
  OtherCluster staging;
  environments.Add("staging", &staging);
  house.environments = &environments;
  house.AddService("shop", "checkout");
  house.AddGuard(CanaryGuard("shop", "checkout", "{setWeight: 50}",
                             "  promotion: {after: [{guard: checkout, context: staging}]}\n"));
  house.StartAgent();
  house.Run(1min);
  CHECK(staging.asked == 0);  // nothing is to be released
  house.SetImage("shop/checkout", "repo/checkout@" + kDigest);
  house.Run(1min);
  CHECK(house.State("shop/checkout").blocked_by.find("the cluster staging cannot be asked") !=
        std::string::npos);
  staging.down = false;
  house.Run(30s);
  CHECK(house.State("shop/checkout").blocked_by ==
        "waits for shop/checkout in staging: these images have not succeeded there");
  const Json pods = *ParseJson(
      StrCat(R"({"spec":{"containers":[{"image":"mirror.staging/checkout@)", kDigest, R"("}]}})"));
  staging.state.phase = Phase::kIdle;
  staging.state.history = {
      {"r1", house.world.scheduler().Now(), release::ImageKeys(pods)}};  // one digest, two names
  CHECK(house.Outcome("shop/checkout", "promoted", 10min));
  const int asked = staging.asked;
  house.Run(30min);
  CHECK(staging.asked <= asked + 10);  // nobody asks any more
  house.KillAgent();
}

TEST_CASE("artifacts: what is not pinned is refused before any pod starts") {
  House house;
  house.AddService("shop", "checkout");
  house.AddGuard(
      CanaryGuard("shop", "checkout", "{setWeight: 50}", "  artifacts: {requireDigest: true}\n"));
  house.StartAgent();
  house.Run(1min);
  house.SetImage("shop/checkout", "checkout:v2");
  house.Run(1min);
  CHECK(house.State("shop/checkout").last->outcome == "rejected");
  CHECK(house.State("shop/checkout").last->reason.find("is not pinned") != std::string::npos);
  CHECK(house.PodsOf("checkout:v2") == 0);
  house.SetImage("shop/checkout", "checkout@" + kDigest);
  CHECK(house.Outcome("shop/checkout", "promoted", 10min));
}

TEST_CASE("concurrency: guards with one key release one after another") {
  House house;
  for (const char* name : {"cart", "checkout", "orders"}) {
    house.AddService("shop", name);
    house.AddGuard(CanaryGuard("shop", name, "{setWeight: 50}", "  concurrency: {key: db}\n"));
  }
  house.StartAgent();
  house.Run(1min);
  for (const char* name : {"orders", "cart", "checkout"}) {
    house.SetImage(StrCat("shop/", name), StrCat(name, ":v2"));
  }
  int most = 0;
  const bool all = house.RunUntil(
      [&] {
        int releasing = 0, promoted = 0;
        for (const char* id : {"shop/cart", "shop/checkout", "shop/orders"}) {
          const release::GuardState state = house.State(id);
          releasing += state.release ? 1 : 0;
          promoted += state.last ? 1 : 0;
        }
        most = std::max(most, releasing);
        return promoted == 3;
      },
      20min);
  INFO(Join(house.trace, "\n"));
  CHECK(all);
  CHECK(most == 1);
}

TEST_CASE("concurrency: the later one takes the place, the other comes after it") {
  House house;
  for (const char* name : {"cart", "checkout"}) {
    house.AddService("shop", name);
    house.AddGuard(CanaryGuard("shop", name, "{setWeight: 50}, {pause: {duration: 1m}}",
                               "  concurrency: {key: db, policy: supersede}\n"));
  }
  house.StartAgent();
  house.Run(1min);
  house.SetImage("shop/cart", "cart:v2");
  REQUIRE(house.RunUntil([&] { return house.WeightOf("shop/cart") == 50; }, 2min));
  house.SetImage("shop/checkout", "checkout:v2");
  REQUIRE(house.RunUntil([&] { return house.State("shop/checkout").release.has_value(); }, 2min));
  CHECK(house.State("shop/cart").last->outcome == "superseded");
  CHECK(house.WeightOf("shop/cart") == 0);
  CHECK(house.Outcome("shop/checkout", "promoted", 10min));
  INFO(Join(house.trace, "\n"));
  CHECK(house.Outcome("shop/cart", "promoted", 10min));
}

TEST_CASE("group: all go back together, those that stand on others first") {
  House house;
  for (const char* name : {"api", "web"}) {
    house.AddService("shop", name);
    house.AddGuard(CanaryGuard(
        "shop", name, "{setWeight: 50}, {pause: {}}",
        StrCat("  group: checkout\n", std::string(name) == "web" ? "  dependsOn: [api]\n" : "")));
  }
  house.StartAgent();
  house.Run(1min);
  house.SetImage("shop/api", "api:v2");
  house.SetImage("shop/web", "web:v2");
  REQUIRE(house.RunUntil(
      [&] { return house.WeightOf("shop/api") == 50 && house.WeightOf("shop/web") == 50; }, 3min));
  house.Fire("shop/api");
  bool web_first = false;
  for (int i = 0; i < 5'000 && house.WeightOf("shop/api") > 0; ++i) {
    web_first = web_first || house.WeightOf("shop/web") == 0;
    house.Run(Duration(1));
  }
  CHECK(house.WeightOf("shop/api") == 0);
  INFO(Join(house.trace, "\n"));
  CHECK(web_first);
  house.Calm();
  CHECK(house.Outcome("shop/api", "rolledBack", 5min));
  CHECK(house.Outcome("shop/web", "rolledBack", 5min));
}

TEST_CASE("pods: crash loops and images that cannot be pulled go back without waiting") {
  for (const bool pull : {false, true}) {
    House house;
    sim::RevisionBehaviour broken;
    broken.image_pull_fails = pull;
    broken.crash_after = pull ? Duration(0) : Duration(2'000);
    broken.never_ready = true;
    house.world.behaviours().SetImage("checkout:v2", broken);
    house.AddService("shop", "checkout");
    house.AddGuard(CanaryGuard("shop", "checkout", "{setWeight: 50}"));
    house.StartAgent();
    house.Run(1min);
    house.SetImage("shop/checkout", "checkout:v2");
    REQUIRE(house.Outcome("shop/checkout", "rolledBack", 5min));
    CHECK(house.State("shop/checkout").quarantine.size() == 1);
    CHECK(house.PodsOf("checkout:v2") == 0);
  }
}

TEST_CASE("limits: a rollback the fleet forbids is held and told, and done when it may be") {
  House house;
  house.AddService("shop", "checkout");
  house.AddGuard(CanaryGuard("shop", "checkout", "{setWeight: 50}, {pause: {}}"));
  house.StartAgent();
  house.Run(1min);
  house.SetImage("shop/checkout", "checkout:v2");
  REQUIRE(house.RunUntil([&] { return house.WeightOf("shop/checkout") == 50; }, 2min));
  house.script.rollback_limit = "ten guards trigger at once";
  house.Fire("shop/checkout");
  REQUIRE(house.RunUntil([&] { return house.State("shop/checkout").phase == Phase::kHeld; }, 10s));
  house.Run(5min);
  CHECK(house.WeightOf("shop/checkout") == 50);
  CHECK(std::count(house.told.begin(), house.told.end(), "shop/checkout limited") == 1);
  house.script.rollback_limit.clear();
  house.controller->Touch("shop/checkout");
  CHECK(house.RunUntil([&] { return house.WeightOf("shop/checkout") == 0; }, 10s));
}

TEST_CASE("reads: an agent that starts blind takes traffic back as it was staged") {
  House house;
  house.AddService("shop", "checkout");
  house.AddGuard(CanaryGuard("shop", "checkout", "{setWeight: 50}, {pause: {}}"));
  house.StartAgent();
  house.Run(1min);
  house.SetImage("shop/checkout", "checkout:v2");
  REQUIRE(house.RunUntil([&] { return house.WeightOf("shop/checkout") == 50; }, 2min));
  house.Run(10s);
  house.KillAgent();
  house.cluster->fail = [](const ResourceType& type) { return type.kind != "Guard"; };
  house.StartAgent();
  house.Run(10s);
  CHECK(house.WeightOf("shop/checkout") == 50);
  CHECK(house.Say("shop/checkout", Command::Verb::kAbort).accepted);
  house.Run(3s);
  INFO(Join(house.trace, "\n") << house.Reasons("shop/checkout"));
  CHECK(house.cluster->failed > 0);
  CHECK(house.WeightOf("shop/checkout") == 0);
  CHECK(house.State("shop/checkout").phase == Phase::kRollingBack);
  house.cluster->fail = nullptr;
  CHECK(house.Outcome("shop/checkout", "rolledBack", 10min));
  CHECK(house.PodsOf("checkout:v2") == 0);
}

TEST_CASE("reads: a conflict that cannot be read again does not keep traffic on the candidate") {
  House house;
  house.AddService("shop", "checkout");
  house.AddGuard(CanaryGuard("shop", "checkout", "{setWeight: 50}, {pause: {}}"));
  house.StartAgent();
  house.Run(1min);
  house.SetImage("shop/checkout", "checkout:v2");
  REQUIRE(house.RunUntil([&] { return house.WeightOf("shop/checkout") == 50; }, 2min));
  house.Run(10s);
  // From here on the agent hears nothing of routes any more, and its view of them gets old.
  house.cluster->fail = [](const ResourceType& type) { return type.kind != "Guard"; };
  house.connection->DropWatches(ErrorCode::kGone);
  house.Patch("VirtualService", "shop/checkout", R"({"metadata":{"labels":{"team":"a"}}})");
  house.Patch("DestinationRule", "shop/checkout", R"({"metadata":{"labels":{"team":"a"}}})");
  house.Fire("shop/checkout");
  house.Run(20s);
  INFO(Join(house.trace, "\n") << house.Reasons("shop/checkout"));
  CHECK(house.WeightOf("shop/checkout") == 0);
  CHECK(house.Get("VirtualService", "shop/checkout").At("metadata", "labels", "team").Str() == "a");
  house.cluster->fail = nullptr;
  house.Calm();
  CHECK(house.Outcome("shop/checkout", "rolledBack", 10min));
}

}  // namespace
}  // namespace rollguard::testing
