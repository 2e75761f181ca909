// SPDX-License-Identifier: Apache-2.0
#include "tests/serve/stage.h"

#include <signal.h>

#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/support/catch.h"
#include "tests/support/routes.h"

namespace rollguard::serve {
namespace {

using std::chrono::seconds;
using testing::PollUntil;

constexpr const char* kWorld = R"(
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: sim.rollguard.dev/v1
kind: Behaviour
metadata: {name: quick}
spec: {readyAfter: 100ms, drain: 50ms, terminateAfter: 100ms}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout, namespace: shop, labels: {app: checkout}}
spec:
  replicas: 2
  selector: {matchLabels: {app: checkout}}
  template:
    metadata: {labels: {app: checkout}}
    spec: {containers: [{name: app, image: "shop:1"}]}
)";

const char* kInstant = R"({"status":"success","data":{"resultType":"vector","result":[)"
                       R"({"metric":{},"value":[%s,"%s"]}]}})";

}  // namespace

Stage::Stage()
    : prometheus_([this](const testing::TinyRequest& request, testing::TinyConnection& connection) {
        ++questions;
        std::string at = request.Query("time");
        if (at.empty()) at = "0";
        connection.Respond(200, Format(kInstant, at.c_str(), FormatNumber(measured).c_str()),
                           {{"Content-Type", "application/json"}});
      }) {
  const std::string root = ROLLGUARD_SOURCE_DIR;
  sim_ = testing::SimProcess::Start(
      dir_, {root + "/k8s/crds", root + "/tests/e2e/crds",
             dir_.Write("world.yaml", kWorld + testing::RouteManifests("shop"))});
  REQUIRE(sim_ != nullptr);
  cluster_ = std::make_unique<testing::BlockingCluster>(sim_->kubeconfig());
}

std::vector<std::string> Stage::AgentFlags() {
  return {"--kubeconfig",    sim_->kubeconfig(),
          "--data-dir",      dir_.path() + "/data",
          "--webhook-token", dir_.Write("token", "sesame\n"),
          "--prometheus",    prometheus_.Url(),
          "--log-level",     "debug"};
}

void Stage::StartAgent(const std::vector<std::string>& more_flags) {
  std::vector<std::string> flags = AgentFlags();
  flags.insert(flags.end(), more_flags.begin(), more_flags.end());
  StartAgentWith(flags);
}

void Stage::StartAgentWith(const std::vector<std::string>& flags) {
  agent_ = testing::AgentProcess::Start(flags, dir_.path() + "/agent.log");
  REQUIRE(agent_ != nullptr);
  INFO(Log());
  REQUIRE(agent_->AwaitReady());
}

void Stage::KillAgent() {
  agent_->process().Signal(SIGKILL);
  agent_->process().Wait();
  agent_.reset();
}

void Stage::CreateGuard(const std::string& spec_yaml) {
  Status made = cluster_->CreateAll(
      StrCat("apiVersion: rollguard.dev/v1alpha1\nkind: Guard\nmetadata: {name: checkout, "
             "namespace: shop}\nspec:\n",
             spec_yaml));
  INFO((made ? "" : made.error().message));
  REQUIRE(made.ok());
}

void Stage::SetImage(const std::string& image) {
  auto patched = cluster_->Patch(
      kube::resources::Deployments(), "shop", "checkout",
      testing::ObjectsOf(StrCat("spec: {template: {spec: {containers: [{name: app, image: \"",
                                image, "\"}]}}}"))[0]);
  REQUIRE(patched.ok());
}

std::string Stage::Phase() {
  return cluster_->Get(kube::resources::Guards(), "shop", "checkout").At("status", "phase").Str();
}

bool Stage::AwaitPhase(const std::string& phase) {
  return PollUntil([&] { return Phase() == phase; }, seconds(60));
}

bool Stage::AwaitRest() {
  return PollUntil(
      [&] {
        Json target = cluster_->Get(kube::resources::Deployments(), "shop", "checkout");
        return Phase() == "Idle" && target.At("spec", "paused").BoolOr(false);
      },
      seconds(60));
}

bool Stage::AwaitOutcome(const std::string& outcome) {
  return PollUntil(
      [&] {
        Json status = cluster_->Get(kube::resources::Guards(), "shop", "checkout").At("status");
        return status.At("last", "outcome").Str() == outcome && status.At("phase").Str() == "Idle";
      },
      seconds(60));
}

int64_t Stage::RouteWeight() {
  Json route = cluster_->Get(kube::resources::VirtualServices(), "shop", "checkout")
                   .At("spec", "http")
                   .At(size_t{0})
                   .At("route");
  return route.At(size_t{1}).At("weight").IntOr(0);
}

testing::PlainAnswer Stage::PostAlert(const std::string& name) {
  std::string body =
      StrCat(R"({"version":"4","status":"firing","receiver":"rollguard","groupKey":"g","alerts":[)",
             R"({"status":"firing","labels":{"alertname":")", name,
             R"(","severity":"critical","namespace":"shop","deployment":"checkout"},)",
             R"("annotations":{},"startsAt":")", FormatRfc3339(testing::RealClock().Now()),
             R"(","endsAt":"0001-01-01T00:00:00Z","fingerprint":"f1"}]})");
  return testing::Ask(agent_->port(), "POST", "/api/v1/alerts", body,
                      {{"Authorization", "Bearer sesame"}});
}

std::string Stage::Guard() {
  return cluster_->Get(kube::resources::Guards(), "shop", "checkout").Dump(2);
}

}  // namespace rollguard::serve
