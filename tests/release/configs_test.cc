// SPDX-License-Identifier: Apache-2.0
// ConfigMaps and Secrets that go with a revision: kept, put back, and told of when they drift.
#include <algorithm>

#include "agent/base/text.h"
#include "tests/release/scene.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

using namespace std::chrono_literals;
using release::Command;
using release::Phase;

// The checkout service with two ConfigMaps in its pods, promoted.
struct Configured : Scene {
  explicit Configured(uint64_t seed = 5)
      : Scene(GuardWith(CanaryWith("{setWeight: 40}, {pause: {}}")), seed) {
    Set("settings", "1s");
    Set("limits", "1s");
    ClusterRequest request;
    request.verb = Verb::kPatch;
    request.type = sim::DeploymentType();
    request.ns = "shop";
    request.name = "checkout";
    request.body = *ParseJson(R"({"spec":{"template":{"spec":{"volumes":[
      {"name":"a","configMap":{"name":"settings"}},{"name":"b","configMap":{"name":"limits"}}]}}}})");
    REQUIRE(world.api().Call(request).ok());
    Promote();
  }
  void Set(const char* name, const char* value) {
    Load(StrCat(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")", name,
                R"(","namespace":"shop"},"data":{"timeout":")", value, "\"}}"));
  }
  std::string Value(const char* name = "settings") {
    return Get("ConfigMap", name).At("data", "timeout").Str();
  }
  void Promote() {
    REQUIRE(RunUntil([&] { return state.release && state.release->weight > 0; }, 5min));
    REQUIRE(Say(Command::Verb::kPromote, "", true).accepted);
    REQUIRE(Outcome("promoted"));
  }
  // The next version changes template and configuration together.
  void Next(const char* version, const char* value) {
    Set("settings", value);
    SetImage(StrCat("shop/checkout:", version));
  }
  void Abort() {
    REQUIRE(Weight(40));
    REQUIRE(Say(Command::Verb::kAbort).accepted);
  }
  void CheckAbortReturnsTo(const char* value) {
    Abort();
    CHECK(Outcome("rolledBack"));
    CHECK(Value() == value);
    CheckSound();
  }
};

TEST_CASE("configuration: kept per revision and put back with it") {
  Configured scene;
  scene.Next("v2", "9s");
  scene.CheckAbortReturnsTo("1s");
}

// The template is seen before the configuration that came with it.
TEST_CASE("configuration: what is kept is what the server has, not what a watch still shows") {
  Configured scene;
  scene.late["settings"] = scene.Get("ConfigMap", "settings");
  scene.Next("v2", "2s");
  scene.Promote();
  CHECK(scene.late.empty());
  scene.Next("v3", "3s");
  scene.CheckAbortReturnsTo("2s");
}

TEST_CASE("configuration: a watch that still shows what stable had ends no rollback") {
  Configured scene;
  const Json before = scene.Get("ConfigMap", "settings");
  scene.Next("v2", "2s");
  REQUIRE(scene.Weight(40));
  scene.late["settings"] = before;
  scene.CheckAbortReturnsTo("1s");
}

TEST_CASE("configuration: a write that fails on the way back is tried again") {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    Configured scene(seed);
    scene.Next("v2", "9s");
    scene.Abort();
    REQUIRE(scene.RunToPhase(Phase::kRollingBack, 1min));
    scene.fail_share = 0.5;
    CHECK(scene.RunToPhase(Phase::kVerifying, 10min));
    scene.fail_share = 0;
    CHECK(scene.Value() == "1s");
  }
}

TEST_CASE("configuration: a person's way back takes that of its revision; another try is kept") {
  Configured scene;
  scene.Next("v2", "2s");
  scene.Abort();
  REQUIRE(scene.Outcome("rolledBack"));
  CHECK(scene.Value() == "1s");
  // The same version with another configuration.
  scene.Set("settings", "3s");
  REQUIRE(scene.Say(Command::Verb::kRetry).accepted);
  scene.Promote();
  CHECK(scene.Value() == "3s");
  const release::Condition* drift = scene.state.FindCondition("Drift");
  CHECK((drift == nullptr || !drift->status));
  REQUIRE(scene.Say(Command::Verb::kRollBack).accepted);
  REQUIRE(scene.RunUntil([&] { return scene.state.release.has_value(); }, 5min));
  CHECK(scene.Outcome("promoted"));
  CHECK(scene.Value() == "1s");
}

