// SPDX-License-Identifier: Apache-2.0
// e2e_cluster -- COMMAND...: runs the command with a cluster at hand, and stops the cluster when
// the command ends, however it ends. The command finds
//   KUBECONFIG              the cluster, as administrator
//   ROLLGUARD_E2E           "1"
//   ROLLGUARD_E2E_ETCD      the store's URL, when the cluster is ours
//   ROLLGUARD_E2E_TOKEN     a token of the user "viewer", when the cluster is ours
// A cluster that $KUBECONFIG names is used as it is; it gets fake nodes only when it has none.
//
// e2e_cluster --sim -- COMMAND...: the same with `rollguard sim` ($ROLLGUARD_BIN) for a cluster.
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "agent/base/text.h"
#include "agent/kube/config.h"
#include "agent/net/curl_client.h"
#include "tests/e2e/support/fake_kubelet.h"
#include "tests/e2e/support/real_cluster.h"
#include "tests/support/real_clock.h"

namespace rollguard::testing {
namespace {

std::atomic<int> g_signal{0};
void OnSignal(int signal) { g_signal = signal; }

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

int Fail(const std::string& why) {
  std::fprintf(stderr, "e2e_cluster: %s\n", why.c_str());
  return 1;
}

// Runs to its end, handing on what it is asked to stop by; stops it when the cluster is no more.
int RunCommand(const std::vector<std::string>& command, const ProcessOptions& options,
               const std::function<Status()>& check) {
  auto child = Process::Start(command, options);
  if (!child.ok()) return Fail(child.error().message);
  while (true) {
    if (const auto code = (*child)->WaitFor(std::chrono::milliseconds(200))) return *code;
    if (const int signal = g_signal.exchange(0); signal != 0) (*child)->Signal(signal);
    if (const Status alive = check(); !alive.ok()) {
      (*child)->Stop();
      return Fail(alive.error().message);
    }
  }
}

constexpr const char* kSimBehaviours = R"(
apiVersion: sim.rollguard.dev/v1
kind: Behaviour
metadata: {name: never-ready}
spec: {image: never-ready, neverReady: true}
---
apiVersion: sim.rollguard.dev/v1
kind: Behaviour
metadata: {name: job-fails}
spec: {image: job-fails, jobFails: true}
)";

int SimMain(const std::vector<std::string>& command) {
  const TempDir dir("sim");
  const std::string kubeconfig = dir.path() + "/kubeconfig";
  auto server = Process::Start(
      {Variable("ROLLGUARD_BIN"), "sim", "--speed", "20", "--kubeconfig", kubeconfig, "--token",
       StrCat(kViewerToken, "=", kViewerUser), "--load", dir.Write("sim.yaml", kSimBehaviours)},
      {.log = dir.path() + "/log", .directory = "", .env = {}});
  if (!server.ok()) return Fail(server.error().message);
  const bool ready =
      PollUntil([&] { return !ReadFile(kubeconfig).empty() || !(*server)->Running(); },
                std::chrono::seconds(30));
  if (!ready || !(*server)->Running()) return Fail(ReadFile(dir.path() + "/log"));
  ProcessOptions options;
  options.env = {{"KUBECONFIG", kubeconfig}, {"ROLLGUARD_E2E_TOKEN", kViewerToken}};
  return RunCommand(command, options, [&]() -> Status {
    if ((*server)->Running()) return {};
    return Error(ErrorCode::kUnavailable, ReadFile(dir.path() + "/log"));
  });
}

int RealMain(const std::vector<std::string>& command) {
  ProcessOptions options;
  options.env = {{"ROLLGUARD_E2E", "1"}};
  std::string kubeconfig = Variable("KUBECONFIG");
  std::unique_ptr<RealCluster> cluster;
  if (kubeconfig.empty()) {
    std::fprintf(stderr, "e2e_cluster: starting etcd, kube-apiserver, kube-controller-manager\n");
    auto started = RealCluster::Start();
    if (!started.ok()) return Fail(started.error().message);
    cluster = std::move(*started);
    kubeconfig = cluster->kubeconfig();
    options.env.emplace_back("ROLLGUARD_E2E_ETCD", cluster->etcd_url());
    options.env.emplace_back("ROLLGUARD_E2E_TOKEN", kViewerToken);
  }
  options.env.emplace_back("KUBECONFIG", kubeconfig);

  RealClock clock;
  kube::Surroundings around;
  around.kubeconfig_env = kubeconfig;
  auto config = kube::LoadConfig({}, around, clock.Now());
  if (!config.ok()) return Fail(config.error().message);
  net::CurlClient http(clock);
  kube::KubeClient client(*config, http, http, clock, {.qps = 0});
  FakeKubelet kubelet(client, http, http, clock);
  const Expected<bool> ours = kubelet.Start();
  if (!ours.ok()) return Fail(ours.error().message);
  std::fprintf(stderr, "e2e_cluster: %s is ready (%s)\n", config->server.c_str(),
               *ours ? "nodes are played" : "with its own nodes");
  return RunCommand(command, options,
                    [&]() -> Status { return cluster ? cluster->Check() : Status(); });
}

}  // namespace
}  // namespace rollguard::testing

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const bool sim = !words.empty() && words[0] == "--sim";
  if (sim) words.erase(words.begin());
  if (words.size() < 2 || words[0] != "--") {
    std::fprintf(stderr, "usage: e2e_cluster [--sim] -- COMMAND...\n");
    return 2;
  }
  words.erase(words.begin());
  struct sigaction action = {};
  action.sa_handler = rollguard::testing::OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return sim ? rollguard::testing::SimMain(words) : rollguard::testing::RealMain(words);
}
