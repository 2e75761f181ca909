// SPDX-License-Identifier: Apache-2.0
// The release part of a rule test: which guard, which release, and whether the agent decides as
// expected. Private to agent/proof.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/promql/engine.h"
#include "agent/proof/prom_rules.h"
#include "agent/proof/rule_test.h"

namespace rollguard::proof {

// Who plays: found before anything is run, so that every problem is said at once.
struct TrialCast {
  bool needed = false;
  spec::Library library;  // the rule files' and the guard file's
  std::optional<spec::Guard> guard;
  Duration at{0};
  std::string candidate_pods;
  std::string stable_pods;
};

// Without a guard's file a guard is made up: all rules of the rule files, and a namespace, workload
// and service that the test names, or that the series name without contradiction.
TrialCast CastTrial(const RuleTestFile& file, const RuleTestGroup& group,
                    const spec::Library& library, const RuleFiles& files, Diagnostics& diagnostics,
                    std::vector<std::pair<std::string, std::string>>& texts);

struct DecisionInputs {
  const RuleTestFile& file;
  const RuleTestGroup& group;
  const TrialCast& cast;
  const promql::MemoryStore& store;  // the series of the test and what its rules recorded
  const promql::EngineOptions& engine;
};

void RunDecisionTests(const DecisionInputs& in, RuleTestReport& report, Diagnostics& diagnostics);

}  // namespace rollguard::proof
