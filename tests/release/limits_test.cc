// SPDX-License-Identifier: Apache-2.0
// What bounds a release: pods above its size, turns among guards, a way back that is lost or was
// staged, and how much is remembered.
#include "tests/release/scene.h"

namespace rollguard::testing {
namespace {

using namespace std::chrono_literals;
using release::Command;
using release::Phase;
using release::Signal;
using release::Verdict;

int64_t CandidateWeight(Scene& scene) {
  int64_t weight = 0;
  const Json routes = scene.Get("VirtualService", "checkout");
  for (const Json& route : routes.At("spec", "http").items()) {
    for (const Json& to : route.At("route").items()) {
      if (to.At("destination", "subset").Str() != "candidate") continue;
      weight = std::max(weight, to.At("weight").IntOr(0));
    }
  }
  return weight;
}

Signal Bad() { return Make("Bad", spec::TriggerAction::kRollback, spec::RuleSeverity::kCritical); }

TEST_CASE("blind: rolled back when the guard says so, and released again when it can see") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}, {pause: {duration: 1m}}"),
                        "  rollback: {verify: {for: 10s}, cooldown: 0s}\n"
                        "  blind: {after: 1m, then: rollback}\n"));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(40));
  scene.extra.blind = "the metrics source does not answer";
  scene.Run(50s);
  CHECK(CandidateWeight(scene) == 40);
  REQUIRE(scene.RunUntil([&] { return scene.state.last.has_value(); }, 5min));
  CHECK(scene.state.last->outcome == "rolledBack");
  CHECK(scene.state.quarantine.empty());
  scene.Run(30s);
  CHECK(scene.state.blocked_by == "blind: the metrics source does not answer");
  scene.extra.blind.clear();
  CHECK(scene.Outcome("promoted"));
  scene.CheckSound();
}

TEST_CASE("maxSurge: pods change places within it, never too few of them") {
  struct Row {
    const char* surge;
    int64_t most;
    int64_t least;
  };
  for (const Row& row : {Row{"1", 5, 4}, Row{"0", 4, 3}, Row{"50%", 6, 4}}) {
    INFO("maxSurge " << row.surge);
    Scene scene(GuardWith(StrCat("canary: {stableService: checkout, maxSurge: ", row.surge,
                                 ", steps: [{setWeight: 50}, {setWeight: 25}, {setWeight: 75}]}")));
    scene.SetImage("shop/checkout:v2");
    int64_t most = 0, least = 100;
    const bool promoted = scene.RunUntil(
        [&] {
          const int64_t all =
              scene.PodsOf("shop/checkout:v1", false) + scene.PodsOf("shop/checkout:v2", false);
          const int64_t ready =
              scene.PodsOf("shop/checkout:v1", true) + scene.PodsOf("shop/checkout:v2", true);
          most = std::max(most, all);
          least = std::min(least, ready);
          return scene.state.phase == Phase::kIdle && scene.state.last.has_value();
        },
        20min);
    INFO(Join(scene.trace, "\n"));
    CHECK(promoted);
    CHECK(scene.state.last->outcome == "promoted");
    CHECK(most <= row.most);
    CHECK(least >= row.least);
    scene.Run(20s);
    CHECK(scene.PodsOf("shop/checkout:v2", true) == 4);
    scene.CheckSound();
  }
}

TEST_CASE("minReplicas: a small share has so many pods at least") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 1}, {pause: {}}", ", minReplicas: 2")));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(1));
  CHECK(scene.PodsOf("shop/checkout:v2", true) == 2);
}

TEST_CASE("delays: a rejected candidate keeps its pods, a promoted one's old pods stay") {
  const char* delays = ", abortScaleDownDelay: 2m, scaleDownDelay: 3m";
  Scene back(GuardWith(CanaryWith("{setWeight: 40}, {pause: {}}", delays)));
  back.SetImage("shop/checkout:v2");
  REQUIRE(back.Weight(40));
  CHECK(back.Say(Command::Verb::kAbort).accepted);
  back.Run(110s);
  CHECK(CandidateWeight(back) == 0);
  CHECK(back.PodsOf("shop/checkout:v2", true) == 2);
  back.Run(30s);
  CHECK(back.PodsOf("shop/checkout:v2", false) == 0);

  Scene forth(GuardWith(CanaryWith("{setWeight: 40}", delays)));
  forth.SetImage("shop/checkout:v2");
  REQUIRE(forth.RunUntil([&] { return forth.state.release && forth.state.release->stage == 3; },
                         10min));
  forth.Run(170s);
  CHECK(forth.Exists("Deployment", "checkout-candidate"));
  CHECK(forth.Outcome("promoted"));
  CHECK_FALSE(forth.Exists("Deployment", "checkout-candidate"));
}

