// SPDX-License-Identifier: Apache-2.0
// One release judged on given samples: the agent's own controller, sensors and Step release a
// candidate in a simulated cluster under virtual time, while every question is answered from a
// store. What tests of decisions and backtests run.
//
// No users and no metrics are simulated: the samples say how candidate and stable did.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/alerts/alert.h"
#include "agent/app/rule_sensor.h"
#include "agent/promql/engine.h"
#include "agent/release/decision.h"
#include "agent/spec/load.h"

namespace rollguard::proof {

struct TrialOptions {
  // Resolved; see trial_guard.h for one made for the occasion.
  const spec::Guard* guard = nullptr;
  const spec::Library* library = nullptr;  // what the guard refers to
  const promql::Querier* samples = nullptr;
  promql::EngineOptions engine;
  Time begin{};  // when the new template appears, on the samples' clock
  // Patterns of the pods in the samples.
  std::string candidate_pods;
  std::string stable_pods;
  uint64_t seed = 1;
};

// One evaluation of one rule.
struct RuleLook {
  Time at{};  // on the samples' clock
  std::string group;
  std::string rule;
  spec::TriggerAction action = spec::TriggerAction::kRollback;
  spec::RuleSeverity severity = spec::RuleSeverity::kCritical;
  analysis::RulePhase phase = analysis::RulePhase::kInactive;
  bool compares = false;
  double value = 0;                 // the worst sample, or the evidence of a comparison; NaN: none
  std::optional<double> threshold;  // or 1/alpha
  std::string text;                 // in one line
};

// How the release stands.
struct TrialView {
  // "rollback", "pause", "hold", "promote", "reject", "observe", "none".
  std::string action = "none";
  std::vector<std::string> causes;  // names of the rules and alerts behind it
  std::string phase;
  int64_t weight = 0;
  std::string reason;
};

class Trial {
 public:
  // The cluster is up and the guard at rest a while before `begin`; nothing of the release has
  // happened. What the options point to must outlive the trial.
  static Expected<std::unique_ptr<Trial>> Start(const TrialOptions& options);
  ~Trial();

  // Runs everything up to that time on the samples' clock. Times must grow.
  void RunUntil(Time at);
  // The same, but ends as soon as the release is taken back, refused or promoted.
  void RunUntilDecided(Time at);
  // An alert arrives now; its times are on the samples' clock.
  void Receive(alerts::Alert alert);

  TrialView View() const;
  // In order, times on the samples' clock.
  const std::vector<release::Decision>& decisions() const;
  const std::vector<RuleLook>& looks() const;
  // Every rule as it stands; borrowed until the trial goes on.
  std::vector<app::RuleReading> Readings() const;

 private:
  struct Impl;
  explicit Trial(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rollguard::proof
