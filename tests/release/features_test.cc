// SPDX-License-Identifier: Apache-2.0
// What surrounds the steps: gates, approvals, hooks, snapshots, autoscalers, people, groups, limits
// of knowledge. Over the simulated cluster, with the replica ratio as the simplest router.
#include <algorithm>

#include "agent/base/text.h"
#include "tests/release/scene.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

using namespace std::chrono_literals;
using release::Command;
using release::Phase;
using release::RunView;
using release::Signal;
using release::Verdict;

TEST_CASE("steps: approval asks the right people and counts each once") {
  Scene scene(GuardWith(CanaryWith(
      "{setWeight: 10}, {approval: {required: 2, groups: [sre], timeout: 10m}}, {setWeight: 50}")));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(10));
  scene.Run(20s);
  CHECK(scene.Told("waiting"));
  CHECK(scene.Say(Command::Verb::kApprove).accepted);
  CHECK(scene.Say(Command::Verb::kApprove).message == "you approved already");
  scene.Run(20s);
  CHECK(scene.state.release->weight == 10);
  scene.state.release->scratch.votes.push_back({"bob", scene.world.scheduler().Now()});
  CHECK(scene.Outcome("promoted"));
  scene.CheckSound();
}

TEST_CASE("steps: a promote that comes early is meant for the pause that follows") {
  Scene scene(GuardWith(CanaryWith(
      "{setWeight: 10}, {pause: {}}, {setHeaderRoute: {name: beta, match: [{headerName: x, "
      "headerValue: {exact: please}}]}}, {pause: {}}, {setWeight: 50}, {pause: {}}")));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.RunToPhase(Phase::kPreparing, 1min));
  CHECK_FALSE(scene.Say(Command::Verb::kPromote).accepted);
  REQUIRE(scene.RunToPhase(Phase::kProgressing, 5min));
  CHECK(scene.Say(Command::Verb::kPromote).accepted);
  REQUIRE(scene.RunUntil([&] { return scene.state.release->step == 3; }, 5min));
  // The header route was not taken for done.
  CHECK(scene.state.release->wanted.headers.size() == 1);
  CHECK(scene.Get("VirtualService", "checkout").At("spec", "http").size() == 2);
  scene.Run(1min);
  CHECK(scene.state.release->step == 3);
  CHECK(scene.Say(Command::Verb::kPromote).accepted);
  REQUIRE(scene.RunUntil([&] { return scene.state.release->step == 5; }, 5min));
  CHECK(scene.state.release->wanted.headers.size() == 1);
  scene.Run(1min);
  CHECK(scene.state.release->step == 5);
  CHECK(scene.Say(Command::Verb::kPromote).accepted);
  CHECK(scene.Outcome("promoted"));
  scene.CheckSound();
}

TEST_CASE("steps: analysis decides: failed rolls back, inconclusive asks a person") {
  for (auto answer :
       {RunView::Phase::kFailed, RunView::Phase::kError, RunView::Phase::kInconclusive}) {
    Scene scene(GuardWith(CanaryWith(
        "{setWeight: 10}, {analysis: {templates: [{templateName: latency}]}}, {setWeight: 50}")));
    scene.run_answers["step 1"] = answer;
    scene.SetImage("shop/checkout:v2");
    if (answer != RunView::Phase::kInconclusive) {
      CHECK(scene.Outcome("rolledBack"));
      CHECK(scene.max_weight == 10);
      CHECK(scene.LastDecision(Verdict::kRollBack)->reason.find("latency") != std::string::npos);
    } else {
      REQUIRE(
          scene.RunUntil([&] { return scene.state.release && scene.state.release->paused; }, 5min));
      scene.Run(60s);
      CHECK(scene.state.release->weight == 10);
      CHECK(scene.Say(Command::Verb::kPromote).accepted);
      CHECK(scene.Outcome("promoted"));
    }
    scene.CheckSound();
  }
}

TEST_CASE("steps: a background analysis that fails in the bake takes everything back") {
  Scene scene(GuardWith(
      CanaryWith("{setWeight: 50}", ", analysis: {templates: [{templateName: latency}]}")));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.RunToPhase(Phase::kBaking, 5min));
  scene.run_answers["background"] = RunView::Phase::kFailed;
  // The run is lost with a restart and started again: it must not be forgotten.
  scene.state.release->background_run.clear();
  scene.state.release->background_attempt = 7;
  CHECK(scene.Outcome("rolledBack"));
  scene.CheckSound();
}

