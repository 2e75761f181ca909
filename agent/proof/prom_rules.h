// SPDX-License-Identifier: Apache-2.0
// Rule files for rule tests: Prometheus' own groups of recording and alerting rules beside ours.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/promql/ast.h"
#include "agent/spec/load.h"
#include "agent/spec/values.h"
#include "agent/yaml/yaml.h"

namespace rollguard::proof {

struct PromRule {
  std::string name;     // the recorded metric or the alert
  bool alert = false;   // else it records
  promql::Query query;  // parsed and checked
  std::string expr;     // as written
  Duration hold{0};     // `for`
  Duration keep_firing_for{0};
  spec::StringMap labels;
  spec::StringMap annotations;
  SourceSpan span;
};

struct PromRuleGroup {
  std::string name;
  std::string file;
  std::vector<PromRule> rules;
};

struct TestedRules {
  std::vector<PromRuleGroup> groups;
  spec::Library library;  // our groups, and whatever else of ours the files hold
};

// Every problem is reported under `file`. A group may hold Prometheus' rules or ours (`rollback`,
// `pause`, `observe`), not both: ours are judged with a release.
void LoadRuleFile(std::string_view file, std::string_view text, TestedRules& rules,
                  Diagnostics& diagnostics);

// Our rule of that name; nullptr when there is none.
const spec::Rule* FindRule(const spec::Library& library, std::string_view name);

// "5m", "1h30m", "0": Prometheus' durations. Reports at `at` when it is none.
bool ReadPromDuration(std::string_view file, const std::string& text, SourceSpan at,
                      std::string_view key, Duration& out, Diagnostics& diagnostics);

// The expression in a YAML scalar, problems reported inside it. Empty when there are some.
promql::Query ReadPromExpr(std::string_view file, const yaml::Node& node, Diagnostics& diagnostics);

}  // namespace rollguard::proof