TEST_CASE("rollbackWindow: a revision that was stable lately comes back without steps") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 10}, {pause: {duration: 1h}}"),
                        "  rollbackWindow: {revisions: 2, within: 2h}\n"));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(10));
  REQUIRE(scene.Say(Command::Verb::kPromote, "", true).accepted);
  REQUIRE(scene.Outcome("promoted"));
  scene.SetImage("shop/checkout:v1");
  REQUIRE(scene.RunUntil([&] { return scene.state.release.has_value(); }, 1min));
  CHECK(scene.state.release->fast);
  scene.state.last.reset();
  CHECK(scene.Outcome("promoted", 5min));
  CHECK(scene.PodsOf("shop/checkout:v1", true) == 4);
  scene.CheckSound();
}

TEST_CASE("concurrency: a turn is taken before anything begins, the earliest first") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}"), "  concurrency: {key: db}\n"));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.RunUntil([&] { return scene.state.queued_since.has_value(); }, 10s));
  const Time since = *scene.state.queued_since;
  CHECK_FALSE(scene.state.release.has_value());
  scene.extra.start.rivals = {{"shop/cart", "", since - 1s}};
  scene.Run(30s);
  CHECK(scene.state.blocked_by == "waits for shop/cart, which came first");
  scene.extra.start.rivals = {{"shop/cart", "", since + 1s}};  // it came later
  CHECK(scene.Outcome("promoted"));
  CHECK_FALSE(scene.state.queued_since.has_value());
  scene.CheckSound();
}

TEST_CASE("concurrency: gives way once, and only queues with that revision afterwards") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}, {pause: {}}"),
                        "  concurrency: {key: db, policy: supersede}\n"));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(40));
  scene.extra.start.superseded_by = "shop/cart";
  REQUIRE(scene.RunUntil([&] { return scene.state.last.has_value(); }, 5min));
  CHECK(scene.state.last->outcome == "superseded");
  CHECK(scene.state.yielded == scene.state.last->revision);
  CHECK(scene.state.quarantine.empty());
  scene.extra.start.superseded_by.clear();
  CHECK(scene.Weight(40));
  CHECK(scene.state.yielded == scene.state.release->candidate);
}

TEST_CASE("concurrency: reject refuses while another releases") {
  Scene scene(
      GuardWith(CanaryWith("{setWeight: 40}"), "  concurrency: {key: db, policy: reject}\n"));
  scene.extra.start.rivals = {{"shop/cart", "r1", scene.world.scheduler().Now()}};
  scene.SetImage("shop/checkout:v2");
  scene.Run(10s);
  CHECK(scene.state.last->outcome == "rejected");
  CHECK(scene.PodsOf("shop/checkout:v2", false) == 0);
}

TEST_CASE("held: a new template takes the place, the stable one ends it") {
  for (const char* image : {"shop/checkout:v3", "shop/checkout:v1"}) {
    Scene scene(GuardWith(CanaryWith("{setWeight: 40}, {pause: {}}")));
    scene.SetImage("shop/checkout:v2");
    REQUIRE(scene.Weight(40));
    scene.extra.rollback_limit = "the fleet governor stopped rollbacks";
    scene.signals = {Bad()};
    REQUIRE(scene.RunToPhase(Phase::kHeld, 1min));
    CHECK(scene.Told("limited"));
    scene.signals.clear();
    scene.SetImage(image);
    INFO(image << "\n" << Join(scene.trace, "\n"));
    REQUIRE(scene.RunUntil([&] { return scene.state.last.has_value(); }, 5min));
    CHECK(scene.state.last->outcome == "superseded");
    if (std::string(image) == "shop/checkout:v3") {
      CHECK(scene.Weight(40));
      CHECK(scene.PodsOf("shop/checkout:v3", true) > 0);
    } else {
      scene.Run(1min);
      CHECK(scene.state.phase == Phase::kIdle);
      scene.CheckSound();
    }
    CHECK(scene.PodsOf("shop/checkout:v2", false) == 0);
  }
}

