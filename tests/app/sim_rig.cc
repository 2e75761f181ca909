// SPDX-License-Identifier: Apache-2.0
#include "tests/app/sim_rig.h"

#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

constexpr Duration kSettle = std::chrono::minutes(5);

}  // namespace

SimRig::SimRig(const std::vector<std::string>& guards, const std::string& rules, uint64_t seed)
    : world({.seed = seed}), metrics(world.scheduler()), seed_(seed) {
  Diagnostics problems;
  if (!rules.empty()) spec::LoadText("rules.yaml", rules, library_, problems);
  for (const std::string& text : guards) {
    spec::Library one;
    spec::LoadText("guard.yaml", text, one, problems);
    for (const auto& d : problems.Sorted()) UNSCOPED_INFO(Render(d, text));
    REQUIRE_FALSE(problems.has_errors());
    guards_.push_back(one.guards.at(0));
  }
  world.api().types().Add(kube::resources::Guards());
  world.traffic().SetSink(&metrics);
  for (const spec::Guard& guard : guards_) {
    proof::Scenario scenario;
    auto stage = proof::SetStage(guard, scenario);
    REQUIRE(stage.ok());
    for (const ResourceType& type : stage->types) {
      if (world.api().types().FindKind(type.group, type.kind) == nullptr)
        world.api().types().Add(type);
    }
    for (const Json& object : stage->objects) REQUIRE(world.Load(object).ok());
    (void)world.traffic().Add(stage->flow);
    Json object = Json::Obj(
        {{"apiVersion", spec::kApiVersion},
         {"kind", "Guard"},
         {"metadata", Json::Obj({{"name", guard.metadata.name}, {"namespace", guard.metadata.ns}})},
         {"spec", yaml::ToJson(guard.raw)}});
    REQUIRE(world.Load(object).ok());
  }
  world.traffic().Start();
  StartAgent();
  scheduler().RunFor(kSettle);
}

void SimRig::StartAgent() {
  connection = world.Connect();
  agent = std::make_unique<app::SimAgent>(scheduler(), *connection, metrics, history, library_,
                                          std::vector<app::Listener*>{this, &replays}, seed_++);
}

void SimRig::KillAgent() {
  connection->Crash();
  agent.reset();
}

const spec::Guard& SimRig::SpecOf(const std::string& name) const {
  for (const spec::Guard& guard : guards_) {
    if (guard.metadata.name == name) return guard;
  }
  FAIL("no guard " << name);
  return guards_[0];
}

void SimRig::Release(const std::string& name, const std::string& revision) {
  const spec::Guard& guard = SpecOf(name);
  ClusterRequest request;
  request.verb = Verb::kPatch;
  request.type = app::TypeOf(release::TargetId(guard));
  request.ns = guard.metadata.ns;
  request.name = guard.target.name;
  request.patch = PatchKind::kMerge;
  request.field_manager = "someone";
  request.body =
      Json::Obj({{"spec", Json::Obj({{"template", proof::TemplateFor(guard, revision)}})}});
  REQUIRE(world.api().Call(request).ok());
}

void SimRig::Behave(const std::string& name, const std::string& revision,
                    const std::string& behaviour) {
  auto json = ParseJson(behaviour);
  REQUIRE(json.ok());
  auto parsed = sim::RevisionBehaviour::FromJson(*json, {});
  REQUIRE(parsed.ok());
  world.behaviours().SetImage(proof::ImageOf(SpecOf(name), revision), *parsed);
}

bool SimRig::RunUntil(const std::function<bool()>& done, Duration limit) {
  return scheduler().RunUntil(done, limit);
}

bool SimRig::RunToPhase(const std::string& guard, release::Phase phase, Duration limit) {
  return RunUntil([&] { return Guard(guard).state.phase == phase; }, limit);
}

bool SimRig::RunToTraffic(const std::string& guard, int64_t weight, Duration limit) {
  return RunUntil(
      [&] {
        auto state = Guard(guard).state;
        return state.release && state.release->weight >= weight;
      },
      limit);
}

bool SimRig::RunToEnd(const std::string& guard, Duration limit) {
  return RunUntil(
      [&] {
        auto state = Guard(guard).state;
        return !state.release && state.phase == release::Phase::kIdle;
      },
      limit);
}

app::GuardSummary SimRig::Guard(const std::string& name) {
  auto found = agent->controller().Find(StrCat("shop/", name));
  return found ? *found : app::GuardSummary{};
}

alerts::Alert SimRig::Firing(const std::string& name, const std::string& guard,
                             Time starts_at) const {
  alerts::Alert alert;
  alert.labels = {
      {"alertname", name}, {"deployment", guard}, {"namespace", "shop"}, {"severity", "critical"}};
  alert.fingerprint = alerts::FingerprintOf(alert.labels);
  alert.starts_at = starts_at;
  return alert;
}

size_t SimRig::Count(release::Verdict verdict, const std::string& guard) const {
  size_t count = 0;
  for (const release::Decision& decision : decisions) {
    bool is_its = guard.empty() || decision.guard == StrCat("shop/", guard);
    if (decision.verdict == verdict && is_its) ++count;
  }
  return count;
}

std::string SimRig::Waits(const std::string& guard) { return Join(Guard(guard).reasons, "; "); }

void SimRig::CheckReplays() const {
  CHECK(replays.differences() == std::vector<std::string>{});
  CHECK(replays.replayed() > 0);
}

void SimRig::Decided(const spec::Guard&, const release::Decision& decision) {
  decisions.push_back(decision);
}

void SimRig::Told(const spec::Guard& guard, const release::Notify& notice) {
  told.push_back(StrCat(notice.event, " ", guard.metadata.name, ": ", notice.text));
}

std::string CanaryYaml(const std::string& name, const std::string& more,
                       const std::string& rollback) {
  return StrCat(R"(apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: )",
                name, R"(, namespace: shop}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: )",
                name, R"(}
  service: )",
                name, R"(
  strategy:
    canary:
      stableService: )",
                name, R"(
      routing:
        - istio: {virtualService: )",
                name, R"(-route, routes: [primary], destinationRule: {name: )", name, R"(-rule}}
      steps:
        - setWeight: 20
        - pause: {duration: 1m}
        - setWeight: 50
        - pause: {duration: 1m}
  bake: 0s
  rollback:
    alerts:
      - matchers: ['severity="critical"']
)",
                rollback, more);
}

}  // namespace rollguard::testing
