// SPDX-License-Identifier: Apache-2.0
// Each invariant is shown able to fail: a healthy world in the middle of a canary, one thing in it
// broken on purpose, and the checker must name that and nothing else.
#include <functional>

#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/simulation/harness/simulation.h"
#include "tests/support/catch.h"

namespace rollguard::simulation {
namespace {

Plan Canary(const char* setup = "canary istio subsets") {
  Plan plan;
  plan.seed = 99;
  plan.setup = FindSetup(setup);
  plan.versions["v2"] = Quality::kGood;
  plan.guard_extra = "  bake: 5m\n  rollback:\n    verify: {for: 10s}\n";
  return plan;
}

// A canary at 50 %; the agent's hands are bound from then on, so that what follows is our doing.
struct Scene : Simulation {
  explicit Scene(Plan plan = Canary()) : Simulation(std::move(plan)) {
    REQUIRE(SetUp());
    Happen({.kind = Event::Kind::kRelease, .version = "v2"});
    REQUIRE(
        RunUntil([this] { return checker().picture().Share(ImageOf("v2")) > 0.49; }, minutes(10)));
    RunFor(seconds(2));
    Happen({.kind = Event::Kind::kCrash, .number = 100'000});
    REQUIRE(checker().violations() == std::vector<std::string>{});
  }

  ResourceType Type(const std::string& kind) {
    for (const sim::TypeInfo* type : world().api().types().All()) {
      if (type->type.kind == kind) return type->type;
    }
    FAIL(kind);
    return {};
  }

  // A write as an agent would have made it.
  void Write(const std::string& kind, const std::string& name, const std::string& patch,
             bool knows_back = false, const std::string& subresource = "") {
    ClusterRequest request;
    request.verb = Verb::kPatch;
    request.type = Type(kind);
    request.ns = kNs;
    request.name = name;
    request.patch = PatchKind::kJson;
    request.subresource = subresource;
    request.body = *ParseJson(patch);
    sim::ApiReply reply = world().api().Serve(request);
    INFO((reply.ok() ? "" : reply.failure->message));
    REQUIRE(reply.ok());
    checker().Wrote(request, reply, knows_back);
    checker().AfterEvent();
  }

  void Weights(int64_t stable, int64_t candidate, bool knows_back = false) {
    const char* at = "{\"op\":\"replace\",\"path\":\"/spec/http/0/route/";
    Write("VirtualService", kApp,
          StrCat("[", at, "0/weight\",\"value\":", stable, "},", at,
                 "1/weight\",\"value\":", candidate, "}]"),
          knows_back);
  }

  // The Guard's status as it would be with that change.
  void Status(const std::function<void(release::GuardState&)>& change) {
    release::GuardState state = *checker().state();
    change(state);
    SetStatus(release::ToJson(state));
  }

  void SetStatus(const Json& status) {
    Write(
        "Guard", kApp,
        Json::Arr({Json::Obj({{"op", "replace"}, {"path", "/status"}, {"value", status}})}).Dump(),
        false, "status");
  }

  void CheckNamed(const std::string& rule, const std::string& words) {
    INFO(Join(checker().violations(), "\n"));
    REQUIRE_FALSE(checker().violations().empty());
    CHECK(checker().violations()[0].find(StrCat(" ", rule, ": ")) != std::string::npos);
    CHECK(checker().violations()[0].find(words) != std::string::npos);
  }
};

std::string CandidateOf(Scene& scene) { return scene.checker().state()->release->candidate; }

release::Rejection RejectionOf(Scene& scene) {
  return {CandidateOf(scene), "it is bad", scene.world().scheduler().Now(), {}};
}

release::Decision Of(release::Verdict verdict, const std::string& id, const std::string& release,
                     const std::string& revision) {
  release::Decision decision;
  decision.id = id;
  decision.verdict = verdict;
  decision.release = release;
  decision.revision = revision;
  return decision;
}

TEST_CASE("checker: a healthy canary breaks nothing") {
  Scene scene;
  scene.RunFor(seconds(30));
  CHECK(scene.checker().violations() == std::vector<std::string>{});
}

TEST_CASE("checker: weights that do not sum to 100") {
  Scene scene;
  scene.Weights(50, 49);
  scene.CheckNamed("weights", "the weights sum to 99");
}

TEST_CASE("checker: traffic to a track without a ready pod, by a write") {
  Scene scene;
  scene.Write("DestinationRule", kApp,
              R"([{"op":"add","path":"/spec/subsets/-","value":{"name":"x","labels":{"a":"b"}}},
                  {"op":"replace","path":"/spec/subsets/1/labels","value":{"app":"nobody"}}])");
  scene.CheckNamed("ready", "without a ready pod after a write of the agent");
}

TEST_CASE("checker: the last pod with traffic is stopped") {
  Scene scene;
  scene.world().api().Delete(
      {scene.world().api().TypeId("apps", "deployments"), kNs, "checkout-candidate"});
  scene.RunFor(seconds(2));
  scene.CheckNamed("ready", "its last pod was stopped");
}

TEST_CASE("checker: stable is given more than it has pods for") {
  Scene scene;
  scene.Status([](release::GuardState& state) { state.release->wanted.candidate = 100; });
  scene.Weights(0, 100);
  sim::RevisionBehaviour never;
  never.never_ready = true;
  for (const auto& pod : scene.world().api().List("", "pods", kNs)) {
    if (sim::LabelOf(*pod, "rollguard.dev/track").empty() && scene.checker().violations().empty())
      scene.world().api().Purge(
          {scene.world().api().TypeId("", "pods"), kNs, std::string(sim::NameOf(*pod))});
  }
  scene.checker().AfterEvent();
  scene.RunFor(seconds(1));  // their replacements are not ready yet
  scene.Weights(100, 0);
  scene.CheckNamed("ready", "without a ready pod");
}

TEST_CASE("checker: stable is given half with a quarter of its pods") {
  Scene scene;
  scene.Status([](release::GuardState& state) { state.release->wanted.candidate = 100; });
  scene.Weights(0, 100);
  int left = 3;
  for (const auto& pod : scene.world().api().List("", "pods", kNs)) {
    if (!sim::LabelOf(*pod, "rollguard.dev/track").empty() || left-- <= 0) continue;
    scene.world().api().Purge(
        {scene.world().api().TypeId("", "pods"), kNs, std::string(sim::NameOf(*pod))});
  }
  scene.RunFor(seconds(1));
  scene.Weights(50, 50);
  scene.CheckNamed("capacity", "stable was given 50 % with 1 of 4 pods ready");
}

TEST_CASE("checker: stable has lost its pods after a late view, and they do not come back") {
  Scene scene;
  scene.Status([](release::GuardState& state) { state.release->wanted.candidate = 100; });
  scene.checker().SetStaleness(seconds(30));
  scene.Weights(0, 100);
  sim::RevisionBehaviour slow;
  slow.ready_after = minutes(10);
  scene.world().behaviours().SetImage(ImageOf("v1"), slow);
  int left = 3;
  for (const auto& pod : scene.world().api().List("", "pods", kNs)) {
    if (!sim::LabelOf(*pod, "rollguard.dev/track").empty() || left-- <= 0) continue;
    scene.world().api().Purge(
        {scene.world().api().TypeId("", "pods"), kNs, std::string(sim::NameOf(*pod))});
  }
  scene.RunFor(seconds(1));
  scene.Weights(50, 50);
  CHECK(scene.checker().violations() == std::vector<std::string>{});
  scene.RunFor(seconds(20));
  scene.Weights(51, 49);
  scene.CheckNamed("capacity", "stable was given 51 % with 1 of 4 pods ready");
}

TEST_CASE("checker: a rejected revision gets more") {
  Scene scene;
  scene.Status([&](release::GuardState& state) {
    state.quarantine.push_back(RejectionOf(scene));
    state.release->wanted.candidate = 60;
  });
  scene.Weights(40, 60);
  scene.CheckNamed("quarantine", "is rejected and was given 60 % instead of 50 %");
}

TEST_CASE("checker: a rejected revision has traffic at rest") {
  Scene scene;
  scene.Status([&](release::GuardState& state) {
    state.quarantine.push_back(RejectionOf(scene));
    state.release.reset();
    state.phase = release::Phase::kIdle;
  });
  scene.Weights(60, 40);
  scene.CheckNamed("quarantine", "is rejected and has 40 % of the traffic in phase Idle");
}

TEST_CASE("checker: a pod of a rejected revision is started") {
  Scene scene;
  scene.Status([&](release::GuardState& state) {
    state.quarantine.push_back(RejectionOf(scene));
    state.release.reset();
    state.phase = release::Phase::kIdle;
  });
  scene.Write("Deployment", "checkout-candidate",
              R"([{"op":"replace","path":"/spec/replicas","value":9}])");
  scene.RunFor(seconds(1));
  bool named = false;
  for (const std::string& violation : scene.checker().violations()) {
    named = named || violation.find("was started although it is rejected") != std::string::npos;
  }
  CHECK(named);
}

TEST_CASE("checker: on the way back the candidate is given more") {
  Scene scene;
  scene.Status([&](release::GuardState& state) {
    state.phase = release::Phase::kRollingBack;
    state.release->trigger = release::Trigger{"bad", "d", "ann", {}, {}, false};
    state.release->wanted.candidate = 70;
  });
  scene.Weights(30, 70, true);
  scene.CheckNamed("abort", "was given 70 % instead of 50 %");
}

TEST_CASE("checker: a change without any decision") {
  Scene scene;
  scene.Status([](release::GuardState& state) { state.decisions.clear(); });
  scene.Weights(60, 40);
  scene.CheckNamed("record", "before any decision was durable");
}

TEST_CASE("checker: a change beyond the durable intent") {
  Scene scene;
  scene.Weights(20, 80);
  scene.CheckNamed("record", "80 %, the durable intent is 50 %");
}

TEST_CASE("checker: a change for a release that was never begun") {
  Scene scene;
  scene.Status([](release::GuardState& state) { state.release->id = "invented"; });
  scene.Weights(60, 40);
  scene.CheckNamed("record", "whose beginning was never recorded");
}

TEST_CASE("checker: a revision is released twice") {
  Scene scene;
  scene.Status([&](release::GuardState& state) {
    state.decisions.push_back(Of(release::Verdict::kStart, "again", "another", CandidateOf(scene)));
  });
  scene.CheckNamed("once", "was released 2 times, asked for 1 times");
}

TEST_CASE("checker: a release is completed twice") {
  Scene scene;
  scene.Status([&](release::GuardState& state) {
    const std::string id = state.release->id;
    state.decisions.push_back(Of(release::Verdict::kComplete, "one", id, ""));
    state.decisions.push_back(Of(release::Verdict::kComplete, "two", id, ""));
  });
  scene.CheckNamed("once", "was completed twice");
}

TEST_CASE("checker: what is the owner's alone is changed") {
  Scene scene;
  scene.Write("VirtualService", kApp,
              R"([{"op":"replace","path":"/spec/http/0/retries/attempts","value":4}])");
  scene.CheckNamed("foreign", "VirtualService/checkout /spec/http/0/retries is the owner's");
}

TEST_CASE("checker: the status grows without bound") {
  Scene scene;
  Json status = release::ToJson(*scene.checker().state());
  status.Set("more", std::string(120'000, 'x'));
  scene.SetStatus(status);
  scene.CheckNamed("size", "over 100 KiB");
}

TEST_CASE("checker: at rest something of ours is left") {
  Scene scene;
  scene.checker().CheckAtRest();
  bool pods = false, objects = false;
  for (const std::string& violation : scene.checker().violations()) {
    pods = pods || violation.find("converge: at rest pods should be of") != std::string::npos;
    objects = objects || violation.find("foreign: the owner's objects") != std::string::npos;
  }
  CHECK(pods);
  CHECK(objects);
}

TEST_CASE("checker: a deleted guard leaves the hold behind") {
  Simulation simulation(Canary());
  REQUIRE(simulation.SetUp());
  simulation.checker().CheckRestored();
  REQUIRE(simulation.checker().violations().size() == 1);
  CHECK(simulation.checker().violations()[0].find("\"paused\":true") != std::string::npos);
}

// What the runner itself looks for at the end, on plans that break it.
TEST_CASE("runner: writes at rest, abandoned releases and lost requests are found") {
  Plan stuck = Canary();
  stuck.guard_extra = "  bake: 100h\n  rollback:\n    verify: {for: 10s}\n";
  stuck.events = {{.at = seconds(1), .kind = Event::Kind::kRelease, .version = "v2"}};
  const Report report = Simulation(stuck).Run();
  REQUIRE(report.violations.size() == 1);
  CHECK(report.violations[0].find("converge: an hour after the last fault it is not at rest: "
                                  "Baking") != std::string::npos);
}

}  // namespace
}  // namespace rollguard::simulation