TEST_CASE("irreversible: no signal and no newer template takes it back; it is held and told") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}, {pause: {}}"), "  irreversible: true\n"));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(40));
  CHECK(scene.Told("notReady"));
  scene.signals = {Bad()};
  REQUIRE(scene.RunToPhase(Phase::kHeld, 1min));
  scene.signals.clear();
  scene.SetImage("shop/checkout:v3");
  scene.Run(1min);
  CHECK(scene.state.phase == Phase::kHeld);
  CHECK(CandidateWeight(scene) == 40);
  CHECK(scene.PodsOf("shop/checkout:v3", false) == 0);
  CHECK(scene.Say(Command::Verb::kAbort).accepted);  // a person may
  CHECK(scene.RunUntil([&] { return CandidateWeight(scene) == 0; }, 2min));
}

TEST_CASE("way back: what was staged is sent when nothing can be read") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}, {pause: {}}")));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(40));
  REQUIRE(scene.state.release->way_back.size() > 0);
  scene.extra.stale = true;
  scene.Run(10s);
  CHECK(CandidateWeight(scene) == 40);  // without a reason nothing moves
  scene.signals = {Bad()};
  scene.Run(3s);
  CHECK(CandidateWeight(scene) == 0);
  CHECK(scene.state.phase == Phase::kRollingBack);
  scene.Run(30s);  // sent again and again without harm
  CHECK(CandidateWeight(scene) == 0);
  scene.extra.stale = false;
  scene.signals.clear();
  CHECK(scene.Outcome("rolledBack"));
  scene.CheckSound();
}

TEST_CASE("way back: what was staged is not sent more often than every few seconds") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}, {pause: {}}")));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(40));
  scene.extra.stale = true;
  scene.signals = {Bad()};
  const size_t before = scene.trace.size();
  scene.Run(21s);
  int64_t sent = 0;
  for (size_t i = before; i < scene.trace.size(); ++i)
    sent += scene.trace[i].find("patch VirtualService") != std::string::npos ? 1 : 0;
  INFO(Join(scene.trace, "\n"));
  CHECK(sent >= 2);
  CHECK(sent <= 5);
}

TEST_CASE("views: an older one than what was decided on decides nothing but the way back") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}, {pause: {}}")));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(40));
  const std::string seen = scene.state.seen_target.version;
  scene.state.seen_target.version = "1000000";  // another agent has seen later changes
  scene.SetImage("shop/checkout:v3");
  scene.Run(20s);
  CHECK(scene.state.phase == Phase::kProgressing);
  CHECK(CandidateWeight(scene) == 40);
  scene.signals = {Bad()};
  scene.Run(3s);
  CHECK(CandidateWeight(scene) == 0);
  scene.signals.clear();
  scene.Run(1min);
  CHECK(scene.state.phase == Phase::kRollingBack);
  scene.state.seen_target.version = seen;
  CHECK(scene.RunUntil([&] { return scene.PodsOf("shop/checkout:v3", true) > 0; }, 5min));
}

TEST_CASE("views: the target that was made anew is no older view") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}, {pause: {}}")));
  scene.state.seen_target = {"of the one before", "1000000"};
  scene.SetImage("shop/checkout:v2");
  CHECK(scene.Weight(40));
}

// By somebody else, past the agent.
void Edit(Scene& scene, const char* group, const char* kind, const char* patch) {
  ClusterRequest request;
  request.verb = Verb::kPatch;
  request.type = scene.world.api().types().FindKind(group, kind)->type;
  request.ns = "shop";
  request.name = "checkout";
  request.patch = PatchKind::kJson;
  request.body = *ParseJson(patch);
  REQUIRE(scene.world.api().Call(request).ok());
}

// The drive itself tells of a change that was not written down first.
TEST_CASE("views: what is laid out again, or follows from what is new, is written down first") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}, {pause: {}}")));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(40));
  scene.Run(10s);
  Edit(scene, "networking.istio.io", "VirtualService",
       R"([{"op":"replace","path":"/spec/http/0/route/0/weight","value":70},
           {"op":"replace","path":"/spec/http/0/route/1/weight","value":30}])");
  scene.Run(5s);
  CHECK(CandidateWeight(scene) == 40);
  CHECK(scene.Say(Command::Verb::kAbort).accepted);
  scene.Run(2s);
  REQUIRE(scene.state.phase == Phase::kRollingBack);
  Edit(scene, "apps", "Deployment", R"([{"op":"replace","path":"/spec/paused","value":false}])");
  CHECK(scene.Outcome("rolledBack"));
  scene.CheckSound();
}

