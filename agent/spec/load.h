// SPDX-License-Identifier: Apache-2.0
// From text or API objects to typed specs. One code path for both: files come as trees with
// positions, API objects as the same trees without. Every problem is reported, never the first
// only.
//
// Which kind a document is, is told by its `kind` (Guard, RollbackRules, RollbackPolicy,
// ReleaseStrategy, StrategyMatrix, AnalysisTemplate, ClusterAnalysisTemplate, AgentConfig, List)
// or, for rule files, by `groups`. Files with `tests` or `rule_files` are unit tests: they are left
// to `rollguard test` and only their keys are looked at.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/json.h"
#include "agent/spec/agent_config.h"
#include "agent/spec/analysis_template.h"
#include "agent/spec/guard.h"
#include "agent/spec/policy.h"
#include "agent/spec/rules.h"
#include "agent/spec/strategy.h"

namespace rollguard::spec {

// Everything that was read. The order is the order of reading.
struct Library {
  std::vector<Guard> guards;
  std::vector<RuleGroup> groups;
  std::vector<AnalysisTemplate> templates;
  std::vector<RollbackPolicy> policies;
  std::vector<ReleaseStrategy> strategies;
  std::vector<StrategyMatrix> matrices;
  std::vector<AgentConfig> configs;
  bool left_out = false;  // a document had errors: missing references prove nothing

  const RuleGroup* FindGroup(std::string_view name, std::string_view ns) const;
  const AnalysisTemplate* FindTemplate(std::string_view name, bool cluster_scope,
                                       std::string_view ns) const;
  const RollbackPolicy* FindPolicy(std::string_view name) const;
  const ReleaseStrategy* FindStrategy(std::string_view name) const;
};

// All documents of a YAML or JSON text. A document with errors is left out of `library`.
void LoadText(std::string_view file, std::string_view text, Library& library,
              Diagnostics& diagnostics);
// One document.
void LoadNode(std::string_view file, const yaml::Node& root, Library& library,
              Diagnostics& diagnostics);
// One API object; problems name "Kind namespace/name" as their file.
void LoadObject(const Json& object, Library& library, Diagnostics& diagnostics);

// What no single document can show: duplicate names, references to groups, templates, policies and
// strategies that are not there (when `complete`, that is when the library is all there is; else
// only where a name looks like a slip of the hand), cycles of nested templates, variables and
// arguments nobody defines.
void CheckLibrary(const Library& library, bool complete, Diagnostics& diagnostics);

// The guard with its policy, environment and named strategy merged in. The result is what the
// engine works with. Problems are reported at the guard's origin.
std::optional<Guard> Resolve(const Guard& guard, const Library& library, Diagnostics& diagnostics);

// Shorthands for one object: the value, or the first error's text as an Error (kInvalid).
Expected<Guard> ParseGuard(const Json& object);
Expected<std::vector<RuleGroup>> ParseRollbackRules(const Json& object);
Expected<AnalysisTemplate> ParseAnalysisTemplate(const Json& object);
Expected<AgentConfig> ParseAgentConfig(std::string_view file, std::string_view text);

}  // namespace rollguard::spec
