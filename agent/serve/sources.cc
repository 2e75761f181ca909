// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/sources.h"

#include <algorithm>
#include <set>

#include "agent/app/agent_metrics.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::serve {
namespace {

constexpr Duration kLookAtPods = std::chrono::seconds(2);

prometheus::EmbeddedOptions OptionsOf(const spec::EmbeddedSource& config) {
  prometheus::EmbeddedOptions options;
  options.interval = config.interval;
  options.timeout = std::min(config.timeout, config.interval);
  options.max_body_bytes = static_cast<size_t>(config.max_body_bytes);
  options.max_series_per_target = static_cast<size_t>(config.max_series_per_pod);
  options.retention = config.retention;
  return options;
}

// The container port of that name; 0 when the pod has none.
int64_t PortOf(const Json& pod, const std::string& name) {
  for (const Json& container : pod.At("spec", "containers").items()) {
    for (const Json& port : container.At("ports").items()) {
      if (port.At("name").Str() == name) return port.At("containerPort").IntOr(0);
    }
  }
  return 0;
}

void AddTarget(const Json& pod, const std::string& workload, const spec::EmbeddedSource& config,
               std::vector<prometheus::ScrapeTarget>& out) {
  std::string address = pod.At("status", "podIP").Str();
  int64_t port = PortOf(pod, config.port_name);
  if (address.empty() || port == 0 || pod.At("status", "phase").Str() != "Running") return;
  if (address.find(':') != std::string::npos) address = StrCat("[", address, "]");
  std::string instance = StrCat(address, ":", port);
  out.push_back({.url = StrCat("http://", instance, config.path),
                 .labels = promql::Labels({{"instance", instance},
                                           {"job", workload},
                                           {"namespace", pod.At("metadata", "namespace").Str()},
                                           {"pod", pod.At("metadata", "name").Str()}})});
}

}  // namespace

Sources::Sources(Ground& ground) : ground_(ground) {
  for (const spec::MetricsSourceConfig& config : ground.config.metrics) {
    One one;
    one.name = config.name;
    if (const auto* server = std::get_if<spec::PrometheusSource>(&config.source)) {
      auto source = std::make_unique<prometheus::ServerSource>(
          ground.metrics_net, ground.metrics_net, ground.clock, ground.NextSeed(),
          prometheus::ApiOptionsOf(*server), prometheus::FoldOptionsOf(*server));
      one.server = source.get();
      app::ExposeFolding(ground.metrics, one.name, source->counters());
      one.source = std::make_unique<app::CountedSource>(ground.metrics, ground.clock, one.name,
                                                        std::move(source));
    } else {
      one.embedded_config = &std::get<spec::EmbeddedSource>(config.source);
      auto source = std::make_unique<prometheus::EmbeddedSource>(
          ground.metrics_net, ground.metrics_net, ground.clock, OptionsOf(*one.embedded_config));
      one.embedded = source.get();
      one.source = std::make_unique<app::CountedSource>(ground.metrics, ground.clock, one.name,
                                                        std::move(source));
    }
    one.on_loop = std::make_unique<app::MetricsOnLoop>(*one.source, ground.loop);
    ground.sources.Add(one.name, one.on_loop.get());
    all_.push_back(std::move(one));
  }
  if (all_.empty())
    ground.log.Warn("no metrics source is configured: rules and analyses have no data",
                    {{"do", "add metrics: to the configuration, or --prometheus URL"}});
}

void Sources::FollowPods(app::Controller& controller) {
  bool any = std::any_of(all_.begin(), all_.end(), [](const One& o) { return o.embedded; });
  if (!any) return;
  ScrapeNow(controller);
  ground_.loop.After(kLookAtPods, [this, &controller] { FollowPods(controller); });
}

void Sources::ScrapeNow(app::Controller& controller) {
  for (One& one : all_) {
    if (one.embedded) one.embedded->SetTargets(ScrapeTargets(controller, *one.embedded_config));
  }
}

std::vector<prometheus::ScrapeTarget> ScrapeTargets(app::Controller& controller,
                                                    const spec::EmbeddedSource& config) {
  using namespace kube::resources;
  std::vector<prometheus::ScrapeTarget> targets;
  std::set<std::pair<std::string, std::string>> seen;  // two guards may share a workload's name
  controller.ForEach("", [&](const spec::Guard& guard, const release::GuardState&) {
    const std::string& ns = guard.metadata.ns;
    for (const std::string& workload : {guard.target.name, release::CandidateName(guard)}) {
      if (workload.empty() || !seen.emplace(ns, workload).second) continue;
      app::Arena arena;
      app::Mirror& mirror = controller.mirror();
      for (const Json* set : mirror.OwnedBy(ReplicaSets(), ns, workload, arena)) {
        app::Arena pods;
        for (const Json* pod : mirror.OwnedBy(Pods(), ns, set->At("metadata", "name").Str(), pods))
          AddTarget(*pod, workload, config, targets);
      }
      for (const Json* pod : mirror.OwnedBy(Pods(), ns, workload, arena))
        AddTarget(*pod, workload, config, targets);
    }
  });
  return targets;
}

}  // namespace rollguard::serve