TEST_CASE("gradual: a router that knows no shares returns everything at once") {
  Scene scene(GuardWith("blueGreen: {activeService: checkout, previewService: checkout-preview}",
                        "  rollback: {verify: {for: 10s}, cooldown: 0s, onTrigger: gradual}\n"));
  scene.Load(ServiceJson("checkout-preview"));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(100));
  auto track = [&] {
    return scene.Get("Service", "checkout").At("spec", "selector", "rollguard.dev/track").Str();
  };
  REQUIRE(track() == "candidate");
  scene.signals = {Bad()};
  scene.Run(3s);
  CHECK(track().empty());
  CHECK(scene.Outcome("rolledBack"));
  scene.CheckSound();
}

TEST_CASE("way back: a person's abort needs no read; an object its owner changed is left alone") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}, {pause: {}}")));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(40));
  Edit(scene, "networking.istio.io", "VirtualService",
       R"([{"op":"add","path":"/spec/http/0","value":{"name":"mine","route":[{"destination":
        {"host":"other"},"weight":100}]}}])");
  const std::string before = scene.Get("VirtualService", "checkout").At("spec").Dump();
  scene.extra.stale = true;
  CHECK(scene.Say(Command::Verb::kAbort).accepted);
  scene.Run(5s);
  CHECK(scene.Get("VirtualService", "checkout").At("spec").Dump() == before);
  scene.extra.stale = false;  // with eyes open it finds the right one
  CHECK(scene.RunUntil([&] { return CandidateWeight(scene) == 0; }, 1min));
  CHECK(scene.Get("VirtualService", "checkout").At("spec", "http").At(0).At("name").Str() ==
        "mine");
}

TEST_CASE("lost capacity: without enough of stable's pods nothing moves on, and it is told") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 25}, {pause: {duration: 20s}}, {setWeight: 75}")));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(25));
  sim::RevisionBehaviour broken;
  broken.never_ready = true;
  scene.world.behaviours().SetImage("shop/checkout:v1", broken);
  scene.Run(2min);
  INFO(Join(scene.trace, "\n"));
  CHECK(scene.state.release->weight == 25);
  CHECK(scene.Told("notReady"));
  CHECK_FALSE(scene.state.FindCondition("RollbackReady")->status);
  scene.world.behaviours().ClearImage("shop/checkout:v1");
  CHECK(scene.Outcome("promoted"));
  scene.CheckSound();
}

TEST_CASE("lost capacity: the cure of a stable version that serves nobody is not held for it") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 25}, {pause: {duration: 20s}}, {setWeight: 75}")));
  scene.Run(10s);
  sim::RevisionBehaviour broken;
  broken.never_ready = true;
  scene.world.behaviours().SetImage("shop/checkout:v1", broken);
  scene.Run(30s);
  scene.SetImage("shop/checkout:v2");
  CHECK(scene.Outcome("promoted"));
  scene.CheckSound();
}

// A request that could not be sent for longer than the deadline: what it asks for has its own time.
TEST_CASE("progress: what is asked for only now is not late") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 25}, {pause: {duration: 5s}}, {setWeight: 75}"),
                        "  progressDeadline: 1m\n"));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.RunUntil([&] { return scene.state.phase == Phase::kPreparing; }, 1min));
  scene.extra.stale = true;
  scene.Run(3min);
  scene.extra.stale = false;
  const bool promoted = scene.Outcome("promoted");
  INFO(Join(scene.trace, "\n"));
  CHECK(promoted);
  scene.CheckSound();
}

// What came up meanwhile was not seen, and the time was counted all the same.
TEST_CASE("progress: a release that stands still is not one that makes no progress") {
  struct Row {
    const char* name;
    std::string strategy;
  };
  for (const Row& row :
       {Row{"canary", CanaryWith("{setWeight: 25}, {pause: {duration: 5s}}, {setWeight: 75}")},
        Row{"replica ratio", "canary: {steps: [{setWeight: 25}, {setWeight: 75}]}"},
        Row{"rolling", "rolling: {}"}}) {
    INFO(row.name);
    Scene scene(GuardWith(row.strategy,
                          "  rollback: {verify: {for: 10s}, cooldown: 0s}\n"
                          "  progressDeadline: 1m\n"));
    scene.SetImage("shop/checkout:v2");
    const auto awaited = [&] {
      return scene.state.phase == Phase::kProgressing && scene.state.release->progress_mark >= 0;
    };
    REQUIRE(scene.RunUntil(awaited, 5min));
    CHECK(scene.Say(Command::Verb::kPause).accepted);
    scene.Run(3min);
    INFO(Join(scene.trace, "\n"));
    REQUIRE(scene.state.phase == Phase::kProgressing);
    CHECK(scene.Say(Command::Verb::kResume).accepted);
    CHECK(scene.Outcome("promoted"));
    scene.CheckSound();
  }
}

