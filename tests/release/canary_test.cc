// SPDX-License-Identifier: Apache-2.0
#include "agent/base/text.h"
#include "tests/release/drive.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

using namespace std::chrono_literals;
using release::Command;
using release::Phase;
using release::Signal;
using release::Verdict;

const char* const kGuard = R"(
apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: checkout, namespace: shop}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: checkout}
  strategy:
    canary:
      stableService: checkout
      routing:
        - istio: {virtualService: checkout, routes: [primary], destinationRule: {name: checkout}}
      steps:
        - setWeight: 20
        - pause: {duration: 30s}
        - setWeight: 50
        - pause: {duration: 30s}
  bake: 1m
  rollback: {verify: {for: 20s}, cooldown: 0s}
)";

const char* const kVirtualService = R"({
  "apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService",
  "metadata": {"name": "checkout", "namespace": "shop", "labels": {"team": "pay"}},
  "spec": {"hosts": ["checkout"], "gateways": ["mesh"], "http": [
    {"name": "primary", "retries": {"attempts": 3},
     "route": [{"destination": {"host": "checkout", "port": {"number": 80}}}]},
    {"name": "admin", "match": [{"uri": {"prefix": "/admin"}}],
     "route": [{"destination": {"host": "admin"}}]}]}})";
const char* const kRule = R"({
  "apiVersion": "networking.istio.io/v1beta1", "kind": "DestinationRule",
  "metadata": {"name": "checkout", "namespace": "shop"},
  "spec": {"host": "checkout", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}})";

struct Canary : Drive {
  explicit Canary(const char* guard_yaml = kGuard, uint64_t seed = 1) : Drive(guard_yaml, seed) {
    Load(DeploymentJson("checkout", 4, "shop/checkout:v1"));
    Load(ServiceJson("checkout"));
    Load(kVirtualService);
    Load(kRule);
    sim::Flow flow;
    flow.ns = "shop";
    flow.service = "checkout";
    flow.source.kind = sim::RouteSource::Kind::kVirtualService;
    flow.source.name = "checkout";
    flow.source.route = "primary";
    flow.requests_per_second = 500;
    world.scheduler().RunFor(30s);
    world.traffic().Add(flow);
    world.traffic().Start();
    Run(20s);
    REQUIRE(state.phase == Phase::kIdle);
    before_vs = Rest("VirtualService");
    before_dr = Rest("DestinationRule");
    before_service = Get("Service", "checkout").At("spec");
  }

  Json Rest(const char* kind) {
    Json object = Get(kind, "checkout");
    for (const char* member : {"resourceVersion", "generation"}) object["metadata"].Erase(member);
    return object;
  }

  void CheckAtRest() {
    INFO(Join(trace, "\n"));
    CHECK(Rest("VirtualService").Dump() == before_vs.Dump());
    CHECK(Rest("DestinationRule").Dump() == before_dr.Dump());
    CHECK(Get("Service", "checkout").At("spec") == before_service);
    CHECK_FALSE(Exists("Deployment", "checkout-candidate"));
    CHECK(Get("Deployment", "checkout").At("spec", "paused").BoolOr(false));
    CHECK(Quiet() == 0);
    CHECK(violations == std::vector<std::string>{});
  }

  void CheckTraffic() {
    const auto total = world.traffic().Total();
    INFO("lost " << total.lost << " of " << total.requests);
    CHECK(total.lost <= total.requests * 0.001);
  }

  Json before_vs, before_dr, before_service;
};

Signal Critical(const char* name) {
  Signal signal;
  signal.name = name;
  signal.state = Signal::State::kFiring;
  signal.reason = StrCat(name, ": 5 % of requests fail, 1 % may");
  return signal;
}

TEST_CASE("canary: a good version is promoted and everything returns to its owner") {
  Canary drive;
  drive.SetImage("shop/checkout:v2");
  CHECK(drive.RunToPhase(Phase::kProgressing, 60s));
  CHECK(drive.RunToPhase(Phase::kBaking, 5min));
  CHECK(drive.PodsOf("shop/checkout:v1", true) == 4);  // the way back is warm
  CHECK(drive.RunToPhase(Phase::kPromoting, 2min));
  const bool idle = drive.RunToPhase(Phase::kIdle, 10min);
  INFO(Join(drive.trace, "\n"));
  REQUIRE(idle);
  drive.Run(30s);
  CHECK(drive.state.last->outcome == "promoted");
  CHECK(drive.PodsOf("shop/checkout:v2", true) == 4);
  CHECK(drive.PodsOf("shop/checkout:v1", false) == 0);
  drive.CheckAtRest();
  drive.CheckTraffic();
}

