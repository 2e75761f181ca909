// SPDX-License-Identifier: Apache-2.0
// Workloads of other controllers as their owners write them.
#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/simulation/harness/setup.h"

namespace rollguard::simulation {
namespace {

using Carrier = Setup::Carrier;

const char* const kTimed =
    R"([{"setWeight":20},{"pause":{"duration":"20s"}},{"setWeight":50},{"pause":{"duration":"40s"}}])";
const char* const kUntilTold = R"([{"setWeight":20},{"pause":{}},{"setWeight":60},{"pause":{}}])";

const char* const kVirtualService =
    R"({"apiVersion":"networking.istio.io/v1beta1","kind":"VirtualService","metadata":{"name":
    "checkout","namespace":"shop","annotations":{"owner":"pay"}},"spec":{"hosts":["checkout"],
    "http":[{"name":"primary","route":[{"destination":{"host":"checkout-primary"},"weight":100},
    {"destination":{"host":"checkout-canary"},"weight":0}]}]}})";
const char* const kCanary =
    R"({"apiVersion":"flagger.app/v1beta1","kind":"Canary","metadata":{"name":"checkout",
    "namespace":"shop"},"spec":{"targetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":
    "checkout"},"progressDeadlineSeconds":120,"service":{"port":80},"analysis":{"interval":"10s",
    "stepWeight":25,"maxWeight":50,"threshold":5}}})";

std::string Service(std::string_view name, std::string_view app) {
  return StrCat(
      R"({"apiVersion":"v1","kind":"Service","metadata":{"name":")", name,
      R"(","namespace":"shop","annotations":{"owner":"pay"}},"spec":{"selector":{"app":")", app,
      R"("},"ports":[{"name":"http","port":80,"targetPort":8080}]}})");
}

Setup Argo(std::string name, std::string settings, const char* steps) {
  Setup setup{.name = std::move(name),
              .strategy = StrCat("external: {controller: argo", settings, "}"),
              .kind = "Rollout",
              .objects = {Service(kApp, kApp)},
              .types = {kube::resources::Rollouts()}};
  setup.carrier = Carrier::kArgo;
  setup.steps = steps;
  setup.foreign = {{"Service/checkout", "/spec"},
                   {"Rollout/checkout", "/spec/strategy"},
                   {"Rollout/checkout", "/metadata/annotations/owner"}};
  return setup;
}

Setup Flagger() {
  Setup setup{
      .name = "flagger",
      .strategy = "external: {controller: flagger}",
      .kind = "Canary",
      .objects = {kVirtualService, Service(kApp, "checkout-primary"),
                  Service("checkout-primary", "checkout-primary"),
                  Service("checkout-canary", kApp)},
      .types = {{"flagger.app", "v1beta1", "canaries", "Canary", true},
                {"networking.istio.io", "v1beta1", "virtualservices", "VirtualService", true}}};
  setup.source.kind = sim::RouteSource::Kind::kVirtualService;
  setup.source.name = kApp;
  setup.source.route = "primary";
  setup.carrier = Carrier::kFlagger;
  setup.foreign = {{"Service/checkout", "/spec"},
                   {"Canary/checkout", "/spec"},
                   {"VirtualService/checkout", "/metadata/annotations/owner"}};
  return setup;
}

}  // namespace

const std::vector<Setup>& ExternalSetups() {
  static const std::vector<Setup> setups = {
      Argo("argo", "", kTimed), Flagger(),
      Argo("argo told to go on", ", onBad: undo, promote: true", kUntilTold), Flagger(),
      Argo("argo paused when bad", ", onBad: pause", kTimed)};
  return setups;
}

ResourceType OwnersType(const Setup& setup) {
  switch (setup.carrier) {
    case Carrier::kAgent: return kube::resources::ByKind("apps/v1", setup.kind);
    case Carrier::kArgo: return kube::resources::Rollouts();
    case Carrier::kFlagger: return kube::resources::ByKind("apps/v1", "Deployment");
  }
  return {};
}

std::vector<Json> ForeignWorkloadOf(const Setup& setup, int64_t replicas) {
  Json workload = WorkloadOf(setup, kApp, replicas);
  if (setup.carrier == Carrier::kFlagger) {
    workload.Set("kind", "Deployment");
    return {std::move(workload), *ParseJson(kCanary)};
  }
  workload.Set("apiVersion", "argoproj.io/v1alpha1");
  workload["metadata"].Set("annotations", Json::Obj({{"owner", "pay"}}));
  Json canary = Json::Obj({{"steps", *ParseJson(setup.steps)}});
  workload["spec"].Set("strategy", Json::Obj({{"canary", std::move(canary)}}));
  workload["spec"].Set("progressDeadlineSeconds", 120);
  workload["spec"].Set("progressDeadlineAbort", true);
  return {std::move(workload)};
}

}  // namespace rollguard::simulation
