// SPDX-License-Identifier: Apache-2.0
// A real kubectl against `rollguard sim`, at forty times the speed of life. Needs ROLLGUARD_BIN
// (CTest sets it) and a kubectl on PATH; without them it says so and does nothing.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::sim {
namespace {

constexpr const char* kManifest = R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: app, image: "shop:1", ports: [{containerPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
)";

constexpr const char* kLoad = R"(apiVersion: sim.rollguard.dev/v1
kind: Flow
metadata: {name: users}
spec: {service: web, requestsPerSecond: 50}
---
apiVersion: sim.rollguard.dev/v1
kind: Behaviour
metadata: {name: bad}
spec: {image: "shop:1", errorRatio: 0.5}
---
apiVersion: sim.rollguard.dev/v1
kind: Behaviour
metadata: {name: typo}
spec: {image: "shop:1", erorRatio: 0.25}
)";

struct Outcome {
  int code = -1;
  std::string text;
};

Outcome Shell(const std::string& command) {
  Outcome out;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  char buffer[4096];
  while (size_t n = fread(buffer, 1, sizeof buffer, pipe)) out.text.append(buffer, n);
  int status = pclose(pipe);
  out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return out;
}

// `rollguard sim` as a child process, stopped by its pid.
class Sim {
 public:
  Sim(const std::string& binary, const std::string& folder) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      dup2(ends[1], 1);
      close(ends[0]);
      std::string config = folder + "/config";
      execl(binary.c_str(), "rollguard", "sim", "--speed", "40", "--kubeconfig", config.c_str(),
            nullptr);
      _exit(127);
    }
    close(ends[1]);
    char c = 0;
    while (read(ends[0], &c, 1) == 1 && c != '\n') greeting += c;
    close(ends[0]);
  }
  ~Sim() {
    kill(pid_, SIGTERM);
    int status = 0;
    waitpid(pid_, &status, 0);
  }
  std::string greeting;

 private:
  pid_t pid_ = 0;
};

struct Step {
  std::string arguments;
  int code;
  std::string want;  // occurs in the output
};

void RunSteps(const std::string& kubectl, const std::vector<Step>& steps) {
  for (const Step& step : steps) {
    Outcome out = Shell("timeout 60 " + kubectl + " " + step.arguments);
    INFO("kubectl " << step.arguments << "\n" << out.text);
    CHECK(out.code == step.code);
    CHECK(out.text.find(step.want) != std::string::npos);
  }
}

TEST_CASE("kubectl works against the simulated cluster") {
  const char* binary = std::getenv("ROLLGUARD_BIN");
  std::string kubectl =
      std::getenv("ROLLGUARD_KUBECTL") ? std::getenv("ROLLGUARD_KUBECTL") : "kubectl";
  if (binary == nullptr || !std::filesystem::exists(binary) ||
      Shell("command -v " + kubectl).code != 0) {
    WARN("skipped: needs ROLLGUARD_BIN and a kubectl on PATH");
    return;
  }
  char folder[] = "/tmp/rollguard-kubectl-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  std::string dir = folder;
  std::ofstream(dir + "/v1.yaml") << kManifest;
  std::ofstream(dir + "/v2.yaml") << ReplaceAll(kManifest, "shop:1", "shop:2");
  {
    Sim sim(binary, dir);
    REQUIRE(sim.greeting.find("serving http://127.0.0.1:") != std::string::npos);
    std::string k = kubectl + " --kubeconfig " + dir + "/config --cache-dir " + dir + "/cache";
    // Pods of the old revision may be gone between kubectl's list and its look at each.
    const std::string newest =
        k + " get pods --sort-by=.metadata.creationTimestamp -o name | tail -n 1";
    RunSteps(
        k, {
               {"apply -f " + dir + "/v1.yaml", 0, "deployment.apps/web created"},
               {"rollout status deployment/web", 0, "successfully rolled out"},
               {"get deploy,rs,pods", 0, "3/3     3            3"},
               {"get pods -o wide", 0, "Running"},
               {"get deployments web -o jsonpath='{.status.readyReplicas}'", 0, "3"},
               {"apply -f " + dir + "/v1.yaml", 0, "deployment.apps/web unchanged"},
               {"scale deployment/web --replicas=5", 0, "scaled"},
               {"rollout status deployment/web", 0, "successfully rolled out"},
               {"apply -f " + dir + "/v2.yaml", 0, "deployment.apps/web configured"},
               {"rollout status deployment/web", 0, "successfully rolled out"},
               {"rollout history deployment/web", 0, "2         <none>"},
               {"rollout undo deployment/web", 0, "rolled back"},
               {"rollout status deployment/web", 0, "successfully rolled out"},
               {"apply --server-side -f " + dir + "/v2.yaml", 1, ".image"},
               {"apply --server-side --force-conflicts -f " + dir + "/v2.yaml", 0,
                "serverside-applied"},
               {"patch deployment web -p '{\"spec\":{\"paused\":true}}'", 0, "patched"},
               {"patch deployment web --type=json -p "
                "'[{\"op\":\"remove\",\"path\":\"/spec/paused\"}]'",
                0, "patched"},
               {"patch deployment web --type=merge -p '{\"metadata\":{\"labels\":{\"a\":\"b\"}}}'",
                0, "patched"},
               {"get deployments -l a=b -o name", 0, "deployment.apps/web"},
               {"describe deployment web", 0, "ScalingReplicaSet"},
               {"describe $(" + newest + ")", 0, "Node:"},
               {"get nothings", 1, "the server doesn't have a resource type \"nothings\""},
               {"get deployment gone", 1, "deployments.apps \"gone\" not found"},
               {"api-resources", 0, "deployments"},
               {"delete -f " + dir + "/v2.yaml", 0, "deleted"},
               {"wait --for=delete pod -l app=web --timeout=30s", 0, ""},
           });
    // The scenario is objects: a behaviour that is wrong says so, a load shows in the metrics.
    std::ofstream(dir + "/load.yaml") << kLoad;
    RunSteps(k, {
                    {"apply -f " + dir + "/load.yaml", 0, "flow.sim.rollguard.dev/users created"},
                    {"get behaviours typo -o jsonpath='{.status.message}'", 0,
                     "did you mean \"errorRatio\"?"},
                });
    Outcome watch = Shell("(sleep 1; " + k + " apply -f " + dir +
                          "/v1.yaml >/dev/null) & timeout 4 " + k + " get pods -w; wait");
    INFO(watch.text);
    for (auto state : {"Pending", "ContainerCreating", "Running"})
      CHECK(watch.text.find(state) != std::string::npos);
    Outcome page = Shell("for i in $(seq 100); do " + k +
                         " get --raw /metrics | grep 'requests_total{code=\"500\".* [1-9]' && "
                         "break; sleep 0.1; done");
    CHECK(page.text.find("http_requests_total{code=\"500\"") != std::string::npos);
  }
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace rollguard::sim