TEST_CASE("canary: a trigger takes all traffic off in one patch, before anything is scaled") {
  Canary drive;
  drive.SetImage("shop/checkout:v2");
  REQUIRE(drive.RunUntil([&] { return drive.state.release && drive.state.release->weight == 50; },
                         5min));
  drive.trace.clear();
  drive.signals.push_back(Critical("HighErrorRate"));
  drive.Run(1s);
  INFO(Join(drive.trace, "\n"));
  REQUIRE(drive.trace.size() == 2);  // the decision, then one patch
  CHECK(drive.trace[1].find("patch VirtualService shop/checkout") != std::string::npos);
  const Json vs = drive.Get("VirtualService", "checkout");
  const Json& route = vs.At("spec", "http").At(size_t{0}).At("route");
  CHECK(route.At(size_t{0}).At("weight").IntOr(-1) == 100);
  CHECK(route.At(size_t{1}).At("weight").IntOr(-1) == 0);
  drive.signals.clear();
  REQUIRE(drive.RunToPhase(Phase::kIdle, 5min));
  drive.Run(20s);
  CHECK(drive.state.last->outcome == "rolledBack");
  CHECK(drive.PodsOf("shop/checkout:v1", true) == 4);
  CHECK(drive.PodsOf("shop/checkout:v2", false) == 0);
  // The rejected template stays in the spec, is never released again, and starts no pod.
  CHECK(drive.Get("Deployment", "checkout")
            .At("spec", "template", "spec", "containers")
            .At(size_t{0})
            .At("image")
            .Str() == "shop/checkout:v2");
  drive.Run(5min);
  CHECK(drive.state.phase == Phase::kIdle);
  CHECK(drive.PodsOf("shop/checkout:v2", false) == 0);
  drive.CheckAtRest();
  drive.CheckTraffic();
  CHECK(drive.Say(Command::Verb::kRetry).accepted);
  CHECK(drive.RunToPhase(Phase::kProgressing, 60s));
}

TEST_CASE("canary: pods that crash or cannot be pulled are taken back without waiting") {
  for (const char* kind : {"crash", "pull"}) {
    INFO(kind);
    Canary drive;
    sim::RevisionBehaviour bad;
    bad.crash_after = std::string_view(kind) == "crash" ? 2s : 0s;
    bad.never_ready = true;
    bad.image_pull_fails = std::string_view(kind) == "pull";
    drive.world.behaviours().SetImage("checkout:v2", bad);
    drive.SetImage("shop/checkout:v2");
    const bool back = drive.RunToPhase(Phase::kRollingBack, 4min);
    INFO(Join(drive.trace, "\n"));
    REQUIRE(back);
    REQUIRE(drive.RunToPhase(Phase::kIdle, 5min));
    CHECK(drive.max_weight == 0);
    drive.CheckAtRest();
    drive.CheckTraffic();
  }
}

TEST_CASE("canary: pods that never become ready end at the progress deadline") {
  Canary drive;
  drive.guard.progress_deadline = 60s;
  sim::RevisionBehaviour bad;
  bad.never_ready = true;
  drive.world.behaviours().SetImage("checkout:v2", bad);
  drive.SetImage("shop/checkout:v2");
  REQUIRE(drive.RunToPhase(Phase::kRollingBack, 3min));
  REQUIRE(drive.RunToPhase(Phase::kIdle, 5min));
  CHECK(drive.max_weight == 0);
  drive.CheckAtRest();
}

TEST_CASE("canary: a newer template takes the candidate's place, the stable one ends it") {
  Canary drive;
  drive.SetImage("shop/checkout:v2");
  REQUIRE(drive.RunUntil([&] { return drive.state.release && drive.state.release->weight == 20; },
                         5min));
  drive.SetImage("shop/checkout:v3");
  REQUIRE(drive.RunUntil(
      [&] { return drive.state.release && drive.PodsOf("shop/checkout:v3", true) > 0; }, 5min));
  CHECK(drive.PodsOf("shop/checkout:v2", false) == 0);
  CHECK(drive.state.quarantine.empty());
  drive.SetImage("shop/checkout:v1");
  const bool idle = drive.RunToPhase(Phase::kIdle, 5min);
  INFO(Join(drive.trace, "\n"));
  REQUIRE(idle);
  drive.Run(60s);
  drive.CheckAtRest();
  drive.CheckTraffic();
  CHECK(drive.PodsOf("shop/checkout:v1", true) == 4);
}

TEST_CASE("canary: a trigger in the middle of the promotion brings stable's pods back first") {
  Canary drive;
  drive.SetImage("shop/checkout:v2");
  REQUIRE(drive.RunToPhase(Phase::kPromoting, 10min));
  REQUIRE(drive.RunUntil([&] { return drive.PodsOf("shop/checkout:v1", true) <= 2; }, 5min));
  drive.signals.push_back(Critical("HighErrorRate"));
  REQUIRE(drive.RunToPhase(Phase::kRollingBack, 5s));
  drive.signals.clear();
  const bool idle = drive.RunToPhase(Phase::kIdle, 10min);
  INFO(Join(drive.trace, "\n"));
  REQUIRE(idle);
  drive.Run(30s);
  CHECK(drive.PodsOf("shop/checkout:v1", true) == 4);
  CHECK(drive.PodsOf("shop/checkout:v2", false) == 0);
  drive.CheckAtRest();
  drive.CheckTraffic();
}