TEST_CASE("hooks: a release waits for its Jobs, a failing one takes it back") {
  const std::string hooks =
      "  rollback: {verify: {for: 10s}, cooldown: 0s}\n  hooks:\n    preRelease:\n      - name: "
      "migrate\n"
      "        job: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: tool/"
      "migrate:1}]}}}\n    rollback:\n      - name: down\n        job: {template: {spec: "
      "{restartPolicy:"
      " Never, containers: [{name: m, image: tool/migrate:1}]}}}\n";
  for (bool fails : {false, true}) {
    Scene scene(GuardWith(CanaryWith("{setWeight: 10}"), hooks));
    sim::RevisionBehaviour job;
    job.job_runs = 3s;
    job.job_fails = fails;
    scene.world.behaviours().SetImage("tool/migrate", job);
    scene.SetImage("shop/checkout:v2");
    if (!fails) {
      CHECK(scene.Outcome("promoted"));
    } else {
      const bool back = scene.RunToPhase(Phase::kRollingBack, 10min);
      INFO(Join(scene.trace, "\n"));
      CHECK(back);
      CHECK(scene.max_weight == 0);
      // The way back has a hook that fails too: people are called, nothing is pretended.
      CHECK(scene.RunUntil([&] { return scene.Told("rollbackFailed"); }, 10min));
    }
    CHECK(scene.violations == std::vector<std::string>{});
  }
}

TEST_CASE("hooks: a failed one on the way back is passed over by a person, one after another") {
  const std::string job =
      "job: {ttlSecondsAfterFinished: 1, template: {spec: {restartPolicy: Never, containers: "
      "[{name: "
      "m, image: tool/check:1}]}}}";
  Scene scene(
      GuardWith(CanaryWith("{setWeight: 10}, {pause: {}}"),
                StrCat("  rollback: {verify: {for: 10s}, cooldown: 0s}\n  hooks: {rollback: "
                       "[{name: down, ",
                       job, "}], verify: [{name: check, ", job, "}]}\n")));
  sim::RevisionBehaviour fails;
  fails.job_runs = 1s;
  fails.job_fails = true;
  scene.world.behaviours().SetImage("tool/check", fails);
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(10));
  CHECK(scene.Say(Command::Verb::kAbort).accepted);
  REQUIRE(scene.RunUntil([&] { return scene.Told("rollbackFailed"); }, 10min));
  scene.Run(5min);  // the Job outlives what its owner wrote
  CHECK(scene.state.phase == Phase::kRollingBack);
  CHECK(scene.Say(Command::Verb::kSkip).message == "hook down is passed over");
  REQUIRE(scene.RunToPhase(Phase::kVerifying, 1min));
  scene.Run(5min);
  CHECK(scene.state.phase == Phase::kVerifying);
  CHECK(scene.Say(Command::Verb::kSkip).message == "hook check is passed over");
  CHECK(scene.Outcome("rolledBack"));
  scene.CheckSound();
}

TEST_CASE("soft signals: they are weighed together and act when they last") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 10}, {pause: {duration: 30m}}")));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(10));
  scene.signals = {Make("Slower", spec::TriggerAction::kRollback, spec::RuleSeverity::kHigh)};
  scene.Run(2min);
  CHECK(scene.state.phase == Phase::kProgressing);  // severity alone is not enough
  scene.extra.health.score = 0.1;
  for (int i = 0; i < 12 && scene.state.phase == Phase::kProgressing; ++i) {
    scene.extra.health.score = 0.6 - 0.05 * i;
    scene.extra.health.at = scene.world.scheduler().Now();
    scene.Run(15s);
  }
  INFO(Join(scene.trace, "\n"));
  const release::Decision* decision = scene.LastDecision(Verdict::kRollBack);
  REQUIRE(decision != nullptr);
  REQUIRE(decision->confidence.has_value());
  CHECK(decision->confidence->value >= 0.7);
  CHECK(decision->confidence->looks >= 2);
  scene.signals.clear();
  CHECK(scene.Outcome("rolledBack"));
}

