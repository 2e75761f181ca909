// SPDX-License-Identifier: Apache-2.0
// A template that somebody sets while a release goes back: whatever the undo has to put into its
// place meanwhile, it is not lost and it is released as any other.
#include "tests/release/theirs.h"

namespace rollguard::testing {
namespace {

using spec::RuleSeverity;
using spec::TriggerAction;

// A service of that kind, at rest.
struct Kind : Drive {
  Kind(const std::string& kind, const std::string& strategy)
      : Drive(ReplaceAll(GuardWith(strategy), "kind: Deployment", StrCat("kind: ", kind))) {
    std::string json = DeploymentJson("checkout", 4, "shop/checkout:v1");
    if (kind == "DaemonSet") json = ReplaceAll(json, "\"replicas\":4,", "");
    if (kind == "StatefulSet")
      json = ReplaceAll(json, "\"replicas\":4,", "\"replicas\":4,\"serviceName\":\"checkout\",");
    Load(ReplaceAll(json, "\"Deployment\"", StrCat("\"", kind, "\"")));
    Load(ServiceJson("checkout"));
    world.scheduler().RunFor(40s);
    Run(10s);
    REQUIRE(state.phase == Phase::kIdle);
  }
  // v2 is half rolled out and goes back.
  void GoBack() {
    SetImage("shop/checkout:v2");
    REQUIRE(RunUntil([&] { return PodsOf("shop/checkout:v2", false) > 0; }, 2min));
    signals = {Make("Bad", TriggerAction::kRollback, RuleSeverity::kCritical)};
    REQUIRE(RunToPhase(Phase::kRollingBack, 10s));
    signals.clear();
  }
  std::string Image() {
    return Get(guard.target.kind, "checkout")
        .At("spec", "template", "spec", "containers")
        .At(size_t{0})
        .At("image")
        .Str();
  }
  bool Promoted(const char* image) {
    const bool ended = RunUntil(
        [&] {
          return state.phase == Phase::kIdle && state.last && state.last->outcome == "promoted";
        },
        10min);
    Run(20s);
    return ended && Image() == image && PodsOf(image, false) == PodsOf(image, true);
  }
};

TEST_CASE("newer: a template that is set while a rolling release goes back is released after it") {
  for (const char* kind : {"StatefulSet", "DaemonSet", "Deployment"}) {
    for (const char* strategy : {"rolling: {}", "rolling: {admission: observe}"}) {
      for (const Duration later : {Duration(0), Duration(3s), Duration(15s)}) {
        INFO(kind << ", " << strategy << ", after " << later.count() << " ms");
        Kind target(kind, strategy);
        target.GoBack();
        const std::string rejected = target.state.release->candidate;
        target.Run(later);
        target.SetImage("shop/checkout:v3");
        CHECK(target.Promoted("shop/checkout:v3"));
        INFO(Join(target.trace, "\n"));
        CHECK(target.state.Quarantined(rejected, target.world.scheduler().Now()) != nullptr);
        CHECK(target.PodsOf("shop/checkout:v2", false) == 0);
        CHECK(target.violations == std::vector<std::string>{});
        CHECK(target.Quiet() == 0);
      }
    }
  }
}

// What waits is in the status before anything stands in its place; the last one that is set counts.
TEST_CASE("newer: it is put away before the stable template takes its place") {
  Kind target("StatefulSet", "rolling: {}");
  target.GoBack();
  target.SetImage("shop/checkout:v3");
  REQUIRE(target.RunUntil([&] { return target.Image() == "shop/checkout:v1"; }, 10s));
  REQUIRE(target.state.release);
  CHECK(target.state.release->parked.Dump().find("checkout:v3") != std::string::npos);
  CHECK(target.state.phase == Phase::kRollingBack);
  target.SetImage("shop/checkout:v4");
  CHECK(target.Promoted("shop/checkout:v4"));
  CHECK(target.LastDecision(release::Verdict::kSupersede) != nullptr);
  CHECK(target.violations == std::vector<std::string>{});
}

// Nothing that people wait for goes on behind their backs.
TEST_CASE("newer: a Deployment rolls no further while its rollback waits for approval") {
  for (const bool news : {false, true}) {
    INFO((news ? "a newer template" : "nothing else"));
    Kind target("Deployment", "rolling: {}");
    target.guard.rollback.on_trigger = spec::RollbackSpec::OnTrigger::kApproval;
    target.GoBack();
    target.Run(2s);
    const int64_t rolled = target.PodsOf("shop/checkout:v2", false);
    if (news) target.SetImage("shop/checkout:v3");
    target.Run(5min);
    CHECK(target.state.phase == Phase::kRollingBack);
    CHECK(target.PodsOf("shop/checkout:v2", false) <= rolled);
    CHECK(target.PodsOf("shop/checkout:v1", true) > 0);
    CHECK(target.PodsOf("shop/checkout:v3", false) == 0);
    CHECK(target.Say(Command::Verb::kApprove).accepted);
    if (news) {
      CHECK(target.Promoted("shop/checkout:v3"));
    } else {
      CHECK(target.RunUntil([&] { return target.state.phase == Phase::kIdle; }, 10min));
      CHECK(target.PodsOf("shop/checkout:v1", true) == 4);
    }
    CHECK(target.PodsOf("shop/checkout:v2", false) == 0);
    CHECK(target.violations == std::vector<std::string>{});
    CHECK(target.Quiet() == 0);
  }
}

// The agent was away while a newer template rolled over what was being released. An alert that
// began after that is the newer one's doing, one that began before it is not.
TEST_CASE("newer: an alert about what rolled over the release is not the release's") {
  for (const bool of_newer : {true, false}) {
    INFO((of_newer ? "of the newer one" : "of the candidate"));
    Kind target("Deployment", "rolling: {}");
    target.SetImage("shop/checkout:v2");
    REQUIRE(target.RunToPhase(Phase::kBaking, 2min));
    const std::string released = target.state.release->candidate;
    const Time before = target.world.scheduler().Now();
    target.world.scheduler().RunFor(3s);
    target.SetImage("shop/checkout:v3");
    target.world.scheduler().RunFor(20s);
    target.signals = {Make("Bad", TriggerAction::kRollback, RuleSeverity::kCritical)};
    target.signals[0].source = release::Signal::Source::kAlert;
    target.signals[0].since = of_newer ? target.world.scheduler().Now() : before;
    REQUIRE(target.RunToPhase(Phase::kRollingBack, 10s));
    target.signals.clear();
    CHECK(target.Promoted("shop/checkout:v3"));
    const bool rejected =
        target.state.Quarantined(released, target.world.scheduler().Now()) != nullptr;
    CHECK(rejected == !of_newer);
    CHECK(target.violations == std::vector<std::string>{});
  }
}

// Only the rejected template is undone for good.
TEST_CASE("newer: the rejected template that is set again is no news") {
  Kind target("StatefulSet", "rolling: {}");
  target.GoBack();
  target.Run(3s);
  target.SetImage("shop/checkout:v2");
  target.Run(5min);
  CHECK(target.PodsOf("shop/checkout:v1", true) == 4);
  CHECK(target.PodsOf("shop/checkout:v2", false) == 0);
  CHECK(target.state.phase == Phase::kIdle);
}

// The target follows already when its release goes back.
TEST_CASE("newer: a template that is set while a canary goes back from its promotion") {
  for (const Duration later : {Duration(0), Duration(3s), Duration(15s)}) {
    INFO("after " << later.count() << " ms");
    Scene scene(GuardWith(CanaryWith("{setWeight: 50}")));
    scene.SetImage("shop/checkout:v2");
    REQUIRE(scene.RunToPhase(Phase::kPromoting, 5min));
    REQUIRE(scene.RunUntil([&] { return scene.state.release->touched_target; }, 1min));
    scene.Run(2s);
    CHECK(scene.Say(Command::Verb::kAbort).accepted);
    scene.Run(later);
    scene.SetImage("shop/checkout:v3");
    CHECK(scene.Outcome("promoted"));
    CHECK(scene.PodsOf("shop/checkout:v3", true) == 4);
    scene.CheckSound();
  }
}

// Its controller still speaks of the rejected revision while a newer template is in the spec.
TEST_CASE("newer: a Rollout's template that its controller has not seen yet is not undone") {
  for (const bool news : {true, false}) {
    INFO((news ? "another revision" : "another field"));
    Theirs rollout(ExternalGuard("argo", ", onBad: undo"));
    rollout.StableReplicaSet();
    rollout.Says("v2", "v1", "Progressing");
    rollout.Run(2s);
    REQUIRE(rollout.state.release.has_value());
    rollout.SetImage("shop/checkout:v3");
    const Json generation = rollout.Get("Rollout", "checkout").At("metadata", "generation");
    auto seen = [&](int64_t number) {
      rollout.Patch(StrCat(R"({"status":{"observedGeneration":")", number, R"("}})"), "status");
    };
    seen(generation.IntOr(0) - 1);
    rollout.Bad();
    rollout.Run(5s);
    CHECK(rollout.Spec().Dump().find("checkout:v3") != std::string::npos);
    REQUIRE(rollout.state.release.has_value());
    seen(generation.IntOr(0));
    rollout.signals.clear();
    if (news) rollout.Says("v3", "v1", "Progressing");
    rollout.Run(5s);
    const char* image = news ? "checkout:v3" : "checkout:v1";
    CHECK(rollout.Spec().Dump().find(image) != std::string::npos);
    if (news) {
      REQUIRE(rollout.state.release.has_value());
      CHECK(rollout.state.release->candidate == "v3");
    }
    CHECK(rollout.violations == std::vector<std::string>{});
  }
}

}  // namespace
}  // namespace rollguard::testing
