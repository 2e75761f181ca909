// SPDX-License-Identifier: Apache-2.0
// k8s/scripts on a simulated cluster with a running agent: a release is moved on by hand and ends
// promoted, another is taken back, and the exit codes say how the guard is.
#include <cstdlib>

#include "agent/base/text.h"
#include "tests/support/agent_process.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::shipped {
namespace {

using testing::RunResult;

constexpr const char* kGuard = R"(
apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: checkout, namespace: shop}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: checkout}
  strategy:
    canary:
      stableService: checkout
      routing: [{replicas: {}}]
      steps:
        - setWeight: 25
        - pause: {}
        - setWeight: 50
        - pause: {}
      scaleDownDelay: 1s
      abortScaleDownDelay: 1s
  bake: 1s
  rollback: {cooldown: 1s, verify: {for: 2s}}
)";

class Stage {
 public:
  Stage() {
    REQUIRE(testing::Run({"ln", "-s", testing::TheProgram(), dir_.path() + "/rollguard"}).code ==
            0);
    cluster_ =
        Started({"sim", "--kubeconfig", kubeconfig_, "--token", "t=you,system:masters", "--load",
                 Source("k8s/crds"), "--load", Source("k8s/examples/demo/shop.yaml")},
                "sim.log");
    REQUIRE(testing::PollUntil([&] { return !testing::ReadFile(kubeconfig_).empty(); }, kLimit));
    agent_ = testing::AgentProcess::Start(
        {"--kubeconfig", kubeconfig_, "--data-dir", dir_.path() + "/data"},
        dir_.path() + "/agent.log");
    REQUIRE(agent_ != nullptr);
    REQUIRE(agent_->AwaitReady());
    Kubectl({"apply", "-f", dir_.Write("guard.yaml", kGuard)});
    Kubectl(
        {"-n", "shop", "wait", "guard/checkout", "--for=condition=RollbackReady", "--timeout=60s"});
  }

  void SetImage(const std::string& version) {
    Kubectl({"-n", "shop", "set", "image", "deployment/checkout",
             StrCat("app=registry.example.com/checkout:", version)});
  }

  // The state that `rollguard status` tells becomes this one.
  bool Becomes(const std::string& state) {
    return testing::PollUntil(
        [&] {
          const std::string said =
              Command({dir_.path() + "/rollguard", "status", "shop/checkout", "-o", "json"}).out;
          return said.find(StrCat("\"state\": \"", state, "\"")) != std::string::npos;
        },
        kLimit, std::chrono::milliseconds(200));
  }

  RunResult Script(const std::string& name, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), Source(StrCat("k8s/scripts/", name)));
    return Command(arguments);
  }

 private:
  static constexpr std::chrono::seconds kLimit{90};

  static std::string Source(const std::string& path) {
    return StrCat(ROLLGUARD_SOURCE_DIR, "/", path);
  }

  std::unique_ptr<testing::Process> Started(std::vector<std::string> words,
                                            const std::string& log) {
    words.insert(words.begin(), testing::TheProgram());
    auto started = testing::Process::Start(
        words, {.log = dir_.path() + "/" + log, .directory = {}, .env = {}});
    REQUIRE(started);
    return std::move(*started);
  }

  RunResult Command(const std::vector<std::string>& words) {
    const char* path = std::getenv("PATH");
    testing::ProcessOptions options;
    options.env = {{"PATH", StrCat(dir_.path(), ":", path != nullptr ? path : "/usr/bin:/bin")},
                   {"KUBECONFIG", kubeconfig_},
                   {"ROLLGUARD_TOKEN", "t"},
                   {"ROLLGUARD_SERVER", StrCat("http://127.0.0.1:", agent_ ? agent_->port() : 0)}};
    return testing::Run(words, "", options, std::chrono::minutes(4));
  }

  void Kubectl(std::vector<std::string> words) {
    words.insert(words.begin(), "kubectl");
    const RunResult result = Command(words);
    INFO(Join(words, " ") << "\n" << result.out << result.err);
    REQUIRE(result.code == 0);
  }

  testing::TempDir dir_{"scripts"};
  const std::string kubeconfig_ = dir_.path() + "/kubeconfig";
  std::unique_ptr<testing::Process> cluster_;
  std::unique_ptr<testing::AgentProcess> agent_;
};

TEST_CASE("scripts: a release is moved on, another is taken back") {
  Stage stage;
  RunResult said = stage.Script("health-check.sh", {"shop/checkout"});
  INFO(said.out << said.err);
  CHECK(said.code == 0);
  CHECK(said.out.find("shop/checkout is well") != std::string::npos);

  stage.SetImage("2");
  REQUIRE(stage.Becomes("waiting"));  // at the first pause, for a person
  said = stage.Script("traffic-shift.sh", {"shop/checkout"});
  CHECK(said.code == 0);
  said = stage.Script("traffic-shift.sh", {"shop/checkout", "--full", "--watch"});
  INFO(said.out << said.err);
  CHECK(said.code == 0);
  CHECK(stage.Becomes("stable"));

  stage.SetImage("3");
  REQUIRE(stage.Becomes("waiting"));
  said = stage.Script("rollback.sh", {"shop/checkout"});
  INFO(said.out << said.err);
  CHECK(said.code == 0);
  CHECK(said.out.find("rollback.sh by ") != std::string::npos);
  REQUIRE(stage.Becomes("rolledBack"));
  said = stage.Script("health-check.sh", {"shop/checkout"});
  CHECK(said.code == 1);
  CHECK(said.err.find("shop/checkout: it is rolledBack") != std::string::npos);
}

TEST_CASE("scripts: wrong usage is told and exits 2") {
  for (const char* script : {"health-check.sh", "traffic-shift.sh", "rollback.sh"}) {
    const RunResult said = testing::Run(
        {StrCat(ROLLGUARD_SOURCE_DIR, "/k8s/scripts/", script), "--nonsense", "a", "b"});
    INFO(script << said.out << said.err);
    CHECK(said.code == 2);
    CHECK(said.err.find("usage: ") != std::string::npos);
  }
}

}  // namespace
}  // namespace rollguard::shipped
