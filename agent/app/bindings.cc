// SPDX-License-Identifier: Apache-2.0
#include "agent/app/bindings.h"

#include "agent/base/text.h"
#include "agent/promql/parser.h"
#include "agent/promql/printer.h"

namespace rollguard::app {

Expected<std::string> BindQuery(const std::string& query, const promql::Bindings& values) {
  return BindQuery(promql::Parse(query, {.variables = true}), query, values);
}

Expected<std::string> BindQuery(const promql::ParseResult& parsed, std::string_view text,
                                const promql::Bindings& values) {
  if (!parsed.ok()) return Error(ErrorCode::kInvalid, promql::ToString(parsed.errors[0]));
  promql::ParseResult bound = promql::Bind(parsed.query, text, values);
  if (!bound.ok()) return Error(ErrorCode::kInvalid, promql::ToString(bound.errors[0]));
  return promql::Print(bound.query);
}

promql::Bindings GuardBindings(const spec::Guard& guard, const release::GuardState& state) {
  auto text = [](const std::string& value) { return promql::VariableValue::Text(value); };
  promql::Bindings vars;
  for (const auto& [name, value] : guard.vars) vars[name] = text(value);
  vars["namespace"] = text(guard.metadata.ns);
  vars["workload"] = text(guard.target.name);
  vars["service"] = text(guard.service.empty() ? guard.target.name : guard.service);
  vars["guard"] = text(guard.metadata.name);
  vars["revision"] = text(state.release ? state.release->candidate : state.stable);
  return vars;
}

namespace {

// Flagger keeps stable in a second Deployment, `NAME-primary`. Names of the other one's pods have
// two more parts only.
std::string FlaggerPods(const release::Observation& observation, const std::string& revision) {
  const Json* canary = observation.target.object;
  if (canary == nullptr) return {};
  const std::string name = canary->At("spec", "targetRef", "name").Str();
  if (name.empty()) return {};
  return canary->At("status", "lastPromotedSpec").Str() == revision
             ? StrCat(name, "-primary-.*")
             : StrCat(name, "-[a-z0-9]+-[a-z0-9]+");
}

}  // namespace

std::string PodPattern(const spec::Guard& guard, const release::Observation& observation,
                       const std::string& revision) {
  const std::string& kind = guard.target.kind;
  if (kind == "Canary") return FlaggerPods(observation, revision);
  const bool named = kind == "Deployment" || kind == "Rollout";  // pods carry the hash
  std::string found;
  auto add = [&](const std::string& workload, const release::WorkloadView& in) {
    const release::RevisionView* view = in.Find(revision);
    if (view == nullptr || view->pod_hash.empty()) return;
    if (!found.empty()) found += "|";
    found += named ? StrCat(workload, "-", view->pod_hash, "-.*") : Join(view->pods, "|");
  };
  if (observation.candidate.exists) add(release::CandidateName(guard), observation.candidate);
  add(guard.target.name, observation.target);
  return found;
}

promql::VariableValue PodsValue(const std::string& pattern) {
  return pattern.empty() ? promql::VariableValue::Alternatives({})
                         : promql::VariableValue::Pattern(pattern);
}

}  // namespace rollguard::app
