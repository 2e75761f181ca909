// SPDX-License-Identifier: Apache-2.0
// Recording and alerting rules run over a sample store in virtual time, as Prometheus' rule manager
// runs them: in order, results appended at the evaluation's time, stale markers for what vanished,
// alerts pending and firing by labels.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/base/expected.h"
#include "agent/promql/engine.h"
#include "agent/promql/storage.h"
#include "agent/proof/prom_rules.h"

namespace rollguard::proof {

struct FiringAlert {
  promql::Labels labels;
  spec::StringMap annotations;
  double value = 0;
};

// Not thread-safe. Groups and store must outlive it.
class RuleEvaluator {
 public:
  RuleEvaluator(const std::vector<PromRuleGroup>& groups, promql::MemoryStore& store,
                promql::EngineOptions options, spec::StringMap external_labels);

  // One round at `t`; times must grow. Errors of rules are kept (see errors()), the others go on.
  void Evaluate(Time t);

  // The alerts of that name that fire since the last round, of one group when it is named.
  std::vector<FiringAlert> Firing(std::string_view alert, std::string_view group = {}) const;

  // The alerting rules of that name.
  std::vector<const PromRule*> Find(std::string_view alert) const;

  // "file:line: message" of rules that failed, each once.
  const std::vector<std::string>& errors() const { return errors_; }

 private:
  struct Active {
    FiringAlert alert;
    bool firing = false;
    promql::Millis since = 0;
    std::optional<promql::Millis> keep_since;
  };
  struct Running {
    const PromRuleGroup* group = nullptr;
    const PromRule* rule = nullptr;
    std::map<promql::Labels, Active> active;
    std::unordered_map<promql::Labels, bool, promql::LabelsHash> written;  // by the last round
  };

  void EvaluateRule(Running& running, promql::Millis t);
  promql::Vector Record(const PromRule& rule, const promql::Vector& result);
  promql::Vector StepAlerts(Running& running, const promql::Vector& result, promql::Millis t);
  // For an alert whose condition no longer holds.
  static bool KeepsFiring(const PromRule& rule, Active& active, promql::Millis t);
  FiringAlert MakeAlert(const PromRule& rule, const promql::Sample& sample) const;
  void Write(Running& running, const promql::Vector& samples, promql::Millis t);
  void Fail(const Running& running, const std::string& message);

  promql::MemoryStore& store_;
  promql::EngineOptions options_;
  spec::StringMap external_labels_;
  std::vector<Running> running_;
  std::vector<std::string> errors_;
};

}  // namespace rollguard::proof
