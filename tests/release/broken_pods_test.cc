// SPDX-License-Identifier: Apache-2.0
// Pods of a StatefulSet that never become ready, of a revision that nobody wants any more.
#include <algorithm>

#include "tests/release/scene.h"

namespace rollguard::testing {
namespace {

using namespace std::chrono_literals;
using release::Action;
using release::Command;
using release::Phase;
using release::RevisionView;

std::string Guarding(const char* more) {
  return ReplaceAll(GuardWith("rolling: {}", StrCat("  rollback: {verify: {for: 10s}, cooldown: "
                                                    "0s}\n  progressDeadline: 1m\n",
                                                    more)),
                    "kind: Deployment", "kind: StatefulSet");
}

// v2 never works and was overtaken by v3.
struct Overtaken : Drive {
  explicit Overtaken(const char* more = "") : Drive(Guarding(more)) {
    std::string set = DeploymentJson("checkout", 4, "shop/checkout:v1");
    set = ReplaceAll(set, "\"Deployment\"", "\"StatefulSet\"");
    Load(ReplaceAll(set, "\"replicas\":4,", "\"replicas\":4,\"serviceName\":\"checkout\","));
    Load(ServiceJson("checkout"));
    world.scheduler().RunFor(40s);
    Run(10s);
    REQUIRE(state.phase == Phase::kIdle);
    Breaks("shop/checkout:v2");
    SetImage("shop/checkout:v2");
    Run(20s);
    REQUIRE(PodsOf("shop/checkout:v2", false) == 1);
    SetImage("shop/checkout:v3");
  }
  void Breaks(const std::string& image) {
    sim::RevisionBehaviour broken;
    broken.never_ready = true;
    world.behaviours().SetImage(image, broken);
  }
  void CheckEnds(const char* outcome, const char* image) {
    const bool ended = RunUntil(
        [&] { return state.phase == Phase::kIdle && state.last && state.last->outcome == outcome; },
        10min);
    Run(20s);
    INFO(Join(trace, "\n"));
    CHECK(ended);
    CHECK(PodsOf(image, true) == 4);
    CHECK(Quiet() == 0);
    CHECK(violations == std::vector<std::string>{});
  }
};

TEST_CASE("broken pods: an overtaken version stands in nobody's way") {
  Overtaken good;
  good.CheckEnds("promoted", "shop/checkout:v3");

  Overtaken bad;
  bad.Breaks("shop/checkout:v3");
  bad.CheckEnds("rolledBack", "shop/checkout:v1");

  Overtaken undone;
  const std::string overtaken = undone.state.release->candidate;
  auto begun = [&] { return undone.state.release && undone.state.release->candidate != overtaken; };
  REQUIRE(undone.RunUntil(begun, 1min));
  REQUIRE(undone.RunToPhase(Phase::kProgressing, 1min));
  CHECK(undone.Say(Command::Verb::kAbort).accepted);
  undone.CheckEnds("rolledBack", "shop/checkout:v1");
}

TEST_CASE("broken pods: who only observes deletes none") {
  Overtaken observed("  mode: observe\n");
  observed.Run(5min);
  CHECK(observed.PodsOf("shop/checkout:v2", false) == 1);
  CHECK(observed.PodsOf("shop/checkout:v3", false) == 0);
}

// What the target shows is ours to say; `broken` is of the revision `whose`.
size_t Deleted(Overtaken& set, const std::string& whose, const std::string& kind) {
  release::Observation seen;
  seen.now = set.world.scheduler().Now() + 1s;
  release::WorkloadView& w = seen.target;
  w.exists = w.observed = true;
  w.kind = kind;
  w.uid = "1";
  w.resource_version = "1000000";
  w.revision = set.state.release->candidate;
  w.replicas = w.total = 4;
  w.updated = w.ready = w.available = 1;
  for (const std::string& revision : {set.state.release->stable, w.revision, std::string("old")}) {
    RevisionView view;
    view.revision = revision;
    view.replicas = view.ready = view.available = 1;
    if (revision == whose) view.broken = {{"checkout-3", "uid-3"}};
    w.revisions.push_back(std::move(view));
  }
  release::GuardState state = set.state;
  state.seen_target = {w.uid, w.resource_version};
  const release::StepResult result = release::Step(set.guard, std::move(state), seen);
  return static_cast<size_t>(
      std::count_if(result.actions.begin(), result.actions.end(), [](const Action& action) {
        const auto* gone = std::get_if<release::DeleteObject>(&action);
        return gone != nullptr && gone->object.name == "checkout-3" && gone->uid == "uid-3";
      }));
}

TEST_CASE("broken pods: neither stable's nor the candidate's, and a paused release rests") {
  Overtaken set;
  REQUIRE(set.RunToPhase(Phase::kProgressing, 1min));
  CHECK(Deleted(set, "old", "StatefulSet") == 1);
  CHECK(Deleted(set, "old", "DaemonSet") == 0);
  CHECK(Deleted(set, set.state.release->stable, "StatefulSet") == 0);
  CHECK(Deleted(set, set.state.release->candidate, "StatefulSet") == 0);
  CHECK(Deleted(set, "none", "StatefulSet") == 0);
  set.state.release->paused = true;
  CHECK(Deleted(set, "old", "StatefulSet") == 0);
}

}  // namespace
}  // namespace rollguard::testing
