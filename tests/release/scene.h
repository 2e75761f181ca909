// SPDX-License-Identifier: Apache-2.0
// One checkout service behind Istio in the simulated cluster, and a guard over it.
#pragma once

#include <algorithm>
#include <string>

#include "agent/base/text.h"
#include "tests/release/drive.h"
#include "tests/support/catch.h"

namespace rollguard::testing {

inline std::string GuardWith(const std::string& strategy, const std::string& rest = "") {
  return StrCat(
      "apiVersion: rollguard.dev/v1alpha1\nkind: Guard\n"
      "metadata: {name: checkout, namespace: shop}\nspec:\n"
      "  target: {apiVersion: apps/v1, kind: Deployment, name: checkout}\n  strategy:\n    ",
      strategy, "\n  bake: 10s\n",
      rest.empty() ? "  rollback: {verify: {for: 10s}, cooldown: 0s}\n" : rest);
}

inline std::string CanaryWith(const std::string& steps, const std::string& more = "") {
  return StrCat("canary: {stableService: checkout, routing: [{istio: {virtualService: checkout, ",
                "destinationRule: {name: checkout}}}], steps: [", steps, "]", more, "}");
}

struct Scene : Drive {
  explicit Scene(const std::string& yaml, uint64_t seed = 5) : Drive(yaml, seed) {
    Load(DeploymentJson("checkout", 4, "shop/checkout:v1"));
    Load(ServiceJson("checkout"));
    Load(R"({"apiVersion":"networking.istio.io/v1beta1","kind":"VirtualService","metadata":
      {"name":"checkout","namespace":"shop"},"spec":{"hosts":["checkout"],"http":[{"route":[
      {"destination":{"host":"checkout"}}]}]}})");
    Load(R"({"apiVersion":"networking.istio.io/v1beta1","kind":"DestinationRule","metadata":
      {"name":"checkout","namespace":"shop"},"spec":{"host":"checkout"}})");
    world.scheduler().RunFor(std::chrono::seconds(30));
    Run(std::chrono::seconds(5));
    REQUIRE(state.phase == release::Phase::kIdle);
  }
  bool Weight(int64_t weight, Duration limit = std::chrono::minutes(5)) {
    return RunUntil([&] { return state.release && state.release->weight == weight; }, limit);
  }
  bool Outcome(const char* outcome, Duration limit = std::chrono::minutes(15)) {
    const bool ok = RunUntil(
        [&] {
          return state.phase == release::Phase::kIdle && state.last &&
                 state.last->outcome == outcome;
        },
        limit);
    Run(std::chrono::seconds(20));
    return ok;
  }
  bool Told(const char* event) { return std::count(told.begin(), told.end(), event) > 0; }
  void CheckSound() {
    INFO(Join(trace, "\n"));
    CHECK(violations == std::vector<std::string>{});
    CHECK(Quiet() == 0);
    CHECK(release::ToJson(state).Dump().size() < 64 * 1024);
  }
};

inline release::Signal Make(const char* name, spec::TriggerAction action,
                            spec::RuleSeverity severity) {
  release::Signal signal;
  signal.name = name;
  signal.state = release::Signal::State::kFiring;
  signal.action = action;
  signal.severity = severity;
  signal.reason = StrCat(name, " is firing");
  return signal;
}

}  // namespace rollguard::testing
