// SPDX-License-Identifier: Apache-2.0
// Whole releases through the real program.
#include <signal.h>

#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/serve/stage.h"
#include "tests/support/catch.h"

namespace rollguard::serve {
namespace {

using std::chrono::seconds;
using testing::PollUntil;

constexpr const char* kCanary = R"(
  target: {apiVersion: apps/v1, kind: Deployment, name: checkout}
  strategy:
    canary:
      stableService: checkout
      abortScaleDownDelay: 0s
      scaleDownDelay: 0s
      routing:
        - istio: {virtualService: checkout, routes: [primary], destinationRule: {name: checkout}}
      steps: [{setWeight: 20}, {pause: {duration: 1s}}, {setWeight: 50}, {pause: {duration: 1s}}]
  bake: 1s
  rollback:
    rules: [errors]
    alerts: [{matchers: ['severity="critical"'], action: rollback}]
    verify: {for: 1s}
)";

// Stays at 50 % until somebody says something.
constexpr const char* kWaiting = R"(
  target: {apiVersion: apps/v1, kind: Deployment, name: checkout}
  strategy:
    canary:
      stableService: checkout
      abortScaleDownDelay: 0s
      scaleDownDelay: 0s
      routing:
        - istio: {virtualService: checkout, routes: [primary], destinationRule: {name: checkout}}
      steps: [{setWeight: 50}, {pause: {}}]
  bake: 1s
  rollback:
    alerts: [{matchers: ['severity="critical"'], action: rollback}]
    verify: {for: 1s}
)";

constexpr const char* kRules = R"(groups:
  - name: errors
    interval: 1s
    rules:
      - rollback: TooManyErrors
        expr: sum(rate(errors_total{pod=~"$candidate_pods"}[1m])) > 0.5
        severity: critical
)";

TEST_CASE("a good version is promoted, a bad one is taken back by its rule") {
  Stage stage;
  std::string rules = stage.dir().Write("rules.yaml", kRules);
  stage.StartAgent({"--rules", rules});
  stage.CreateGuard(kCanary);
  INFO(stage.Log());
  REQUIRE(stage.AwaitRest());

  stage.SetImage("shop:2");
  bool promoted = stage.AwaitOutcome("promoted");
  INFO(stage.Guard());
  INFO(stage.Log());
  REQUIRE(promoted);
  CHECK(stage.questions > 0);
  CHECK(stage.RouteWeight() == 0);  // at rest the route is as its owner wrote it

  stage.measured = 1.0;
  stage.SetImage("shop:3");
  bool taken_back = stage.AwaitOutcome("rolledBack");
  INFO(stage.Guard());
  INFO(stage.Log());
  REQUIRE(taken_back);
  for (const Json& pod : stage.cluster().List(kube::resources::Pods(), "shop"))
    CHECK(pod.At("spec", "containers").At(size_t{0}).At("image").Str() == "shop:2");
  // The rejected template stays where its owner put it.
  Json target = stage.cluster().Get(kube::resources::Deployments(), "shop", "checkout");
  CHECK(target.At("spec", "template", "spec", "containers").At(size_t{0}).At("image").Str() ==
        "shop:3");
  CHECK(target.At("spec", "paused").BoolOr(false));
}

TEST_CASE("an alert takes a release back; who has no token is refused") {
  Stage stage;
  stage.StartAgent();
  stage.CreateGuard(kWaiting);
  REQUIRE(stage.AwaitRest());
  stage.SetImage("shop:2");
  INFO(stage.Log());
  REQUIRE(PollUntil([&] { return stage.RouteWeight() == 50; }, seconds(60)));

  CHECK(testing::Ask(stage.agent().port(), "POST", "/api/v1/alerts", "{}").status == 401);
  testing::PlainAnswer answer = stage.PostAlert("HighErrorRate");
  INFO(answer.body);
  CHECK(answer.status == 200);
  CHECK(answer.body.find("trigger") != std::string::npos);
  bool taken_back = stage.AwaitPhase("Verifying") || stage.AwaitOutcome("rolledBack");
  INFO(stage.Guard());
  CHECK(taken_back);
  CHECK(stage.RouteWeight() == 0);
}

TEST_CASE("another sender's alert is read as the configuration says") {
  Stage stage;
  const std::string config = stage.dir().Write("agent.yaml", R"(kind: AgentConfig
senders:
  - name: pager
    alerts: /incidents
    status: /state
    resolvedValues: [done]
    startsAt: /opened
    labels: /tags
    labelPaths: {alertname: /title}
)");
  stage.StartAgent({"--config", config});
  auto post = [&](const std::string& sender, const std::string& body) {
    return testing::Ask(stage.agent().port(), "POST", "/api/v1/alerts/from/" + sender, body,
                        {{"Authorization", "Bearer sesame"}});
  };
  testing::PlainAnswer answer =
      post("pager", R"({"incidents":[{"title":"Down","state":"open","opened":1700000000,)"
                    R"("tags":{"namespace":"shop","deployment":"checkout"}}]})");
  INFO(answer.body);
  CHECK(answer.status == 200);
  CHECK(answer.body.find("\"alertname\":\"Down\"") != std::string::npos);
  CHECK(post("nobody", "{}").status == 404);
  CHECK(post("pager", R"({"incidents":3})").status == 400);
}

TEST_CASE("killed in the middle of a release, the next start goes on from there") {
  Stage stage;
  stage.StartAgent();
  stage.CreateGuard(kWaiting);
  REQUIRE(stage.AwaitRest());
  stage.SetImage("shop:2");
  REQUIRE(PollUntil([&] { return stage.Phase() == "Progressing"; }, seconds(60)));
  stage.KillAgent();
  stage.StartAgent();
  INFO(stage.Log());
  REQUIRE(PollUntil([&] { return stage.RouteWeight() == 50; }, seconds(60)));
  // Still one release, and it can still be taken back.
  stage.KillAgent();
  stage.StartAgent();
  CHECK(stage.PostAlert("HighErrorRate").status == 200);
  bool taken_back = PollUntil([&] { return stage.RouteWeight() == 0; }, seconds(60));
  INFO(stage.Guard());
  CHECK(taken_back);
}

TEST_CASE("SIGTERM ends a release's agent cleanly and soon") {
  Stage stage;
  stage.StartAgent();
  stage.CreateGuard(kWaiting);
  REQUIRE(stage.AwaitRest());
  stage.SetImage("shop:2");
  REQUIRE(PollUntil([&] { return stage.Phase() == "Progressing"; }, seconds(60)));
  stage.agent().process().Signal(SIGTERM);
  auto code = stage.agent().process().WaitFor(seconds(15));
  INFO(stage.Log());
  REQUIRE(code.has_value());
  CHECK(*code == 0);
  CHECK(stage.Log().find("stopped") != std::string::npos);
}

}  // namespace
}  // namespace rollguard::serve