TEST_CASE("scaling: a person's new size is carried on both tracks") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 50}, {pause: {duration: 2m}}, {setWeight: 75}")));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(50));
  ClusterRequest request;
  request.verb = Verb::kPatch;
  request.type = sim::DeploymentType();
  request.ns = "shop";
  request.name = "checkout";
  request.body = *ParseJson(R"({"spec":{"replicas":8}})");
  REQUIRE(scene.world.api().Call(request).ok());
  scene.Run(1min);
  CHECK(scene.PodsOf("shop/checkout:v1", true) == 8);
  CHECK(scene.PodsOf("shop/checkout:v2", true) == 4);
  CHECK(scene.Outcome("promoted"));
  CHECK(scene.PodsOf("shop/checkout:v2", true) == 8);
  scene.CheckSound();
}

// Without a router stable's size is ours to set while a release runs: another one is a wish for
// both tracks together, wherever the release stands and however it ends.
TEST_CASE("scaling: a person's new size is carried by the replica ratio, too") {
  struct Row {
    const char* when;
    int64_t size;
    int64_t v1, v2;  // where the release stands then
    bool good;
  };
  const auto scale = [](Scene& scene, int64_t replicas) {
    ClusterRequest request;
    request.verb = Verb::kPatch;
    request.type = sim::DeploymentType();
    request.ns = "shop";
    request.name = "checkout";
    request.body = *ParseJson(StrCat(R"({"spec":{"replicas":)", replicas, "}}"));
    REQUIRE(scene.world.api().Call(request).ok());
  };
  for (const Row& row : {Row{"at a step", 8, 4, 4, true}, Row{"at a step", 8, 4, 4, false},
                         Row{"at a step", 1, 1, 1, true}, Row{"in the bake", 6, 0, 6, true},
                         Row{"in the bake", 6, 0, 6, false}}) {
    const bool bake = std::string_view(row.when) == "in the bake";
    INFO(row.when << " to " << row.size << (row.good ? ", good" : ", bad"));
    Scene scene(ReplaceAll(
        GuardWith("canary: {stableService: checkout, steps: [{setWeight: 50}, {pause: {duration: "
                  "2m}}]}"),
        "bake: 10s", "bake: 3m"));
    scene.SetImage("shop/checkout:v2");
    REQUIRE(scene.RunUntil(
        [&] {
          return bake ? scene.state.phase == Phase::kBaking &&
                            scene.PodsOf("shop/checkout:v1", false) == 0
                      : scene.PodsOf("shop/checkout:v1", false) == 2 &&
                            scene.PodsOf("shop/checkout:v2", true) == 2;
        },
        10min));
    scene.Run(5s);
    scale(scene, row.size);
    scene.Run(1min);
    CHECK(scene.PodsOf("shop/checkout:v1", true) == row.v1);
    CHECK(scene.PodsOf("shop/checkout:v2", true) == row.v2);
    if (!row.good) CHECK(scene.Say(Command::Verb::kAbort).accepted);
    CHECK(scene.Outcome(row.good ? "promoted" : "rolledBack"));
    CHECK(scene.PodsOf(row.good ? "shop/checkout:v2" : "shop/checkout:v1", true) == row.size);
    CHECK(scene.Get("Deployment", "checkout").At("spec", "replicas").IntOr(0) == row.size);
    scene.CheckSound();
  }
}

