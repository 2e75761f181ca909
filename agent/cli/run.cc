// SPDX-License-Identifier: Apache-2.0
// `rollguard run`: the agent. Flags and the configuration become AgentOptions; everything else is
// agent/serve's.
#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/options.h"
#include "agent/cli/stop_signals.h"
#include "agent/cli/surroundings.h"
#include "agent/cli/system_clock.h"
#include "agent/serve/agent.h"
#include "agent/serve/turns.h"
#include "agent/spec/load.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kHelp = R"(usage: rollguard run [--config FILE] [options]

Runs the agent: watches the Guards of a cluster, releases, judges and takes back what they guard.
Without a configuration it uses the kubeconfig (or the pod's service account), listens on
127.0.0.1:9442 and keeps its history below ~/.local/state/rollguard.

options:
  --config FILE         the agent's configuration (rollguard schema reference agentconfig)
  --kubeconfig FILE     how to reach the cluster; stronger than the configuration
  --context NAME        context of the kubeconfig
  --server URL          the API server itself, e.g. that of `rollguard sim`
  --listen ADDR:PORT    where the agent answers; port 0: any free one (it is printed)
  --data-dir DIR        where the history is kept
  --rules PATH          rule files, folders or globs, besides those of the configuration; repeatable
  --prometheus URL      a Prometheus-compatible server as the default metrics source
  --webhook-token FILE  alerts are taken from senders with this bearer token
  --log-level LEVEL     debug, info, warn or error
  --log-format FORMAT   text or json
  --check               read and check everything, then stop without running

signals:
  SIGHUP                read the rule files again now (they are also looked at every reloadInterval)
  SIGTERM, SIGINT       finish what is under way and stop; a second one stops at once

exit code: 0 stopped by a signal, 1 the agent cannot start, 2 wrong usage

examples:
  rollguard run --config /etc/rollguard/agent.yaml
  rollguard sim --kubeconfig /tmp/sim.kubeconfig --load k8s/crds &
  rollguard run --kubeconfig /tmp/sim.kubeconfig --rules rules/ --listen 127.0.0.1:0
)";

constexpr Duration kGrace = std::chrono::seconds(20);

// What the configuration file says, or the defaults. Prints every problem itself.
bool ReadConfig(const std::string& file, spec::AgentConfig& config) {
  if (file.empty()) {
    std::string home = EnvironmentVariable("HOME");
    if (!home.empty() && home != "/") config.data_dir = home + "/.local/state/rollguard";
    return true;
  }
  auto text = ReadFile(file);
  if (!text) {
    std::fprintf(stderr, "rollguard run: %s\n", text.error().message.c_str());
    return false;
  }
  spec::Library library;
  Diagnostics problems;
  spec::LoadText(file, *text, library, problems);
  if (!problems.has_errors() && library.configs.size() != 1)
    problems.Error(
        file, {},
        StrCat("holds ", library.configs.size(), " documents of kind AgentConfig; one is wanted"));
  for (const Diagnostic& problem : problems.Sorted())
    std::fputs(Render(problem, *text).c_str(), stderr);
  if (problems.has_errors()) return false;
  config = std::move(library.configs[0]);
  return true;
}

// "127.0.0.1:9442", "[::1]:0", ":9442".
bool ReadListen(const std::string& text, spec::ListenConfig& listen) {
  size_t colon = text.rfind(':');
  if (colon == std::string::npos) return false;
  auto port = ParseInt(std::string_view(text).substr(colon + 1));
  if (!port || *port < 0 || *port > 65535) return false;
  listen.port = *port;
  std::string address = text.substr(0, colon);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  listen.address = address.empty() ? "0.0.0.0" : address;
  return true;
}

std::string AbsolutePath(const std::string& path) {
  char buffer[PATH_MAX];
  return ::realpath(path.c_str(), buffer) != nullptr ? std::string(buffer) : path;
}

// The problem with a flag, or "".
std::string ApplyFlags(const Options& options, spec::AgentConfig& config) {
  if (options.Has("--listen") && !ReadListen(options.Get("--listen"), config.listen))
    return StrCat("--listen wants ADDRESS:PORT, not ", Quote(options.Get("--listen")));
  config.data_dir = options.Get("--data-dir", config.data_dir);
  // Paths of flags are relative to where the command runs, those of the file to the file.
  for (const std::string& path : options.All("--rules"))
    config.rules.push_back(path.starts_with('/') ? path
                           : path.find_first_of("*?[") == std::string::npos
                               ? AbsolutePath(path)
                               : StrCat(AbsolutePath("."), "/", path));
  if (options.Has("--prometheus")) {
    spec::PrometheusSource server;
    server.endpoint.url = options.Get("--prometheus");
    if (!server.endpoint.url.starts_with("http://") && !server.endpoint.url.starts_with("https://"))
      return "--prometheus wants a URL that begins with http:// or https://";
    config.metrics.insert(config.metrics.begin(), {"prometheus", server, {}});
  }
  if (options.Has("--webhook-token")) {
    if (!config.auth.webhooks) config.auth.webhooks.emplace();
    config.auth.webhooks->bearer_token_file = options.Get("--webhook-token");
  }
  config.log.level = options.Get("--log-level", config.log.level);
  config.log.format = options.Get("--log-format", config.log.format);
  constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error"};
  if (std::find(std::begin(kLevels), std::end(kLevels), config.log.level) == std::end(kLevels))
    return "--log-level wants debug, info, warn or error";
  if (config.log.format != "text" && config.log.format != "json")
    return "--log-format wants text or json";
  return {};
}

kube::ConfigFlags ClusterFlags(const Options& options) {
  kube::ConfigFlags flags;
  flags.kubeconfig = options.Get("--kubeconfig");
  flags.context = options.Get("--context");
  flags.server = options.Get("--server");
  return flags;
}

int RunAgent(serve::AgentOptions options) {
  serve::TakeShortTurns();
  StopSignals signals;
  telemetry::Log log({options.config.log.level, options.config.log.format, {}});
  serve::Agent agent(std::move(options), SystemClock(), log);
  if (Status started = agent.Start(); !started) return Fail("run", started.error().message);
  signals.OnHangup([&agent] { agent.Reload(); });
  signals.Wait();
  signals.OnHangup({});
  agent.Stop(kGrace);
  return kOk;
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(
      args, {{"--config", "--kubeconfig", "--context", "--server", "--listen", "--data-dir",
              "--rules", "--prometheus", "--webhook-token", "--log-level", "--log-format"},
             {"--check"}});
  if (!options) return UsageError("run", options.error().message);
  if (!options->arguments.empty())
    return UsageError("run", StrCat("unexpected argument ", Quote(options->arguments[0])));
  serve::AgentOptions agent;
  agent.config_file = options->Get("--config");
  if (!ReadConfig(agent.config_file, agent.config)) return kFound;
  if (std::string problem = ApplyFlags(*options, agent.config); !problem.empty())
    return UsageError("run", problem);
  agent.cluster = ClusterFlags(*options);
  agent.around.kube = KubeSurroundings();
  agent.around.host_name = HostName();
  agent.seed = SystemSeed();
  if (options->Has("--check")) {
    telemetry::Log log({"warn", agent.config.log.format, {}});
    if (Status checked = serve::CheckStart(std::move(agent), SystemClock(), log); !checked)
      return Fail("run", checked.error().message);
    std::puts("rollguard run: everything that is read at the start can be used");
    return kOk;
  }
  return RunAgent(std::move(agent));
}

}  // namespace

extern const Command kRunCommand;
const Command kRunCommand = {"run", "run the agent", kHelp, Run};

}  // namespace rollguard::cli
