// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/replica.h"

#include "agent/base/text.h"

namespace rollguard::serve {
namespace {

std::string List(const std::vector<std::string>& words) {
  return words.empty() ? "none" : Join(words, " ");
}

}  // namespace

Replica::Replica(Ground& ground) : ground_(ground) {
  const spec::ShardsConfig& config = ground.config.shards;
  if (config.count <= 1) return;
  app::ShardKeeperOptions options;
  options.count = static_cast<int>(config.count);
  options.ns = config.ns.empty() ? ground.kube->config().default_namespace : config.ns;
  options.identity = IdentityOf(ground.options);
  options.lease = config.lease;
  options.renew = config.renew;
  app::ShardKeeperPorts ports;
  ports.cluster = ground.cluster.get();
  ports.timers = &ground.loop;
  ports.clock = &ground.clock;
  ports.executor = [](std::function<void()> fn) { fn(); };  // callbacks are on the loop already
  ports.seed = ground.NextSeed();
  keeper_ = std::make_unique<app::ShardKeeper>(std::move(ports), std::move(options));
  Changed();
}

void Replica::Start(app::Controller& controller) {
  if (keeper_) app::KeepFor(*keeper_, controller, [this] { Changed(); });
}

void Replica::Relist() {
  if (keeper_) keeper_->Relist();
}

void Replica::Stop(std::function<void()> done) {
  if (keeper_) {
    keeper_->Stop(std::move(done));
  } else {
    done();
  }
}

void Replica::Changed() {
  std::vector<std::string> ours;
  for (const app::ShardStanding& standing : keeper_->Standings()) {
    const std::string shard = StrCat(standing.shard);
    ground_.metrics.GaugeOf(telemetry::Metric::kShardOwned, {shard}).Set(standing.ours);
    if (standing.ours) ours.push_back(shard);
  }
  ground_.log.Info("shards", {{"replica", keeper_->identity()},
                              {"owned", List(ours)},
                              {"of", keeper_->count()},
                              {"replicas", List(keeper_->Replicas())}});
  if (keeper_->trouble() == told_) return;
  told_ = keeper_->trouble();
  if (!told_.empty()) ground_.log.Warn("shards", {{"trouble", told_}});
}

api::DependencyHealth Replica::Health() const {
  api::DependencyHealth health;
  health.name = "shards";
  health.required = false;
  if (!keeper_) {
    health.ok = true;
    health.detail = "one replica: all guards";
    return health;
  }
  std::vector<std::string> ours, nobodys;
  for (const app::ShardStanding& standing : keeper_->Standings()) {
    if (standing.ours) ours.push_back(StrCat(standing.shard));
    if (standing.holder.empty()) nobodys.push_back(StrCat(standing.shard));
  }
  health.ok = nobodys.empty() && keeper_->trouble().empty();
  health.detail = StrCat(keeper_->identity(), " owns ", List(ours), " of ", keeper_->count(),
                         "; replicas: ", List(keeper_->Replicas()));
  if (!nobodys.empty()) health.detail += StrCat("; nobody owns ", List(nobodys));
  if (!keeper_->trouble().empty()) health.detail += StrCat("; ", keeper_->trouble());
  return health;
}

}  // namespace rollguard::serve
