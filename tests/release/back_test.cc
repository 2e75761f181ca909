// SPDX-License-Identifier: Apache-2.0
// When a rollback may be taken for done: views of one workload that are not of one moment, and a
// template that is back before its pods are.
#include "tests/release/scene.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

using namespace std::chrono_literals;
using release::Command;
using release::Phase;
using release::RevisionView;

constexpr const char* kJob =
    "job: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: tool/m:1}]}}}";

// A rollback that is being verified, its hook running; what the target shows is ours to say.
struct Verified {
  Scene scene{GuardWith("rolling: {}", StrCat("  rollback: {verify: {for: 10s}, cooldown: 0s}\n"
                                              "  hooks: {verify: [{name: check, ",
                                              kJob, "}]}\n"))};
  release::Observation seen;

  Verified() {
    scene.SetImage("shop/checkout:v2");
    REQUIRE(scene.RunToPhase(Phase::kProgressing, 1min));
    CHECK(scene.Say(Command::Verb::kAbort).accepted);
    REQUIRE(scene.RunToPhase(Phase::kVerifying, 10min));
    seen.now = scene.world.scheduler().Now() + 1s;
    release::WorkloadView& w = seen.target;
    w.exists = w.observed = w.held = true;
    w.kind = "Deployment";
    w.uid = "1";
    w.resource_version = "1000000";
    w.revision = scene.state.release->stable;
    w.replicas = w.total = w.updated = w.ready = w.available = 4;
    w.revisions = {Of(scene.state.release->stable, 4), Of(scene.state.release->candidate, 1)};
  }
  static RevisionView Of(const std::string& revision, int64_t replicas) {
    RevisionView view;
    view.revision = revision;
    view.replicas = view.ready = view.available = replicas;
    return view;
  }
  release::StepResult Look() { return release::Step(scene.guard, scene.state, seen); }
};

TEST_CASE("back: a ReplicaSet that is seen later than its Deployment is no rollout") {
  Verified verified;
  const release::StepResult result = verified.Look();
  CHECK(result.state.phase == Phase::kVerifying);
  CHECK(result.state.release);
}

TEST_CASE("back: pods of the rejected revision that the Deployment counts are one") {
  Verified verified;
  verified.seen.target.total = 5;
  CHECK(verified.Look().state.phase != Phase::kVerifying);
}

// A release of v2 whose guard has one hook, and that hook's Job takes so long.
struct SlowHook : Scene {
  SlowHook(const char* list, const char* name, const char* steps, Duration runs)
      : Scene(GuardWith(CanaryWith(steps),
                        StrCat("  rollback: {verify: {for: 10s}, cooldown: 0s}\n  hooks: {", list,
                               ": [{name: ", name, ", ", kJob, "}]}\n"))) {
    sim::RevisionBehaviour slow;
    slow.job_runs = runs;
    world.behaviours().SetImage("tool/m", slow);
    SetImage("shop/checkout:v2");
  }
};

TEST_CASE("back: the stable template behind the hold is not yet stable's pods") {
  SlowHook scene("postPromote", "after", "{setWeight: 10}", 10min);
  REQUIRE(scene.RunToPhase(Phase::kPromoting, 10min));
  REQUIRE(scene.RunUntil([&] { return scene.state.release->stage == 4; }, 10min));
  scene.Run(5s);
  scene.SetImage("shop/checkout:v1");  // its controller has not seen it yet
  CHECK(scene.Say(Command::Verb::kAbort).accepted);
  while (scene.state.phase == Phase::kRollingBack) {
    INFO(Join(scene.trace, "\n"));
    REQUIRE(scene.world.scheduler().Now() < scene.state.release->trigger->at + 5min);
    scene.Run(1s);
  }
  CHECK(scene.PodsOf("shop/checkout:v1", true) == 4);
  CHECK(scene.PodsOf("shop/checkout:v2", false) == 0);
  CHECK(scene.Outcome("rolledBack"));
  scene.CheckSound();
}

// Whether it had done its work before it was deleted nobody knows.
TEST_CASE("back: a hook whose Job is deleted before it was read does not run again") {
  SlowHook scene("rollback", "down", "{setWeight: 10}, {pause: {}}", 1min);
  REQUIRE(scene.Weight(10));
  CHECK(scene.Say(Command::Verb::kAbort).accepted);
  const std::string job = release::HookJobName(scene.guard, scene.state.release->id, "down");
  REQUIRE(scene.RunUntil([&] { return scene.Exists("Job", job); }, 1min));
  scene.Run(5s);
  scene.world.api().Purge({scene.world.api().TypeId("batch", "jobs"), "shop", job});
  REQUIRE(scene.RunUntil([&] { return scene.Told("rollbackFailed"); }, 1min));
  scene.Run(5min);
  CHECK_FALSE(scene.Exists("Job", job));
  CHECK(scene.state.phase == Phase::kRollingBack);
  CHECK(scene.Say(Command::Verb::kSkip).message == "hook down is passed over");
  CHECK(scene.Outcome("rolledBack"));
  scene.CheckSound();
}

}  // namespace
}  // namespace rollguard::testing
