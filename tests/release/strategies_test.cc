// SPDX-License-Identifier: Apache-2.0
// Every strategy with every router the simulation can route by: a good version ends promoted, a bad
// one ends taken back, and both end with every object as its owner wrote it. Then the same with
// failing writes and rounds that are cut off, over many seeds.
#include <algorithm>
#include <cstdlib>

#include "agent/base/text.h"
#include "tests/release/drive.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

using namespace std::chrono_literals;
using release::Phase;
using release::Signal;

struct Setup {
  std::string name;
  std::string strategy;  // YAML under `strategy:`
  std::string kind = "Deployment";
  sim::RouteSource source = {};
  std::vector<std::string> objects = {};
  bool lossless = true;
};

const char* const kSteps = "steps: [{setWeight: 25}, {pause: {duration: 10s}}, {setWeight: 50}]";

std::string VirtualService() {
  return R"({"apiVersion":"networking.istio.io/v1beta1","kind":"VirtualService",
    "metadata":{"name":"checkout","namespace":"shop","annotations":{"owner":"pay"}},
    "spec":{"hosts":["checkout"],"http":[{"route":[{"destination":{"host":"checkout"}}],
    "timeout":"5s"}]}})";
}
std::string DestinationRule() {
  return R"({"apiVersion":"networking.istio.io/v1beta1","kind":"DestinationRule",
    "metadata":{"name":"checkout","namespace":"shop"},"spec":{"host":"checkout",
    "subsets":[{"name":"everything","labels":{"app":"checkout"}}]}})";
}
std::string HttpRoute() {
  return R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute",
    "metadata":{"name":"checkout","namespace":"shop"},"spec":{"parentRefs":[{"name":"gw"}],
    "rules":[{"matches":[{"path":{"type":"PathPrefix","value":"/"}}],
    "backendRefs":[{"group":"","kind":"Service","name":"checkout","port":80,"weight":1}]}]}})";
}
std::string Ingress() {
  return R"({"apiVersion":"networking.k8s.io/v1","kind":"Ingress",
    "metadata":{"name":"checkout","namespace":"shop"},"spec":{"ingressClassName":"nginx",
    "rules":[{"host":"shop.example","http":{"paths":[{"path":"/","pathType":"Prefix",
    "backend":{"service":{"name":"checkout","port":{"number":80}}}}]}}]}})";
}
std::string Generic() {
  return R"({"apiVersion":"example.com/v1","kind":"Splitter","metadata":{"name":"checkout",
    "namespace":"shop"},"spec":{"note":"ours","split":[{"to":"checkout","w":100},
    {"to":"checkout-candidate","w":0}]}})";
}

sim::RouteSource Source(sim::RouteSource::Kind kind) {
  sim::RouteSource source;
  source.kind = kind;
  source.name = "checkout";
  return source;
}

sim::RouteSource GenericSource() {
  sim::RouteSource source = Source(sim::RouteSource::Kind::kGeneric);
  source.type = {"example.com", "v1", "splitters", "Splitter", true};
  source.backends = {{"/spec/split/0/w", "checkout"}, {"/spec/split/1/w", "checkout-candidate"}};
  return source;
}

std::vector<Setup> Setups() {
  using Kind = sim::RouteSource::Kind;
  const std::string canary =
      "canary: {stableService: checkout, candidateService: checkout-candidate, ";
  return {
      {"canary istio subsets",
       StrCat(canary, "routing: [{istio: {virtualService: checkout, destinationRule: ",
              "{name: checkout}}}], ", kSteps, "}"),
       "Deployment",
       Source(Kind::kVirtualService),
       {VirtualService(), DestinationRule()}},
      {"canary istio services",
       StrCat(canary, "routing: [{istio: {virtualService: checkout}}], ", kSteps, "}"),
       "Deployment",
       Source(Kind::kVirtualService),
       {VirtualService()}},
      {"canary gateway",
       StrCat(canary, "routing: [{gatewayApi: {httpRoute: checkout}}], ", kSteps, "}"),
       "Deployment",
       Source(Kind::kHttpRoute),
       {HttpRoute()}},
      {"canary nginx",
       StrCat(canary, "routing: [{nginx: {ingress: checkout}}], ", kSteps, "}"),
       "Deployment",
       Source(Kind::kNginxIngress),
       {Ingress()}},
      {"canary generic",
       StrCat(canary, "routing: [{generic: {apiVersion: example.com/v1, kind: Splitter, name: ",
              "checkout, stableWeight: /spec/split/0/w, candidateWeight: /spec/split/1/w}}], ",
              kSteps, "}"),
       "Deployment",
       GenericSource(),
       {Generic()}},
      {"canary replicas",
       StrCat("canary: {", kSteps, "}"),
       "Deployment",
       Source(Kind::kService),
       {}},
      {"blue/green",
       "blueGreen: {activeService: checkout, previewService: checkout-preview}",
       "Deployment",
       Source(Kind::kService),
       {ServiceJson("checkout-preview")}},
      {"a/b",
       StrCat("abTest: {stableService: checkout, routing: [{istio: {virtualService: checkout, ",
              "destinationRule: {name: checkout}}}], match: [{headers: [{name: x-test, exact: ",
              "yes-please}]}], iterations: 2, interval: 10s}"),
       "Deployment",
       Source(Kind::kVirtualService),
       {VirtualService(), DestinationRule()}},
      {"mirror",
       StrCat("mirror: {stableService: checkout, routing: [{istio: {virtualService: checkout, ",
              "destinationRule: {name: checkout}}}], percentage: 50, duration: 10s}"),
       "Deployment",
       Source(Kind::kVirtualService),
       {VirtualService(), DestinationRule()}},
      {"rolling", "rolling: {}", "Deployment", Source(Kind::kService), {}},
      {"rolling observed",
       "rolling: {admission: observe}",
       "Deployment",
       Source(Kind::kService),
       {}},
      {"rolling StatefulSet", "rolling: {}", "StatefulSet", Source(Kind::kService), {}, false},
      {"rolling DaemonSet", "rolling: {}", "DaemonSet", Source(Kind::kService), {}, false},
  };
}

