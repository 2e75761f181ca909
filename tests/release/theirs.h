// SPDX-License-Identifier: Apache-2.0
// A guard whose workload is another controller's; the test plays that controller.
#pragma once

#include "tests/release/scene.h"

namespace rollguard::testing {

using namespace std::chrono_literals;
using release::Command;
using release::FlaggerGate;
using release::FlaggerHook;
using release::Phase;

inline std::string ExternalGuard(const std::string& controller, const std::string& more,
                                 const std::string& rest = "") {
  const bool argo = controller == "argo";
  return StrCat(
      "apiVersion: rollguard.dev/v1alpha1\nkind: Guard\nmetadata: {name: checkout, "
      "namespace: shop}\nspec:\n  target: {apiVersion: ",
      argo ? "argoproj.io/v1alpha1, kind: Rollout" : "flagger.app/v1beta1, kind: Canary",
      ", name: checkout}\n  rollback: {verify: {for: 10s}, cooldown: 0s}\n  strategy: "
      "{external: {controller: ",
      controller, more, "}}\n", rest);
}

// The object as its controller would keep it; the test plays the controller.
struct Theirs : Drive {
  explicit Theirs(const std::string& yaml) : Drive(yaml) {
    AddType("argoproj.io", "v1alpha1", "rollouts", "Rollout");
    AddType("flagger.app", "v1beta1", "canaries", "Canary");
    argo = guard.target.kind == "Rollout";
    Load(StrCat(R"({"apiVersion":")", guard.target.api_version, R"(","kind":")", guard.target.kind,
                R"(","metadata":{"name":"checkout","namespace":"shop"},"spec":{"template":
                {"metadata":{"labels":{"app":"checkout"}},"spec":{"containers":[{"name":"app",
                "image":"shop/checkout:v2"}]}}}})"));
    Says("v1", "v1", "Healthy");
    Run(std::chrono::seconds(2));
    REQUIRE(state.phase == release::Phase::kIdle);
  }

  void Patch(const std::string& body, const char* subresource) {
    ClusterRequest request;
    request.verb = Verb::kPatch;
    request.type =
        world.api().types().FindKind(argo ? "argoproj.io" : "flagger.app", guard.target.kind)->type;
    request.ns = "shop";
    request.name = "checkout";
    request.subresource = subresource;
    request.body = *ParseJson(body);
    auto done = world.api().Call(request);
    if (!done) FAIL(done.error().message);
  }
  void Says(const std::string& current, const std::string& stable, const std::string& phase) {
    Patch(argo ? StrCat(R"({"status":{"currentPodHash":")", current, R"(","stableRS":")", stable,
                        R"(","phase":")", phase, "\"}}")
               : StrCat(R"({"status":{"lastAppliedSpec":")", current, R"(","lastPromotedSpec":")",
                        stable, R"(","phase":")", phase, "\"}}"),
          "status");
  }
  void StableReplicaSet() { ReplicaSet("v1"); }
  void ReplicaSet(const std::string& hash) {
    const Json rollout = Get("Rollout", "checkout");
    Load(StrCat(R"({"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"checkout-)",
                hash, R"(","namespace":"shop","labels":{"rollouts-pod-template-hash":")", hash,
                R"("},
      "ownerReferences":[{"apiVersion":"argoproj.io/v1alpha1","kind":"Rollout","name":"checkout","controller":true,
      "uid":")",
                rollout.At("metadata", "uid").Str(),
                R"("}]},"spec":{"replicas":0,"selector":{"matchLabels":{"app":"checkout"}},
      "template":{"metadata":{"labels":{"app":"checkout","rollouts-pod-template-hash":")",
                hash, R"("}},"spec":{"containers":[{"name":"app","image":"shop/checkout:)", hash,
                R"("}]}}}})"));
  }
  bool Paused() { return Spec().At("paused").BoolOr(false); }
  bool Aborted() { return Status().At("abort").BoolOr(false); }
  const Json Status() { return Get(guard.target.kind, "checkout").At("status"); }
  const Json Spec() { return Get(guard.target.kind, "checkout").At("spec"); }
  void Bad() {
    signals = {Make("Bad", spec::TriggerAction::kRollback, spec::RuleSeverity::kCritical)};
  }
  void CheckSound() {
    INFO(Join(trace, "\n"));
    CHECK(violations == std::vector<std::string>{});
    CHECK(Quiet() == 0);
  }
  bool argo = true;
};

}  // namespace rollguard::testing