TEST_CASE("signals: pause pauses once, no data holds, what was firing before blocks the start") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 10}, {pause: {duration: 20s}}, {setWeight: 50}")));
  Signal old = Make("DiskFull", spec::TriggerAction::kRollback, spec::RuleSeverity::kCritical);
  old.source = Signal::Source::kAlert;
  old.pre_existing = true;
  scene.signals = {old};
  scene.SetImage("shop/checkout:v2");
  scene.Run(60s);
  CHECK(scene.state.phase == Phase::kPending);
  CHECK(scene.state.blocked_by.find("DiskFull was firing already") == 0);
  CHECK(scene.Say(Command::Verb::kPromote).accepted);
  REQUIRE(scene.Weight(10));
  scene.signals = {old};  // began before: never a reason to roll back
  Signal blindish =
      Make("ErrorRatio", spec::TriggerAction::kRollback, spec::RuleSeverity::kCritical);
  blindish.state = Signal::State::kNoData;
  scene.signals.push_back(blindish);
  scene.Run(3min);
  CHECK(scene.state.release->weight == 10);
  scene.signals = {Make("Slow", spec::TriggerAction::kPause, spec::RuleSeverity::kMedium)};
  scene.signals[0].since = scene.world.scheduler().Now();
  scene.Run(10s);
  CHECK(scene.state.release->paused);
  CHECK(scene.Say(Command::Verb::kResume).accepted);
  CHECK(scene.Outcome("promoted"));
  scene.CheckSound();
}

TEST_CASE("blind: holds, and says so; never acts on what it cannot see") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 10}, {pause: {duration: 20s}}, {setWeight: 50}")));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(10));
  scene.extra.blind = "the metrics source does not answer";
  scene.Run(10min);
  CHECK(scene.state.phase == Phase::kProgressing);
  CHECK(scene.state.release->weight == 10);
  CHECK(scene.state.FindCondition("Blind")->status);
  scene.extra.blind.clear();
  CHECK(scene.Outcome("promoted"));
  scene.CheckSound();
}

TEST_CASE("rollback by approval waits for people, gradual walks down") {
  Scene asked(GuardWith(CanaryWith("{setWeight: 40}, {pause: {}}")));
  asked.guard.rollback.on_trigger = spec::RollbackSpec::OnTrigger::kApproval;
  asked.SetImage("shop/checkout:v2");
  REQUIRE(asked.Weight(40));
  asked.signals = {Make("Bad", spec::TriggerAction::kRollback, spec::RuleSeverity::kCritical)};
  asked.Run(60s);
  CHECK(asked.state.release->weight == 40);
  CHECK(asked.Say(Command::Verb::kApprove).accepted);
  asked.signals.clear();
  CHECK(asked.Outcome("rolledBack"));
  asked.CheckSound();

  Scene gradual(GuardWith(CanaryWith("{setWeight: 40}, {pause: {}}")));
  gradual.guard.rollback.on_trigger = spec::RollbackSpec::OnTrigger::kGradual;
  gradual.guard.rollback.gradual = {10, 10s};
  gradual.SetImage("shop/checkout:v2");
  REQUIRE(gradual.Weight(40));
  gradual.signals = {Make("Bad", spec::TriggerAction::kRollback, spec::RuleSeverity::kCritical)};
  REQUIRE(gradual.RunUntil([&] { return gradual.state.release->wanted.candidate == 20; }, 60s));
  gradual.signals.clear();
  CHECK(gradual.Outcome("rolledBack"));
  gradual.CheckSound();
}

TEST_CASE("verification: a trigger that stays was probably not the release") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}, {pause: {}}")));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(40));
  scene.signals = {Make("Bad", spec::TriggerAction::kRollback, spec::RuleSeverity::kCritical)};
  CHECK(scene.Outcome("rolledBack"));
  CHECK(scene.Told("notTheCause"));
}