std::string GuardYaml(const Setup& setup) {
  return StrCat(
      "apiVersion: rollguard.dev/v1alpha1\nkind: Guard\n"
      "metadata: {name: checkout, namespace: shop}\nspec:\n"
      "  target: {apiVersion: apps/v1, kind: ",
      setup.kind, ", name: checkout}\n  strategy:\n    ", setup.strategy,
      "\n  bake: 20s\n  rollback: {verify: {for: 10s}, cooldown: 0s, maxPerHour: 100}\n");
}

std::string Workload(const Setup& setup) {
  std::string json = DeploymentJson("checkout", 4, "shop/checkout:v1");
  if (setup.kind == "Deployment") return json;
  json = ReplaceAll(json, "\"Deployment\"", StrCat("\"", setup.kind, "\""));
  if (setup.kind == "DaemonSet") json = ReplaceAll(json, "\"replicas\":4,", "");
  if (setup.kind == "StatefulSet") {
    json = ReplaceAll(json, "\"replicas\":4,", "\"replicas\":4,\"serviceName\":\"checkout\",");
  }
  return json;
}

struct Stage : Drive {
  explicit Stage(const Setup& s, uint64_t seed) : Drive(GuardYaml(s), seed), setup(s) {
    AddType("example.com", "v1", "splitters", "Splitter");
    sim::RevisionBehaviour behaviour;
    behaviour.drain = 10s;
    behaviour.terminate_after = 11s;
    world.behaviours().SetDefault(behaviour);
    Load(Workload(setup));
    Load(ServiceJson("checkout"));
    for (const std::string& object : setup.objects) Load(object);
    world.scheduler().RunFor(40s);
    Run(20s);
    REQUIRE(state.phase == Phase::kIdle);
    sim::Flow flow;
    flow.ns = "shop";
    flow.service = "checkout";
    flow.source = setup.source;
    flow.requests_per_second = 500;
    world.traffic().Add(flow);
    world.traffic().Start();
    before = Owners();
  }

  // Everything an owner wrote, without what the server counts.
  std::string Owners() {
    std::string all;
    for (const char* kind :
         {"Service", "VirtualService", "DestinationRule", "HTTPRoute", "Ingress", "Splitter"}) {
      for (const char* name : {"checkout", "checkout-preview", "checkout-candidate"}) {
        Json object = Get(kind, name);
        if (!object.is_object()) continue;
        for (const char* m : {"resourceVersion", "generation"}) object["metadata"].Erase(m);
        all += object.Dump() + "\n";
      }
    }
    Json target = Get(setup.kind, "checkout");
    Json spec = target.At("spec");
    spec.Erase("template");
    return all + spec.Dump();
  }

  bool Ended(const char* outcome) {
    return state.phase == Phase::kIdle && state.last && state.last->outcome == outcome;
  }

  Setup setup;
  std::string before;
};

int64_t SizeOf(const Setup& setup) { return setup.kind == "DaemonSet" ? 3 : 4; }