TEST_CASE("canary: a template that arrives while the target follows waits and is released next") {
  Canary drive;
  drive.SetImage("shop/checkout:v2");
  REQUIRE(drive.RunToPhase(Phase::kPromoting, 10min));
  REQUIRE(drive.RunUntil([&] { return drive.PodsOf("shop/checkout:v1", true) <= 2; }, 5min));
  drive.SetImage("shop/checkout:v3");
  const bool next = drive.RunUntil(
      [&] { return drive.state.last && drive.state.last->outcome == "promoted"; }, 10min);
  INFO(Join(drive.trace, "\n"));
  REQUIRE(next);
  REQUIRE(drive.RunUntil([&] { return drive.PodsOf("shop/checkout:v3", true) > 0; }, 5min));
  REQUIRE(drive.RunUntil([&] { return drive.PodsOf("shop/checkout:v2", false) == 0; }, 20min));
  REQUIRE(drive.RunToPhase(Phase::kIdle, 10min));
  drive.CheckAtRest();
  drive.CheckTraffic();
}

TEST_CASE("canary: what people say") {
  Canary drive;
  CHECK_FALSE(drive.Say(Command::Verb::kAbort).accepted);
  CHECK(drive.Quiet() == 0);
  drive.SetImage("shop/checkout:v2");
  REQUIRE(drive.RunUntil([&] { return drive.state.release && drive.state.release->weight == 20; },
                         5min));
  CHECK(drive.Say(Command::Verb::kPause).accepted);
  drive.Run(3min);
  CHECK(drive.state.release->weight == 20);
  CHECK(drive.Say(Command::Verb::kResume).accepted);
  REQUIRE(drive.RunUntil([&] { return drive.state.release->weight == 50; }, 3min));
  CHECK(drive.Say(Command::Verb::kPromote, "", true).accepted);
  REQUIRE(drive.RunToPhase(Phase::kPromoting, 2min));
  REQUIRE(drive.RunToPhase(Phase::kIdle, 10min));
  CHECK(drive.state.last->outcome == "promoted");
  drive.CheckAtRest();
  // Back to what was stable before: without steps.
  CHECK(drive.Say(Command::Verb::kRollBack).accepted);
  REQUIRE(drive.RunUntil([&] { return drive.state.release.has_value(); }, 60s));
  CHECK(drive.state.release->fast);
  REQUIRE(drive.RunToPhase(Phase::kIdle, 20min));
  INFO(Join(drive.trace, "\n"));
  drive.Run(60s);
  CHECK(drive.PodsOf("shop/checkout:v1", true) == 4);
  drive.CheckAtRest();
  drive.CheckTraffic();
}

TEST_CASE("canary: limits hold and page instead of rolling back") {
  Canary drive;
  drive.guard.rollback.max_per_hour = 1;
  drive.state.rollbacks.push_back(drive.world.scheduler().Now());
  drive.SetImage("shop/checkout:v2");
  REQUIRE(drive.RunUntil([&] { return drive.state.release && drive.state.release->weight == 20; },
                         5min));
  drive.signals.push_back(Critical("HighErrorRate"));
  REQUIRE(drive.RunToPhase(Phase::kHeld, 5s));
  drive.Run(2min);
  CHECK(drive.state.release->weight == 20);
  CHECK(std::count(drive.told.begin(), drive.told.end(), "limited") == 1);
  CHECK(drive.Say(Command::Verb::kRollBack).accepted);
  drive.signals.clear();
  REQUIRE(drive.RunToPhase(Phase::kIdle, 5min));
  drive.CheckAtRest();
}

TEST_CASE("canary: deleting the guard ends the release and gives the workload back") {
  Canary drive;
  drive.SetImage("shop/checkout:v2");
  REQUIRE(drive.RunUntil([&] { return drive.state.release && drive.state.release->weight == 20; },
                         5min));
  drive.extra.deleting = true;
  const bool gone = drive.RunUntil([&] { return drive.finalized; }, 5min);
  INFO(Join(drive.trace, "\n"));
  REQUIRE(gone);
  const Json target = drive.Get("Deployment", "checkout");
  CHECK(target.At("spec").Find("paused") == nullptr);
  CHECK(target.At("metadata", "annotations").Find("rollguard.dev/rest") == nullptr);
  CHECK_FALSE(drive.Exists("Deployment", "checkout-candidate"));
  CHECK(drive.Rest("VirtualService").Dump() == drive.before_vs.Dump());
  CHECK(drive.violations == std::vector<std::string>{});
}

TEST_CASE("canary: in observe mode nothing is changed and everything is said") {
  Canary drive;
  drive.guard.mode = spec::Mode::kObserve;
  const Json before = drive.Get("Deployment", "checkout");
  drive.trace.clear();
  drive.Run(60s);
  for (const auto& line : drive.trace) CHECK(line.find("  ") != 0);
}

}  // namespace
}  // namespace rollguard::testing