TEST_CASE("configuration: what is written a moment before its template is no drift") {
  Configured scene;
  scene.guard.configs.reconcile = true;
  scene.Set("settings", "2s");
  scene.Run(5s);
  scene.SetImage("shop/checkout:v2");
  scene.Promote();
  CHECK(scene.Value() == "2s");
  CHECK_FALSE(scene.Told("drift"));
  scene.Set("settings", "3s");
  scene.Run(15s);
  CHECK(scene.Value() == "2s");
  CHECK(scene.Told("drift"));
  scene.CheckSound();
}

TEST_CASE("configuration: what drifts besides is told, too") {
  Configured scene;
  const auto times = [&] { return std::count(scene.told.begin(), scene.told.end(), "drift"); };
  scene.Set("settings", "2s");
  scene.Run(5s);
  CHECK(times() == 0);  // its template may follow
  scene.Run(10s);
  CHECK(times() == 1);
  scene.Set("limits", "2s");
  scene.Run(15s);
  CHECK(times() == 2);
  CHECK(scene.state.FindCondition("Drift")->status);
  scene.Set("settings", "1s");
  scene.Run(15s);
  scene.Set("limits", "1s");
  scene.Run(15s);
  CHECK(times() == 2);
  CHECK_FALSE(scene.state.FindCondition("Drift")->status);
}

TEST_CASE("configuration: what was deleted meanwhile is made anew on the way back") {
  Configured scene;
  scene.Next("v2", "9s");
  REQUIRE(scene.Weight(40));
  scene.world.api().Purge({scene.world.api().TypeId("", "configmaps"), "shop", "limits"});
  scene.Abort();
  CHECK(scene.Outcome("rolledBack"));
  CHECK(scene.Value("limits") == "1s");
  CHECK(scene.Value() == "1s");
  CHECK(scene.Get("ConfigMap", "limits").At("metadata").Find("ownerReferences") == nullptr);
  scene.CheckSound();
}

TEST_CASE("configuration: what is deleted at rest is told as drift") {
  Configured scene;
  scene.world.api().Purge({scene.world.api().TypeId("", "configmaps"), "shop", "limits"});
  scene.Run(15s);
  REQUIRE(scene.state.FindCondition("Drift") != nullptr);
  CHECK(scene.state.FindCondition("Drift")->message == "ConfigMap limits");
  CHECK_FALSE(scene.Exists("ConfigMap", "limits"));
  scene.CheckSound();
}

int64_t Snapshots(Configured& scene) {
  int64_t count = 0;
  for (const auto& secret : scene.world.api().List("", "secrets", "shop"))
    count += secret->At("type").Str() == "rollguard.dev/snapshot" ? 1 : 0;
  return count;
}

TEST_CASE("configuration: that of a rejected revision is not kept") {
  Configured scene;
  const int64_t before = Snapshots(scene);
  scene.Next("v2", "9s");
  scene.Abort();
  REQUIRE(scene.Outcome("rolledBack"));
  scene.Run(10s);
  CHECK(Snapshots(scene) == before);
  scene.CheckSound();
}

TEST_CASE("configuration: kept for as many revisions as one can go back to") {
  Configured scene;
  for (int version = 2; version <= 14; ++version) {
    scene.Next(StrCat("v", version).c_str(), StrCat(version, "s").c_str());
    scene.Promote();
    CHECK(Snapshots(scene) <= static_cast<int64_t>(release::GuardState::kMaxHistory));
  }
  CHECK(scene.state.history.size() == release::GuardState::kMaxHistory);
  CHECK(Snapshots(scene) == static_cast<int64_t>(release::GuardState::kMaxHistory));
  scene.CheckSound();
}

}  // namespace
}  // namespace rollguard::testing