void CheckEnd(Stage& stage, const char* outcome, const char* image) {
  const Setup& setup = stage.setup;
  INFO(setup.name << "\n" << Join(stage.trace, "\n"));
  CHECK(stage.Ended(outcome));
  CHECK(stage.PodsOf(image, true) == SizeOf(setup));
  CHECK(stage.PodsOf(image, false) == SizeOf(setup));
  CHECK(stage.Owners() == stage.before);
  CHECK(stage.Quiet() == 0);
  CHECK(stage.violations == std::vector<std::string>{});
  const auto total = stage.world.traffic().Total();
  INFO("lost " << total.lost << " of " << total.requests);
  if (setup.lossless) CHECK(total.lost <= total.requests * 0.001);
}

Signal Critical() {
  Signal signal;
  signal.name = "HighErrorRate";
  signal.state = Signal::State::kFiring;
  signal.reason = "5 % of requests fail, 1 % may";
  return signal;
}

TEST_CASE("strategies: a good version is promoted") {
  for (const Setup& setup : Setups()) {
    Stage stage(setup, 3);
    stage.SetImage("shop/checkout:v2");
    stage.RunUntil([&] { return stage.Ended("promoted"); }, 20min);
    stage.Run(40s);
    CheckEnd(stage, "promoted", "shop/checkout:v2");
  }
}

TEST_CASE("strategies: a bad version is taken back") {
  for (const Setup& setup : Setups()) {
    Stage stage(setup, 4);
    stage.SetImage("shop/checkout:v2");
    stage.RunUntil([&] { return stage.PodsOf("shop/checkout:v2", true) > 0; }, 3min);
    stage.Run(8s);
    stage.signals.push_back(Critical());
    stage.RunUntil([&] { return stage.state.phase == Phase::kVerifying; }, 10min);
    stage.signals.clear();
    stage.RunUntil([&] { return stage.Ended("rolledBack"); }, 10min);
    stage.Run(40s);
    CheckEnd(stage, "rolledBack", "shop/checkout:v1");
  }
}

// One seed: what happens and when is drawn from it; it must end well whatever fails on the way.
void Chaos(const Setup& setup, uint64_t seed) {
  Random random(seed * 7919 + 13);
  Stage stage(setup, seed);
  stage.fail_share = random.Chance(0.5) ? 0.15 : 0;
  stage.crash_share = random.Chance(0.5) ? 0.15 : 0;
  stage.SetImage("shop/checkout:v2");
  stage.Run(std::chrono::seconds(1 + static_cast<int64_t>(random.Below(120))));
  const uint64_t what = random.Below(4);
  if (what == 1 || what == 3) {
    stage.signals.push_back(Critical());
    stage.Run(std::chrono::seconds(1 + static_cast<int64_t>(random.Below(20))));
    stage.signals.clear();
  }
  if (what >= 2) stage.SetImage("shop/checkout:v3");
  if (what == 3 && random.Chance(0.5)) stage.SetImage("shop/checkout:v1");
  stage.Run(std::chrono::seconds(static_cast<int64_t>(random.Below(60))));
  stage.fail_share = stage.crash_share = 0;  // faults end: it must converge
  stage.RunUntil([&] { return stage.state.phase == Phase::kIdle; }, 15min);
  stage.Run(30s);
  stage.RunUntil([&] { return stage.state.phase == Phase::kIdle; }, 15min);
  stage.Run(30s);
  INFO("seed " << seed << ", " << setup.name << "\n" << Join(stage.trace, "\n"));
  CHECK(stage.state.phase == Phase::kIdle);
  CHECK(stage.Owners() == stage.before);
  CHECK_FALSE(stage.Exists("Deployment", "checkout-candidate"));
  CHECK(stage.Quiet() == 0);
  CHECK(stage.violations == std::vector<std::string>{});
  int64_t pods = 0;
  int64_t kinds = 0;
  for (const char* image : {"shop/checkout:v1", "shop/checkout:v2", "shop/checkout:v3"}) {
    pods += stage.PodsOf(image, true);
    kinds += stage.PodsOf(image, false) > 0 ? 1 : 0;
  }
  CHECK(pods == SizeOf(setup));
  CHECK(kinds == 1);
  const auto total = stage.world.traffic().Total();
  INFO("lost " << total.lost << " of " << total.requests);
  if (setup.lossless) CHECK(total.lost <= total.requests * 0.001);
}

// How many seeds: the environment says (`./dev fuzz sim` asks for many), else a few.
uint64_t FromEnvironment(const char* name, uint64_t usual) {
  const char* wanted = std::getenv(name);
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : usual;
}

TEST_CASE("strategies: faults on the way change nothing about the end") {
  const auto setups = Setups();
  const uint64_t first = FromEnvironment("ROLLGUARD_FIRST_SEED", 1);
  const uint64_t end = first + FromEnvironment("ROLLGUARD_SEEDS", 26);
  for (uint64_t seed = first; seed < end; ++seed) Chaos(setups[seed % setups.size()], seed);
}

}  // namespace
}  // namespace rollguard::testing