TEST_CASE("groups: members go back together, those that stand on others first") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}, {pause: {}}")));
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(40));
  release::PeerView peer;
  peer.guard = "shop/cart";
  peer.phase = "RollingBack";
  peer.rolled_back = "errors";
  peer.rolled_back_at = scene.world.scheduler().Now();
  peer.traffic_returned = false;
  peer.depends_on_us = peer.releasing = true;
  scene.extra.peers = {peer};
  scene.Run(20s);
  CHECK(scene.state.phase == Phase::kRollingBack);
  CHECK(scene.state.release->wanted.candidate == 40);
  scene.extra.peers[0].traffic_returned = true;
  scene.extra.peers[0].phase = "Idle";
  CHECK(scene.Outcome("rolledBack"));
  scene.CheckSound();
}

TEST_CASE("start: frozen, queued, waiting for an earlier environment, refused") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}"),
                        "  rollback: {verify: {for: 10s}, cooldown: 0s}\n"
                        "  concurrency: {key: checkout}\n"));
  scene.extra.start.frozen = "weekend";
  scene.SetImage("shop/checkout:v2");
  scene.Run(20s);
  CHECK(scene.state.blocked_by == "frozen: weekend");
  scene.extra.start.frozen.clear();
  scene.extra.start.upstream = {
      {"staging/checkout", false, "these images have not succeeded there", {}}};
  scene.Run(20s);
  CHECK(scene.state.blocked_by.find("waits for staging/checkout") == 0);
  scene.extra.start.upstream.clear();
  scene.extra.start.rivals = {{"shop/cart", "r1", scene.world.scheduler().Now()}};
  scene.Run(20s);
  CHECK(scene.state.blocked_by == "waits for shop/cart");
  scene.extra.start.rivals.clear();
  scene.extra.start.artifacts = {release::StartView::Artifacts::State::kRefused, "no signature"};
  scene.Run(20s);
  CHECK(scene.state.phase == Phase::kIdle);
  CHECK(scene.state.quarantine.size() == 1);
  CHECK(scene.PodsOf("shop/checkout:v2", false) == 0);
  scene.CheckSound();
}

TEST_CASE("autoscalers: the way back keeps its size, the candidate scales too, all is given back") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}, {pause: {duration: 1m}}")));
  scene.Load(R"({"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":
    "checkout","namespace":"shop"},"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":
    "Deployment","name":"checkout"},"minReplicas":2,"maxReplicas":8,"metrics":[{"type":"Resource",
    "resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":70}}}]}})");
  const Json before = scene.Get("HorizontalPodAutoscaler", "checkout").At("spec");
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.Weight(40));
  CHECK(scene.Get("HorizontalPodAutoscaler", "checkout").At("spec", "minReplicas").IntOr(0) >= 2);
  CHECK(scene.Exists("HorizontalPodAutoscaler", "checkout-candidate"));
  const bool promoted = scene.Outcome("promoted", 20min);
  INFO(Join(scene.trace, "\n"));
  CHECK(promoted);
  CHECK(scene.Get("HorizontalPodAutoscaler", "checkout").At("spec") == before);
  CHECK_FALSE(scene.Exists("HorizontalPodAutoscaler", "checkout-candidate"));
  CHECK(scene.violations == std::vector<std::string>{});
}

