// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/ground.h"

#include "agent/app/agent_metrics.h"
#include "agent/base/text.h"
#include "agent/serve/data_folder.h"
#include "agent/serve/scoped_cluster.h"

namespace rollguard::serve {
namespace {

kube::ConfigFlags FlagsOf(const AgentOptions& options) {
  kube::ConfigFlags flags = options.cluster;
  if (flags.kubeconfig.empty()) flags.kubeconfig = options.config.cluster.kubeconfig;
  if (flags.context.empty()) flags.context = options.config.cluster.context;
  return flags;
}

}  // namespace

const std::string& IdentityOf(const AgentOptions& options) {
  const std::string& said = options.config.shards.identity;
  return said.empty() ? options.around.host_name : said;
}

Ground::Ground(AgentOptions given, const Clock& the_clock, telemetry::Log& the_log)
    : options(std::move(given)),
      config(options.config),
      clock(the_clock),
      log(the_log),
      loop(the_clock),
      net(the_clock, {.user_agent = StrCat("rollguard/", options.around.version)}),
      calls_net(the_clock, {.user_agent = StrCat("rollguard/", options.around.version)}),
      metrics_net(the_clock, {.user_agent = StrCat("rollguard/", options.around.version),
                              .gives_way = true}),
      http(net, loop),
      sources(the_clock),
      random_(options.seed) {
  telemetry::ExposeProcess(metrics, options.around.version);
  app::ExposeLoop(metrics, loop);
  metrics.GaugeOf(telemetry::Metric::kShards).Set(static_cast<double>(config.shards.count));
  // One shard needs no lease.
  if (config.shards.count <= 1) metrics.GaugeOf(telemetry::Metric::kShardOwned, {"0"}).Set(true);
}

Status Ground::ReachCluster() {
  auto found = kube::LoadConfig(FlagsOf(options), options.around.kube, clock.Now());
  if (!found) return found.error();
  log.Info("cluster", {{"server", found->server}, {"from", found->origin}});
  kube::KubeOptions limits;
  limits.qps = config.cluster.qps;
  limits.burst = static_cast<int>(config.cluster.burst);
  limits.user_agent = StrCat("rollguard/", options.around.version);
  limits.bulk = &net;
  kube = std::make_unique<kube::KubeClient>(std::move(*found), calls_net, net, clock, limits);
  kube->OnCall([this](const kube::KubeCallRecord& call) { app::CountApiCall(metrics, call); });
  discovery = std::make_unique<kube::Discovery>(*kube, clock);
  scoped_ = std::make_unique<ScopedCluster>(*kube, config.cluster);
  cluster = std::make_unique<app::ClusterOnLoop>(*scoped_, loop);
  return {};
}

Status Ground::OpenHistory() {
  auto folder = UseDataFolder(config.data_dir);
  if (!folder) return folder.error();
  data_lock_ = std::move(*folder);

  const spec::HistoryConfig& wanted = config.history;
  history::SqlHistoryOptions limits;
  limits.retain_facts = wanted.retain_audit;
  limits.retain_releases = wanted.retain_releases;
  limits.retain_measurements = wanted.retain_measurements;
  bool postgres = !wanted.postgres_url.empty() || !wanted.postgres_url_file.empty();
  if (postgres) {
    limits.writer = IdentityOf(options);
    auto url = PostgresUrl(wanted);
    if (!url) return url.error();
    history = std::make_unique<history::SqlHistory>(
        [url = *url] { return history::OpenPostgres(url); }, limits, clock);
    // A database that is away does not keep the agent from rolling back: facts wait in the queue.
    if (Status opened = history->Start(); !opened)
      log.Warn("the history is away; facts are kept in memory until it is back",
               {{"error", opened.error().message}});
    return {};
  }
  std::string file =
      wanted.sqlite_path.empty() ? StrCat(config.data_dir, "/history.db") : wanted.sqlite_path;
  history = std::make_unique<history::SqlHistory>([file] { return history::OpenSqlite(file); },
                                                  limits, clock);
  return history->Start();
}

}  // namespace rollguard::serve
