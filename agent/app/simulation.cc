// SPDX-License-Identifier: Apache-2.0
#include "agent/app/simulation.h"

namespace rollguard::app {

SimAgent::SimAgent(sim::Scheduler& scheduler, Cluster& cluster, MetricsSource& metrics,
                   History& history, const spec::Library& library, std::vector<Listener*> listeners,
                   uint64_t seed, Prober* prober, std::optional<ShardKeeperOptions> shards)
    : sources_(scheduler),
      alerts_(scheduler),
      rules_(scheduler, scheduler, sources_),
      analysis_(scheduler, scheduler, sources_, cluster, nullptr),
      gates_(scheduler, scheduler, nullptr),
      health_({.timers = &scheduler,
               .clock = &scheduler,
               .sources = &sources_,
               .prober = prober,
               .cluster = &cluster,
               .firing = [this](const auto& matchers,
                                auto since) { return alerts_.FindFiring(matchers, since); },
               .alerts_trouble = {},
               .seed = seed}),
      blind_(scheduler, scheduler, sources_,
             [this] { return watchdog_ ? watchdog_() : std::string(); }),
      governor_(scheduler, spec::FleetLimits{}),
      recorder_(history) {
  sources_.Add("simulated", &metrics);
  listeners.push_back(&recorder_);
  if (shards)
    keeper_ = std::make_unique<ShardKeeper>(
        ShardKeeperPorts{.cluster = &cluster,
                         .timers = &scheduler,
                         .clock = &scheduler,
                         .executor = [](std::function<void()> fn) { fn(); },
                         .seed = seed},
        std::move(*shards));
  ControllerPorts ports{.cluster = &cluster,
                        .timers = &scheduler,
                        .clock = &scheduler,
                        .executor = [](std::function<void()> fn) { fn(); },
                        .seed = seed};
  ControllerParts parts{
      .sensors = {&alerts_, &rules_, &analysis_, &gates_, &health_, &blind_, &governor_},
      .listeners = std::move(listeners),
      .analysis = &analysis_,
      .gates = &gates_,
      .owns = {},
      .ownership = keeper_.get(),
      .inbox = [this](const alerts::Alert& alert) { alerts_.TakeKept(alert); },
      .inbox_lost =
          [this](const std::string& guard, const alerts::Alert& alert) {
            alerts_.Withdraw(guard, alert.fingerprint);
          }};
  controller_ = std::make_unique<Controller>(std::move(ports), std::move(parts));
  alerts_.Attach(controller_.get());
  rules_.Attach(controller_.get());
  analysis_.Attach(controller_.get());
  gates_.Attach(controller_.get());
  health_.Attach(controller_.get());
  blind_.Attach(controller_.get());
  governor_.Attach(controller_.get());
  controller_->SetLibrary(library);
  controller_->Start();
  if (keeper_) KeepFor(*keeper_, *controller_);
}

}  // namespace rollguard::app