TEST_CASE("two Deployments: they change roles, again and again") {
  const std::string strategy =
      "canary: {stableService: checkout-v1, candidateService: checkout-v2, candidate: {deployment: "
      "checkout-v2}, routing: [{generic: {apiVersion: example.com/v1, kind: Splitter, name: "
      "checkout, stableWeight: spec.a, candidateWeight: spec.b}}], steps: [{setWeight: 30}]}";
  Drive drive(ReplaceAll(GuardWith(strategy), "kind: Deployment, name: checkout}",
                         "kind: Deployment, name: checkout-v1}"));
  drive.AddType("example.com", "v1", "splitters", "Splitter");
  drive.Load(DeploymentJson("checkout-v1", 3, "shop/checkout:v1"));
  drive.Load(R"({"apiVersion":"example.com/v1","kind":"Splitter","metadata":{"name":"checkout",
    "namespace":"shop"},"spec":{"a":100,"b":0}})");
  drive.Load(ServiceJson("checkout-v1"));
  drive.Load(ServiceJson("checkout-v2"));
  drive.world.scheduler().RunFor(30s);
  drive.Run(5s);
  REQUIRE(drive.state.phase == Phase::kIdle);
  drive.Load(ReplaceAll(DeploymentJson("checkout-v2", 0, "shop/checkout:v2"),
                        "{\"app\":\"checkout\"}", "{\"app\":\"checkout\",\"v\":\"2\"}"));
  auto promoted = [&](bool swapped) {
    return drive.RunUntil(
        [&] { return drive.state.phase == Phase::kIdle && drive.state.swapped == swapped; }, 10min);
  };
  const bool first = promoted(true);
  INFO(Join(drive.trace, "\n"));
  REQUIRE(first);
  drive.Run(30s);
  CHECK(drive.PodsOf("shop/checkout:v2", true) == 3);
  CHECK(drive.PodsOf("shop/checkout:v1", false) == 0);
  CHECK(drive.Get("Splitter", "checkout").At("spec", "b").IntOr(0) == 100);
  CHECK(drive.Quiet() == 0);
  drive.SetImage("shop/checkout:v3");  // the other one is the candidate now
  REQUIRE(drive.RunUntil([&] { return drive.PodsOf("shop/checkout:v3", true) > 0; }, 3min));
  REQUIRE(promoted(false));
  drive.Run(30s);
  CHECK(drive.PodsOf("shop/checkout:v3", true) == 3);
  CHECK(drive.PodsOf("shop/checkout:v2", false) == 0);
  CHECK(drive.Get("Splitter", "checkout").At("spec", "a").IntOr(0) == 100);
  CHECK(drive.Quiet() == 0);
  CHECK(drive.violations == std::vector<std::string>{});
}

TEST_CASE("observe mode: decides and records, changes nothing") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}")));
  REQUIRE(scene.Say(Command::Verb::kRelease).accepted);
  scene.guard.mode = spec::Mode::kObserve;
  const std::string before = scene.Get("VirtualService", "checkout").Dump();
  scene.SetImage("shop/checkout:v2");
  scene.Run(4s);
  scene.signals = {Make("Bad", spec::TriggerAction::kRollback, spec::RuleSeverity::kCritical)};
  const size_t changes = scene.trace.size();
  scene.Run(2min);
  INFO(Join(scene.trace, "\n"));
  for (size_t i = changes; i < scene.trace.size(); ++i) CHECK(scene.trace[i].find("  ") != 0);
  CHECK(scene.Get("VirtualService", "checkout").Dump() == before);
  CHECK(scene.LastDecision(Verdict::kRollBack) != nullptr);
  CHECK(scene.Outcome("wouldRollBack"));
  CHECK(scene.Quiet() == 0);
  CHECK(std::count_if(scene.decisions.begin(), scene.decisions.end(),
                      [](const auto& d) { return d.verdict == Verdict::kRollBack; }) == 1);
}

TEST_CASE("conflict: a manifest that unpauses is reported, not fought") {
  Scene scene(GuardWith(CanaryWith("{setWeight: 40}")));
  for (int i = 0; i < 8; ++i) {
    ClusterRequest request;
    request.verb = Verb::kPatch;
    request.type = sim::DeploymentType();
    request.ns = "shop";
    request.name = "checkout";
    request.body = *ParseJson(R"({"spec":{"paused":false}})");
    REQUIRE(scene.world.api().Call(request).ok());
    scene.Run(5s);
  }
  CHECK(scene.state.FindCondition("Conflict") != nullptr);
  CHECK(scene.Quiet() == 0);
  // What then rolls out around the guard is watched and undone when it is bad.
  scene.SetImage("shop/checkout:v2");
  REQUIRE(scene.RunUntil([&] { return scene.PodsOf("shop/checkout:v2", true) > 0; }, 60s));
  scene.signals = {Make("Bad", spec::TriggerAction::kRollback, spec::RuleSeverity::kCritical)};
  REQUIRE(scene.RunToPhase(Phase::kVerifying, 5min));
  scene.signals.clear();
  CHECK(scene.Outcome("rolledBack"));
  INFO(Join(scene.trace, "\n"));
  CHECK(scene.PodsOf("shop/checkout:v1", true) == 4);
}

}  // namespace
}  // namespace rollguard::testing
