// SPDX-License-Identifier: Apache-2.0
// `rollguard sim`: a simulated cluster that kubectl and the agent can talk to.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/options.h"
#include "agent/cli/sim_server.h"
#include "agent/cli/system_clock.h"
#include "agent/yaml/yaml.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kHelp = R"(usage: rollguard sim [--port N] [--load PATH]... [options]

Serves a simulated Kubernetes cluster over plain HTTP on the loopback interface, in real time:
Deployments, StatefulSets, DaemonSets, Jobs and HPAs run, pods become ready, crash or fail to pull
their image, traffic follows the routes. /metrics shows what a Prometheus would scrape, and the same
address answers PromQL like a Prometheus of its own. For trying rollguard without a cluster; it
checks no credentials.

options:
  --port N       listen here (default: any free port; it is printed)
  --host ADDR    listen on this address (default 127.0.0.1)
  --load PATH    manifests to create first: YAML or JSON files, or folders of them; repeatable
  --speed X      virtual seconds per second (default 1)
  --seed N       the simulation's seed (default 1)
  --nodes N      nodes of the cluster (default 3)
  --token T=USER[,GROUP...]   what TokenReview says of the bearer token T; repeatable
  --kubeconfig FILE           write a kubeconfig for the server here

How pods behave and who calls them are objects too (group sim.rollguard.dev/v1):
  kind: Behaviour   spec: {image: "shop:2", errorRatio: 0.2, readyAfter: 5s, crashAfter: 10s, ...}
  kind: Flow        spec: {service: shop, requestsPerSecond: 50, source: {virtualService: shop}}

exit code: 0 stopped by a signal, 1 the port or a manifest cannot be used, 2 wrong usage

examples:
  rollguard sim --port 18080 --load k8s/examples/
  kubectl --server http://127.0.0.1:18080 get deploy,rs,pods -w
)";

// The signal's number reaches a thread that waits for it; a handler could not lock.
std::thread StopOnSignal(SimServer& server) {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, s);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return std::thread([&server, set] {
    int signal = 0;
    sigwait(&set, &signal);
    server.Stop();
  });
}

Expected<std::vector<Json>> ReadManifests(const std::vector<std::string>& paths) {
  std::vector<Json> out;
  for (const std::string& file : FilesBelow(paths)) {
    auto text = ReadFile(file);
    if (!text) return text.error();
    Diagnostics problems;
    for (const yaml::Node& node : yaml::Parse(file, *text, problems))
      out.push_back(yaml::ToJson(node));
    if (problems.has_errors())
      return Error(ErrorCode::kInvalid, Render(problems.Sorted()[0], *text));
  }
  return out;
}

// Types before their objects, namespaces before what is in them.
int Rank(const Json& object) {
  std::string kind = object.At("kind").Str();
  return kind == "CustomResourceDefinition" ? 0 : kind == "Namespace" ? 1 : 2;
}

Status LoadAll(sim::World& world, std::vector<Json> objects) {
  std::stable_sort(objects.begin(), objects.end(),
                   [](const Json& a, const Json& b) { return Rank(a) < Rank(b); });
  for (const Json& object : objects) {
    if (Status s = world.Load(object); !s) {
      return Error(s.error().code,
                   StrCat(object.At("kind").Str(), " ", object.At("metadata", "name").Str(), ": ",
                          s.error().message));
    }
  }
  return {};
}

Expected<std::map<std::string, sim::ApiUser>> ReadUsers(const std::vector<std::string>& tokens) {
  std::map<std::string, sim::ApiUser> users;
  for (const std::string& text : tokens) {
    size_t equal = text.find('=');
    if (equal == std::string::npos)
      return Error(ErrorCode::kInvalid, StrCat("--token ", text, ": write TOKEN=USER[,GROUP...]"));
    auto names = Split(std::string_view(text).substr(equal + 1), ',');
    sim::ApiUser user{std::string(names[0]), {}};
    for (size_t i = 1; i < names.size(); ++i) user.groups.emplace_back(names[i]);
    users[text.substr(0, equal)] = std::move(user);
  }
  return users;
}

std::string Kubeconfig(const std::string& url) {
  return StrCat(
      "apiVersion: v1\nkind: Config\ncurrent-context: sim\nclusters:\n- name: sim\n  cluster: "
      "{server: ",
      url,
      "}\nusers:\n- name: sim\n  user: {}\ncontexts:\n- name: sim\n  context: {cluster: sim, user: "
      "sim, namespace: default}\n");
}

struct Numbers {
  int64_t port, seed, nodes;
  double speed;
};

std::optional<Numbers> ReadNumbers(const Options& options, std::string& problem) {
  auto port = ParseInt(options.Get("--port", "0"));
  auto seed = ParseInt(options.Get("--seed", "1"));
  auto nodes = ParseInt(options.Get("--nodes", "3"));
  auto speed = ParseDouble(options.Get("--speed", "1"));
  if (!port || *port < 0 || *port > 65535)
    problem = "--port wants a number from 0 to 65535";
  else if (!seed || *seed < 0)
    problem = "--seed wants a number";
  else if (!nodes || *nodes < 1 || *nodes > 1000)
    problem = "--nodes wants a number from 1 to 1000";
  else if (!speed || !(*speed > 0 && *speed <= 10000))
    problem = "--speed wants a number above 0, at most 10000";
  if (!problem.empty()) return std::nullopt;
  return Numbers{*port, *seed, *nodes, *speed};
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(args, {{"--port", "--host", "--load", "--speed", "--seed", "--nodes",
                                      "--token", "--kubeconfig"},
                                     {}});
  if (!options) return UsageError("sim", options.error().message);
  if (!options->arguments.empty())
    return UsageError("sim", StrCat("unexpected argument ", Quote(options->arguments[0])));
  std::string problem;
  auto numbers = ReadNumbers(*options, problem);
  if (!numbers) return UsageError("sim", problem);
  auto users = ReadUsers(options->All("--token"));
  if (!users) return UsageError("sim", users.error().message);
  auto manifests = ReadManifests(options->All("--load"));
  if (!manifests) return Fail("sim", manifests.error().message);

  const Clock& clock = SystemClock();
  sim::WorldOptions world_options;
  world_options.seed = static_cast<uint64_t>(numbers->seed);
  world_options.start = clock.Now();
  world_options.track_all_fields = true;
  world_options.nodes = static_cast<int>(numbers->nodes);
  world_options.traffic.scrape_interval = Duration(1'000);
  world_options.users = std::move(*users);
  sim::World world(std::move(world_options));
  if (Status loaded = LoadAll(world, std::move(*manifests)); !loaded)
    return Fail("sim", loaded.error().message);

  SimServer server(
      world, clock,
      {options->Get("--host", "127.0.0.1"), static_cast<int>(numbers->port), numbers->speed});
  auto port = server.Bind();
  if (!port) return Fail("sim", port.error().message);
  std::string url = StrCat("http://", options->Get("--host", "127.0.0.1"), ":", *port);
  if (options->Has("--kubeconfig")) {
    if (Status s = WriteFile(options->Get("--kubeconfig"), Kubeconfig(url)); !s)
      return Fail("sim", s.error().message);
  }
  std::thread watcher = StopOnSignal(server);
  std::printf("rollguard sim: serving %s\n", url.c_str());
  std::fflush(stdout);
  server.Serve();
  watcher.join();
  return kOk;
}

}  // namespace

extern const Command kSimCommand;
const Command kSimCommand = {
    "sim", "serve a simulated Kubernetes cluster for kubectl and the agent", kHelp, Run};

}  // namespace rollguard::cli
