// SPDX-License-Identifier: Apache-2.0
// What must hold of hooks, configuration, freezes and approvals.
//
//   hook      each Job is made once for its release, and those of how it ended have run
//   frozen    nothing begins and no step is taken in a freeze
//   approval  nothing is changed while a rollback waits for people; no step goes past one
//   config    at rest ConfigMap and Secret are, to the byte, those of the stable version
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "agent/release/state.h"
#include "agent/sim/world.h"
#include "tests/simulation/harness/plan.h"

namespace rollguard::simulation {

class BesidesChecker {
 public:
  using Violated = std::function<void(const std::string& rule, const std::string& what)>;
  BesidesChecker(sim::World& world, const Plan& plan, Violated violated)
      : world_(world), plan_(plan), violated_(std::move(violated)) {}

  void OnJob(const sim::Change& change);
  // The durable status changed.
  void OnState(const std::optional<release::GuardState>& before, const release::GuardState& now);
  void Began(const release::Decision& start);
  // An agent changed the cluster.
  void Wrote(const std::string& what, const std::optional<release::GuardState>& state);
  void PersonSpoke() { spoken_ = true; }
  void AtRest(const release::GuardState& state, const std::string& stable_image);

 private:
  Time Now() const { return world_.scheduler().Now(); }
  // Long enough for whoever decided before it to have finished.
  bool Frozen(Time at, Duration late) const;
  void CheckHooks(const release::LastOutcome& last);
  void CheckConfigs(const std::string& version);

  sim::World& world_;
  const Plan& plan_;
  Violated violated_;
  const Time began_ = world_.scheduler().Now();
  std::map<std::string, int> jobs_;  // names -> times made
  std::optional<Time> awaiting_since_;
  bool spoken_ = false;
};

}  // namespace rollguard::simulation
