// SPDX-License-Identifier: Apache-2.0
// What stands in the cluster before anything happens.
#include "agent/spec/load.h"

#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/simulation/harness/simulation.h"

namespace rollguard::simulation {
namespace {

const char* const kRules = R"(
groups:
  - name: errors
    interval: 15s
    rules:
      - rollback: Errors
        expr: |
          sum(rate(http_requests_total{namespace="$namespace", pod=~"$candidate_pods", code=~"5.."}[1m]))
            / sum(rate(http_requests_total{namespace="$namespace", pod=~"$candidate_pods"}[1m])) > 0.05
        for: 15s
        noData: pass
        severity: critical
)";

}  // namespace

void Simulation::LoadWorld() {
  const Setup& setup = *plan_.setup;
  world_.api().types().Add(kube::resources::Guards());
  for (const ResourceType& type : setup.types) world_.api().types().Add(type);
  world_.behaviours().SetDefault(BehaviourOf(Quality::kGood));
  for (const auto& [version, quality] : plan_.versions)
    world_.behaviours().SetImage(ImageOf(version), BehaviourOf(quality));
  for (const std::string& text : setup.objects) {
    auto object = ParseJson(text);
    Status loaded = object ? world_.Load(*object) : Status(object.error());
    if (!loaded) report_.violations.push_back(StrCat("setup: ", loaded.error().message, text));
  }
  (void)world_.Load(SettingsOf("v1"));
  (void)world_.Load(KeysOf("v1"));
  sim::RevisionBehaviour fails;
  fails.job_fails = plan_.besides.hooks == Besides::Hooks::kRollbackFails;
  world_.behaviours().SetImage("tool/down", fails);
  LoadWorkload();
  sim::Flow flow;
  flow.ns = kNs;
  flow.service = kApp;
  flow.source = setup.source;
  flow.requests_per_second = 500;
  if (uses_rules_) world_.traffic().SetSink(&metrics_);
  flow_ = world_.traffic().Add(flow);
}

void Simulation::LoadWorkload() {
  const Setup& setup = *plan_.setup;
  if (setup.external()) {
    PlayCarrier();
    for (const Json& object : ForeignWorkloadOf(setup, plan_.replicas)) (void)world_.Load(object);
    return;
  }
  (void)world_.Load(WorkloadOf(setup, kApp, plan_.replicas, plan_.besides.configured));
  if (setup.second) (void)world_.Load(WorkloadOf(setup, "checkout-b", 0));
  LoadScaler();
}

void Simulation::LoadScaler() {
  const Setup& setup = *plan_.setup;
  if (setup.max_replicas == 0) return;
  (void)world_.Load(Json::Obj(
      {{"apiVersion", "autoscaling/v1"},
       {"kind", "HorizontalPodAutoscaler"},
       {"metadata", Json::Obj({{"name", kApp}, {"namespace", kNs}})},
       {"spec",
        Json::Obj({{"scaleTargetRef",
                    Json::Obj({{"apiVersion", "apps/v1"}, {"kind", setup.kind}, {"name", kApp}})},
                   {"minReplicas", plan_.replicas},
                   {"maxReplicas", setup.max_replicas},
                   {"targetCPUUtilizationPercentage", 70}})}}));
}

void Simulation::LoadGuard() {
  if (!guard_object_.is_object()) {
    Diagnostics problems;
    const std::string text = GuardYaml(plan_);
    uses_rules_ = text.find("rules: [errors]") != std::string::npos;
    spec::LoadText("rules.yaml", kRules, library_, problems);
    spec::Library guards;
    spec::LoadText("guard.yaml", text, guards, problems);
    if (problems.has_errors() || guards.guards.size() != 1) {
      report_.violations.push_back(StrCat(
          "setup: ", problems.Sorted().empty() ? "" : problems.Sorted()[0].message, "\n", text));
      return;
    }
    guard_object_ = Json::Obj({{"apiVersion", spec::kApiVersion},
                               {"kind", "Guard"},
                               {"metadata", Json::Obj({{"name", kApp}, {"namespace", kNs}})},
                               {"spec", yaml::ToJson(guards.guards[0].raw)}});
    return;
  }
  (void)world_.Load(guard_object_);
}

}  // namespace rollguard::simulation
