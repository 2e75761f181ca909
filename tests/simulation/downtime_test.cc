// SPDX-License-Identifier: Apache-2.0
// What users notice. 500 requests a second while a healthy version is released, with each strategy:
// fewer than 0.1 % may be lost. And the way back from 50 %: one patch, before anything is scaled.
#include <cstdio>

#include "agent/base/text.h"
#include "tests/simulation/harness/simulation.h"
#include "tests/support/catch.h"

namespace rollguard::simulation {
namespace {

Plan Healthy(const Setup& setup) {
  Plan plan;
  plan.seed = 500;
  plan.setup = &setup;
  plan.replicas = 4;
  plan.versions["v2"] = Quality::kGood;
  plan.guard_extra = "  bake: 20s\n  rollback:\n    verify: {for: 10s}\n";
  return plan;
}

TEST_CASE("downtime: a healthy version loses fewer than one request in a thousand") {
  std::printf("%-40s %10s %6s %9s %8s\n", "strategy", "requests", "lost", "share", "seconds");
  for (const Setup& setup : Setups()) {
    INFO(setup.name);
    Simulation simulation(Healthy(setup));
    REQUIRE(simulation.SetUp());
    const sim::TrafficTotals before = simulation.world().traffic().Total();
    const Time began = simulation.world().scheduler().Now();
    simulation.Happen({.kind = Event::Kind::kRelease, .version = "v2"});
    const bool promoted = simulation.RunUntil(
        [&] {
          const auto& state = simulation.checker().state();
          return state && !state->release && state->last && state->last->outcome == "promoted";
        },
        minutes(30));
    CHECK(promoted);
    const double took = ToSeconds(simulation.world().scheduler().Now() - began);
    simulation.RunFor(seconds(60));
    const sim::TrafficTotals after = simulation.world().traffic().Total();
    const double requests = after.requests - before.requests, lost = after.lost - before.lost;
    std::printf("%-40s %10.0f %6.0f %8.4f%% %8.0f\n", setup.name.c_str(), requests, lost,
                100 * lost / requests, took);
    if (setup.lossless) CHECK(lost < requests * 0.001);
    CHECK(simulation.checker().StableImage() == ImageOf("v2"));
    CHECK(simulation.checker().violations() == std::vector<std::string>{});
  }
}

bool IsRoute(const std::string& write) {
  for (const char* kind : {"VirtualService", "HTTPRoute", "Ingress", "TraefikService", "HTTPProxy",
                           "ApisixRoute", "TrafficSplit", "Splitter"}) {
    if (write.find(kind) != std::string::npos) return true;
  }
  return false;
}

TEST_CASE("rollback: half of the traffic goes back in one patch, before anything is scaled") {
  for (const Setup& setup : Setups()) {
    if (!setup.name.starts_with("canary") || setup.replica_ratio() ||
        setup.name.find("header") != std::string::npos || setup.name == "canary service") {
      continue;
    }
    INFO(setup.name);
    Plan plan = Healthy(setup);
    Simulation simulation(plan);
    REQUIRE(simulation.SetUp());
    simulation.Happen({.kind = Event::Kind::kRelease, .version = "v2"});
    const std::string image = ImageOf("v2");
    REQUIRE(simulation.RunUntil([&] { return simulation.checker().picture().Share(image) > 0.49; },
                                minutes(10)));
    simulation.RunFor(seconds(5));
    const size_t already = simulation.written().size();
    CHECK(simulation.Say(release::Command::Verb::kAbort).accepted);
    simulation.RunFor(seconds(3));
    std::vector<std::string> writes(
        simulation.written().begin() + static_cast<std::ptrdiff_t>(already),
        simulation.written().end());
    INFO(Join(writes, "\n"));
    REQUIRE(writes.size() == 1);
    CHECK(IsRoute(writes[0]));
    CHECK(simulation.checker().picture().Share(image) == 0);
    CHECK(simulation.checker().violations() == std::vector<std::string>{});
  }
}

}  // namespace
}  // namespace rollguard::simulation