TEST_CASE("autoscalers: stable is brought to the size the load on the candidate asks for") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 50}, {pause: {}}")));
  scene.Load(R"({"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":
    "checkout","namespace":"shop"},"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":
    "Deployment","name":"checkout"},"minReplicas":2,"maxReplicas":20,"metrics":[{"type":"Resource",
    "resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":70}}}]}})");
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(50));
  CHECK(scene.Get("HorizontalPodAutoscaler", "checkout").At("spec", "minReplicas").IntOr(0) == 4);
  ClusterRequest request;  // as its autoscaler would, under load
  request.verb = Verb::kPatch;
  request.type = sim::DeploymentType();
  request.ns = "shop";
  request.name = "checkout-candidate";
  request.body = *ParseJson(R"({"spec":{"replicas":5}})");
  REQUIRE(scene.world.api().Call(request).ok());
  scene.Run(3s);
  CHECK(scene.Get("HorizontalPodAutoscaler", "checkout").At("spec", "minReplicas").IntOr(0) == 10);
  CHECK(scene.Say(Command::Verb::kAbort).accepted);
  CHECK(scene.Outcome("rolledBack"));
  CHECK(scene.Get("HorizontalPodAutoscaler", "checkout").At("spec", "minReplicas").IntOr(0) == 2);
  CHECK(scene.violations == std::vector<std::string>{});
}

TEST_CASE("rules that only observe are written down once and move nothing") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 10}, {pause: {duration: 30s}}")));
  scene.signals = {Make("Look", spec::TriggerAction::kObserve, spec::RuleSeverity::kCritical)};
  scene.SetImage("shop/checkout:v2");
  CHECK(scene.Outcome("promoted"));
  CHECK(std::count_if(scene.decisions.begin(), scene.decisions.end(), [](const auto& d) {
          return d.reason == "observed only: Look is firing";
        }) == 1);
  scene.CheckSound();
}

TEST_CASE("observe mode: a freeze, a pause and a refusal are said, and the rollout is watched") {
  Scene scene(GuardWith("rolling: {}"));
  REQUIRE(scene.Say(Command::Verb::kRelease).accepted);
  scene.guard.mode = spec::Mode::kObserve;
  scene.extra.start.frozen = "weekend";
  scene.signals = {Make("Slow", spec::TriggerAction::kPause, spec::RuleSeverity::kMedium)};
  scene.signals[0].since = scene.world.scheduler().Now();
  scene.SetImage("shop/checkout:v2");
  CHECK(scene.Outcome("promoted", 5min));
  const std::string trace = Join(scene.trace, "\n");
  INFO(trace);
  CHECK(trace.find("frozen: weekend") != std::string::npos);
  CHECK(trace.find("would pause: Slow is firing") != std::string::npos);
  CHECK(scene.violations == std::vector<std::string>{});
}

TEST_CASE("status: the longest reasons and names leave it small") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 10}, {pause: {}}")));
  const std::string essay(5'000, 'x');
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(10));
  for (int i = 0; i < 30; ++i) {
    Signal signal = Make(StrCat("Rule", i, essay).c_str(), spec::TriggerAction::kObserve,
                         spec::RuleSeverity::kHigh);
    signal.evidence = Json(essay);
    scene.signals.push_back(signal);
  }
  scene.Run(2s);
  scene.signals.clear();
  for (int i = 0; i < 12; ++i) {
    scene.Say(Command::Verb::kPause);
    scene.Say(Command::Verb::kResume);
  }
  CHECK(release::ToJson(scene.state).Dump().size() < 100 * 1024);
}

TEST_CASE("status: after 1,000 releases it is as small as after ten, and reads back the same") {
  const spec::Guard guard = GuardFrom(GuardWith(CanaryWith("{setWeight: 10}")));
  release::GuardState state;
  state.phase = Phase::kIdle;
  state.stable = "stable";
  release::Observation seen;
  seen.now = FromUnixMillis(1'767'225'600'000);
  seen.target.exists = seen.target.observed = seen.target.held = true;
  seen.start.artifacts = {release::StartView::Artifacts::State::kRefused, std::string(9'000, 'x')};
  for (int i = 0; i < 1'000; ++i) {
    seen.now += 1min;
    seen.target.revision = StrCat("r", i);
    state = release::Step(guard, std::move(state), seen).state;
  }
  CHECK(state.sequence == 1'000);
  CHECK(state.quarantine.size() == release::GuardState::kMaxQuarantine);
  const Json status = release::ToJson(state);
  CHECK(status.Dump().size() < 32 * 1024);
  auto read = release::StateFromJson(status);
  REQUIRE(read.ok());
  CHECK(release::ToJson(*read) == status);
}

}  // namespace
}  // namespace rollguard::testing
