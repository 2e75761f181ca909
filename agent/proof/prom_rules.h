// SPDX-License-Identifier: Apache-2.0
// Prometheus' own rule files: groups of recording and alerting rules, for rule tests.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/promql/ast.h"
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

// Every problem is reported under `file`; groups without errors are appended to `groups`.
// Rollguard's own rules (`rollback`, `pause`, `observe`) are passed over: they are judged with a
// release.
void LoadPromRules(std::string_view file, std::string_view text, std::vector<PromRuleGroup>& groups,
                   Diagnostics& diagnostics);

// "5m", "1h30m", "0": Prometheus' durations. Reports at `at` when it is none.
bool ReadPromDuration(std::string_view file, const std::string& text, SourceSpan at,
                      std::string_view key, Duration& out, Diagnostics& diagnostics);

// The expression in a YAML scalar, problems reported inside it. Empty when there are some.
promql::Query ReadPromExpr(std::string_view file, const yaml::Node& node, Diagnostics& diagnostics);

}  // namespace rollguard::proof
