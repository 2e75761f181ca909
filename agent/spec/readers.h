// SPDX-License-Identifier: Apache-2.0
// The reading functions of agent/spec, one per thing that can be written. Private to the folder.
// Each describes or reads, as its Object says (reader.h), and leaves defaults where nothing stands.
#pragma once

#include "agent/spec/agent_config.h"
#include "agent/spec/analysis_template.h"
#include "agent/spec/guard.h"
#include "agent/spec/policy.h"
#include "agent/spec/reader.h"
#include "agent/spec/rules.h"
#include "agent/spec/strategy.h"

namespace rollguard::spec {

void ReadRouting(Object& o, std::vector<Routing>& out);
void ReadAnalysisRef(Object& o, AnalysisRef& out);
void ReadTemplateRefs(Object& o, std::vector<TemplateRef>& out);
void ReadArguments(Object& o, std::vector<ArgumentValue>& out, bool declared);
void ReadDryRun(Object& o, std::vector<std::string>& dry_run,
                std::vector<MeasurementRetention>& retention);
void ReadApproval(Object& o, Approval& out);
void ReadHooks(Object& o, std::string_view key, std::vector<Hook>& out,
               std::string_view description);
void ReadHook(Object& o, Hook& out);
void ReadRequestMatches(Object& o, std::vector<RequestMatch>& out, std::string_view description);
void ReadSteps(Object& o, std::vector<Step>& out);
void ReadPhases(Object& o, std::vector<Step>& out);
void ReadStepWeights(Object& o, std::vector<Step>& out);
// `rolling`, `canary`, ... under the given object.
void ReadStrategy(Object& o, Strategy& out, StrategyRef& ref);
void ReadHealth(Object& o, HealthSpec& out);
void ReadMetadata(Context& context, const yaml::Node& root, Metadata& out, bool needs_namespace);
// The keys a policy and a guard share: rollback, confidence, noData, blind, health, bake,
// progressDeadline, rollbackWindow, vars.
void ReadPolicyKeys(Object& o, Guard& out);
void ReadGuardSpec(Object& o, Guard& out);
// What fits together and what does not, once everything is read.
void CheckGuard(Context& context, const Guard& guard);

void ReadRuleGroups(Object& o, std::vector<RuleGroup>& out);
void ReadMetric(Object& o, Metric& out);
void ReadAnalysisTemplate(Object& o, AnalysisTemplate& out);
void ReadAgentConfig(Object& o, AgentConfig& out);
void ReadRollbackPolicy(Object& o, RollbackPolicy& out);
void ReadReleaseStrategy(Object& o, ReleaseStrategy& out);
void ReadStrategyMatrix(Object& o, StrategyMatrix& out);

inline constexpr std::pair<std::string_view, NoData> kNoDataWords[] = {
    {"hold", NoData::kHold}, {"pass", NoData::kPass}, {"fail", NoData::kFail}};
inline constexpr std::pair<std::string_view, TriggerAction> kActionWords[] = {
    {"rollback", TriggerAction::kRollback},
    {"pause", TriggerAction::kPause},
    {"observe", TriggerAction::kObserve}};
inline constexpr std::pair<std::string_view, RuleSeverity> kSeverityWords[] = {
    {"critical", RuleSeverity::kCritical},
    {"high", RuleSeverity::kHigh},
    {"medium", RuleSeverity::kMedium},
    {"low", RuleSeverity::kLow}};

}  // namespace rollguard::spec
