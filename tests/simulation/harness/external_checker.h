// SPDX-License-Identifier: Apache-2.0
// What must hold of a workload that another controller carries.
//
//   foreign  the agent writes nothing but the words that controller understands
//   record   each of them follows from a state that is durable
//   abort    once the way back is durable nothing is told to go on, and Flagger hears of it
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/release/step.h"
#include "agent/sim/world.h"
#include "tests/simulation/harness/plan.h"

namespace rollguard::simulation {

class ExternalChecker {
 public:
  using Violated = std::function<void(const std::string& rule, const std::string& what)>;
  using State = std::optional<release::GuardState>;
  ExternalChecker(sim::World& world, const Plan& plan, Violated violated)
      : world_(world), plan_(plan), violated_(std::move(violated)) {}

  void OnChange(const sim::Change& change);
  void AfterEvent() { before_.reset(); }
  void OnState(const State& before, const release::GuardState& now);
  // An agent's write was served: `change` is the last one of the Rollout, in the same event.
  void Wrote(const ClusterRequest& request, const State& state);
  // Flagger was answered.
  void Answered(release::FlaggerHook hook, bool yes, const State& state);
  void AtRest(const State& state);

 private:
  Time Now() const { return world_.scheduler().Now(); }
  // Long enough for whoever decided on what was durable before to have finished.
  bool Settled() const;
  void CheckForeign(const Json& before, const Json& after);
  void CheckWord(const Json& before, const Json& after, const release::GuardState& state);

  sim::World& world_;
  const Plan& plan_;
  Violated violated_;
  sim::ObjectPtr before_, after_;  // of the last change of the Rollout
  Time changed_{};                 // the durable state, in what may be said to a Rollout
};

}  // namespace rollguard::simulation
