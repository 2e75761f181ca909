// SPDX-License-Identifier: Apache-2.0
// Workloads of other controllers on a real API server: what an Argo Rollout is told, write by
// write, and what a Flagger Canary hears when it asks. The kinds are minimal ones of our own; the
// test says what their controllers would say.
#include <unistd.h>

#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/e2e/support/fleet.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

using std::chrono::seconds;

ResourceType Canaries() { return {"flagger.app", "v1beta1", "canaries", "Canary", true}; }

// One workload in a namespace of its own, its guard, and its controller's voice.
class Outside {
 public:
  Outside(Fleet& fleet, const std::string& name, const ResourceType& type,
          const std::string& settings)
      : fleet_(fleet), type_(type), ns_(StrCat("e2e-", getpid(), "-", name)), settings_(settings) {
    Make(Json::Obj(
        {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", Json::Obj({{"name", ns_}})}}));
    Json spec = *ParseJson(
        R"({"replicas":3,"strategy":{"canary":{"steps":[{"setWeight":20},{"pause":{}}]}},
            "selector":{"matchLabels":{"app":"checkout"}},"template":{"metadata":{"labels":
            {"app":"checkout"}},"spec":{"containers":[{"name":"app","image":"shop/checkout:v2"}]}}})");
    Make(Json::Obj({{"apiVersion", StrCat(type.group, "/", type.version)},
                    {"kind", type.kind},
                    {"metadata", Json::Obj({{"name", "checkout"},
                                            {"namespace", ns_},
                                            {"annotations", Json::Obj({{"owner", "pay"}})}})},
                    {"spec", std::move(spec)}}));
    if (argo()) MakeStableReplicaSet();
    Says("v1", "v1", "Healthy");
  }

  bool argo() const { return type_.kind == "Rollout"; }
  Json Object() { return fleet_.cluster().Get(type_, ns_, "checkout"); }
  Json State() {
    return fleet_.cluster().Get(kube::resources::Guards(), ns_, "checkout").At("status");
  }

  void Says(const std::string& current, const std::string& stable, const std::string& phase) {
    Json status = Json::Obj({{"phase", phase}});
    status.Set(argo() ? "currentPodHash" : "lastAppliedSpec", current);
    status.Set(argo() ? "stableRS" : "lastPromotedSpec", stable);
    if (argo()) {
      status.Set("pauseConditions", phase == "Paused"
                                        ? Json::Arr({Json::Obj({{"reason", "CanaryPauseStep"}})})
                                        : Json());
    }
    ClusterRequest request;
    request.verb = Verb::kPatch;
    request.type = type_;
    request.ns = ns_;
    request.name = "checkout";
    request.subresource = "status";
    request.patch = PatchKind::kMerge;
    request.body = Json::Obj({{"status", std::move(status)}});
    auto done = fleet_.cluster().Call(std::move(request));
    if (!done) FAIL(done.error().message);
  }

  void PutGuard() {
    Make(ObjectsOf(StrCat(R"(
apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: checkout, namespace: )",
                          ns_, R"(}
spec:
  target: {apiVersion: )",
                          type_.group, "/", type_.version, ", kind: ", type_.kind,
                          R"(, name: checkout}
  strategy: {external: {)",
                          settings_, R"(}}
  rollback:
    alerts: [{matchers: ['severity="critical"'], action: rollback}]
    verify: {for: 1s}
    cooldown: 0s
)"))[0]);
  }

  bool Phase(const std::string& phase) {
    return PollUntil([&] { return State().At("phase").Str() == phase; }, seconds(60));
  }
  bool Ended(const std::string& outcome) {
    return PollUntil(
        [&] {
          const Json state = State();
          return state.At("phase").Str() == "Idle" && state.At("last", "outcome").Str() == outcome;
        },
        seconds(60));
  }
  int Say(const std::string& verb, const std::string& body = "{}") {
    auto headers = fleet_.Reader();
    headers.emplace_back("Content-Type", "application/json");
    return Ask(fleet_.agent().port(), "POST", StrCat("/api/v1/guards/", ns_, "/checkout/", verb),
               body, headers)
        .status;
  }
  bool Alert(bool resolved = false) {
    return PollUntil(
        [&] { return fleet_.PostAlertAbout(ns_ + "/checkout", "Broken", resolved).status == 200; },
        seconds(10));
  }
  // What Flagger's webhook is answered.
  int Gate(const std::string& hook) {
    return Ask(fleet_.agent().port(), "POST", StrCat("/api/v1/flagger/", ns_, "/checkout/", hook),
               "{}", {{"Authorization", "Bearer sesame"}, {"Content-Type", "application/json"}})
        .status;
  }
  bool GateSays(const std::string& hook, int status) {
    return PollUntil([&] { return Gate(hook) == status; }, seconds(30));
  }

  // Every write of the agent to the workload: "subresource body", versions left out.
  std::vector<std::string> Writes() const {
    const std::string start = StrCat("/apis/", type_.group, "/", type_.version, "/namespaces/", ns_,
                                     "/", type_.plural, "/checkout");
    std::vector<std::string> out;
    for (const ApiProxy::Write& write : fleet_.proxy().writes()) {
      const std::string path = write.path.substr(0, write.path.find('?'));
      if (path.find(StrCat("/", ns_, "/")) == std::string::npos ||
          path.find("/guards/") != std::string::npos)
        continue;
      if (!path.starts_with(start)) {  // it has no business anywhere else
        out.push_back(StrCat(write.method, " ", path));
        continue;
      }
      Json body = ParseJson(write.body).ok() ? *ParseJson(write.body) : Json(write.body);
      if (body.At("metadata", "resourceVersion").is_string())
        body["metadata"].Set("resourceVersion", "seen");
      if (body.is_array() && body.At(size_t{0}).At("path").Str() == "/metadata/resourceVersion")
        body.items()[0].Set("value", "seen");
      out.push_back(StrCat(write.method, " ", path.substr(start.size()), " ", body.Dump()));
    }
    return out;
  }
  bool Wrote(size_t count) {
    return PollUntil([&] { return Writes().size() >= count; }, seconds(30));
  }
  void DeleteGuard() {
    CHECK(fleet_.cluster().Delete(kube::resources::Guards(), ns_, "checkout").ok());
    CHECK(PollUntil(
        [&] { return fleet_.cluster().Get(kube::resources::Guards(), ns_, "checkout").is_null(); },
        seconds(60)));
  }

 private:
  void Make(const Json& object) {
    auto made = fleet_.cluster().Create(object);
    if (!made) FAIL(made.error().message);
  }
  // Without pods: Argo keeps it scaled by itself.
  void MakeStableReplicaSet() {
    Json set = *ParseJson(R"({"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":
      "checkout-v1","labels":{"rollouts-pod-template-hash":"v1"}},"spec":{"replicas":0,"selector":
      {"matchLabels":{"app":"checkout","rollouts-pod-template-hash":"v1"}},"template":{"metadata":
      {"labels":{"app":"checkout","rollouts-pod-template-hash":"v1"}},"spec":{"containers":[{"name":
      "app","image":"shop/checkout:v1"}]}}}})");
    set["metadata"].Set("namespace", ns_);
    set["metadata"].Set(
        "ownerReferences",
        Json::Arr({Json::Obj({{"apiVersion", StrCat(type_.group, "/", type_.version)},
                              {"kind", type_.kind},
                              {"name", "checkout"},
                              {"controller", true},
                              {"uid", Object().At("metadata", "uid")}})}));
    Make(set);
  }

  Fleet& fleet_;
  ResourceType type_;
  std::string ns_;
  std::string settings_;
};

using Lines = std::vector<std::string>;

const std::string kPause =
    R"(PATCH  {"metadata":{"resourceVersion":"seen"},"spec":{"paused":true}})";
const std::string kGoOn =
    R"(PATCH  {"metadata":{"resourceVersion":"seen"},"spec":{"paused":false}})";

TEST_CASE("an Argo Rollout is paused, promoted, aborted, undone and retried by exact patches") {
  Fleet fleet;
  REQUIRE(fleet.InstallKinds({kube::resources::Rollouts()}, true));
  Outside abort(fleet, "argo-abort", kube::resources::Rollouts(),
                "controller: argo, promote: true");
  Outside undo(fleet, "argo-undo", kube::resources::Rollouts(), "controller: argo, onBad: undo");
  Outside pause(fleet, "argo-pause", kube::resources::Rollouts(), "controller: argo, onBad: pause");
  Outside* const all[] = {&abort, &undo, &pause};
  REQUIRE(fleet.StartAgent());
  INFO(fleet.Log());
  for (Outside* one : all) one->PutGuard();
  for (Outside* one : all) CHECK(one->Phase("Idle"));
  const std::string before = abort.Object().At("spec").Canonical();
  const std::string metadata = abort.Object().At("metadata", "annotations").Canonical();
  for (Outside* one : all) one->Says("v2", "v1", "Progressing");
  for (Outside* one : all) CHECK(one->Phase("Progressing"));
  for (Outside* one : all) CHECK(one->Writes() == Lines{});  // it is only watched

  // What people say, and the pause it is taken past because the guard says `promote`.
  CHECK(abort.Say("pause") == 200);
  CHECK(abort.Wrote(1));
  CHECK(abort.Say("resume") == 200);
  CHECK(abort.Wrote(2));
  abort.Says("v2", "v1", "Paused");
  CHECK(abort.Wrote(3));
  abort.Says("v2", "v1", "Progressing");
  CHECK(abort.Say("promote", R"({"full": true})") == 200);
  CHECK(abort.Wrote(4));
  CHECK(
      abort.Writes() ==
      Lines{
          kPause, kGoOn,
          R"(PATCH /status {"metadata":{"resourceVersion":"seen"},"status":{"pauseConditions":null}})",
          R"(PATCH /status {"status":{"promoteFull":true}})"});

  fleet.proxy().Reset();
  for (Outside* one : all) CHECK(one->Alert());
  CHECK(undo.Wrote(1));
  undo.Says("v1", "v1", "Healthy");  // Argo goes back by itself once the template is stable's
  CHECK(abort.Ended("rolledBack"));
  CHECK(undo.Ended("rolledBack"));
  CHECK(pause.Ended("failed"));
  CHECK(abort.Writes() == Lines{R"(PATCH /status {"status":{"abort":true}})"});
  // The ReplicaSet's template, with what the server has added to it, but without Argo's label.
  const Lines undone = undo.Writes();
  REQUIRE(undone.size() == 1);
  CHECK(undone[0].starts_with("PATCH  ["));
  const Json operations = *ParseJson(undone[0].substr(7));
  for (const Json& operation : operations.items()) {
    const std::string path = operation.At("path").Str();
    CHECK((path == "/metadata/resourceVersion" || path.starts_with("/spec/template/spec/")));
  }
  CHECK(undone[0].find(R"({"op":"replace","path":"/spec/template/spec/containers/0/image","value":)"
                       R"("shop/checkout:v1"})") != std::string::npos);
  CHECK(pause.Writes() == Lines{kPause});
  // The rejected template stays in the spec of who aborts, foreign fields are as they were.
  Json spec = abort.Object().At("spec");
  CHECK_FALSE(spec.At("paused").BoolOr(true));
  spec.Erase("paused");
  CHECK(spec.Canonical() == before);
  CHECK(abort.Object().At("metadata", "annotations").Canonical() == metadata);

  CHECK(abort.Alert(true));
  fleet.proxy().Reset();
  CHECK(abort.Say("retry") == 200);
  CHECK(abort.Phase("Progressing"));
  abort.Says("v2", "v2", "Healthy");
  CHECK(abort.Ended("promoted"));
  CHECK(abort.Writes() == Lines{R"(PATCH /status {"status":{"abort":false}})"});

  fleet.proxy().Reset();
  for (Outside* one : all) one->DeleteGuard();
  // What rollguard had paused for people goes back to Argo with the guard.
  for (Outside* one : {&abort, &undo}) CHECK(one->Writes() == Lines{});
  CHECK(pause.Writes() == Lines{kGoOn});
}

TEST_CASE("a Flagger Canary finds its gates open or shut, and is written to never") {
  Fleet fleet;
  REQUIRE(fleet.InstallKinds({Canaries()}, true));
  Outside canary(fleet, "flagger", Canaries(), "controller: flagger");
  REQUIRE(fleet.StartAgent());
  INFO(fleet.Log());
  canary.PutGuard();
  CHECK(canary.Phase("Idle"));
  CHECK(canary.GateSays("confirm-rollout", 200));
  CHECK(canary.GateSays("rollback", 403));

  canary.Says("v2", "v1", "Progressing");
  CHECK(canary.Phase("Progressing"));
  CHECK(canary.GateSays("confirm-traffic-increase", 200));
  CHECK(canary.Say("pause") == 200);
  CHECK(canary.GateSays("confirm-traffic-increase", 403));
  CHECK(canary.Say("resume") == 200);
  CHECK(canary.GateSays("confirm-promotion", 200));
  CHECK(canary.Alert());
  CHECK(canary.GateSays("rollback", 200));
  CHECK(canary.GateSays("confirm-promotion", 403));
  canary.Says("v2", "v1", "Failed");
  CHECK(canary.Ended("rolledBack"));
  CHECK(canary.GateSays("rollback", 403));

  CHECK(canary.Alert(true));
  canary.Says("v3", "v1", "Progressing");
  CHECK(canary.Phase("Progressing"));
  canary.Says("v3", "v3", "Succeeded");
  CHECK(canary.Ended("promoted"));
  CHECK(canary.Writes() == Lines{});
  canary.DeleteGuard();
  CHECK(canary.Writes() == Lines{});
}

}  // namespace
}  // namespace rollguard::testing
