// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/trial_guard.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "agent/base/text.h"

namespace rollguard::proof {
namespace {

// Stays where it is for longer than any trial.
Json Mesh(const std::string& service) {
  Json istio = Json::Obj({{"virtualService", service},
                          {"routes", Json::Arr({"primary"})},
                          {"destinationRule", Json::Obj({{"name", service}})}});
  return Json::Arr({Json::Obj({{"istio", std::move(istio)}})});
}

bool Simulated(const Json& routing) {
  constexpr std::string_view kRouters[] = {"istio", "gatewayApi", "nginx", "service", "replicas"};
  for (const Json& router : routing.items()) {
    bool known = std::any_of(std::begin(kRouters), std::end(kRouters),
                             [&](std::string_view name) { return router.Find(name) != nullptr; });
    if (!known) return false;
  }
  return true;
}

Json Canary(const std::string& service) {
  Json steps = Json::Arr({Json::Obj({{"setWeight", 25}}),
                          Json::Obj({{"pause", Json::Obj({{"duration", "87600h"}})}})});
  return Json::Obj({{"canary", Json::Obj({{"stableService", service},
                                          {"routing", Mesh(service)},
                                          {"steps", std::move(steps)}})}});
}

Json RuleNames(const std::vector<std::string>& groups, const spec::Library& library) {
  Json rules = Json::Arr();
  std::set<std::string> seen;
  for (const spec::RuleGroup& group : library.groups) {
    bool wanted =
        groups.empty() || std::find(groups.begin(), groups.end(), group.name) != groups.end();
    if (wanted && seen.insert(group.name).second) rules.Push(group.name);
  }
  return rules;
}

Expected<spec::Guard> Parse(const spec::Metadata& metadata, Json spec,
                            const spec::Library& library) {
  Json meta = Json::Obj(
      {{"name", metadata.name}, {"namespace", metadata.ns.empty() ? "default" : metadata.ns}});
  for (const auto& [name, value] : metadata.labels) meta["labels"].Set(name, value);
  for (const auto& [name, value] : metadata.annotations) meta["annotations"].Set(name, value);
  Json object = Json::Obj({{"apiVersion", spec::kApiVersion},
                           {"kind", "Guard"},
                           {"metadata", std::move(meta)},
                           {"spec", std::move(spec)}});
  auto guard = spec::ParseGuard(object);
  if (!guard) return guard.error();
  Diagnostics problems;
  auto resolved = spec::Resolve(*guard, library, problems);
  if (!resolved)
    return Error(ErrorCode::kInvalid, problems.has_errors() ? problems.Sorted()[0].message
                                                            : "the guard cannot be resolved");
  return std::move(*resolved);
}

Json Target(const std::string& workload) {
  return Json::Obj({{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", workload}});
}

}  // namespace

Expected<spec::Guard> MakeTrialGuard(const TrialTarget& target, const spec::Library& library) {
  std::string service = target.service.empty() ? target.workload : target.service;
  Json vars = Json::Obj();
  for (const auto& [name, value] : target.vars) vars.Set(name, value);
  Json alert =
      Json::Obj({{"matchers", Json::Arr({R"(severity="critical")"})}, {"action", "rollback"}});
  Json spec = Json::Obj({{"target", Target(target.workload)},
                         {"service", service},
                         {"strategy", Canary(service)},
                         {"vars", std::move(vars)},
                         {"rollback", Json::Obj({{"rules", RuleNames({}, library)},
                                                 {"alerts", Json::Arr({std::move(alert)})}})}});
  spec::Metadata metadata;
  metadata.name = target.workload;
  metadata.ns = target.ns;
  return Parse(metadata, std::move(spec), library);
}

Expected<spec::Guard> GuardWith(const spec::Guard& guard, const spec::StringMap& vars,
                                const spec::Library& library) {
  Json spec = yaml::ToJson(guard.raw);
  for (const auto& [name, value] : vars) spec["vars"].Set(name, value);
  for (const char* strategy : {"canary", "abTest", "mirror"}) {
    const Json* routing = spec.At("strategy", strategy).Find("routing");
    if (routing == nullptr || Simulated(*routing)) continue;
    std::string service = guard.service.empty() ? guard.target.name : guard.service;
    spec["strategy"][strategy].Set("routing", Mesh(service));
  }
  return Parse(guard.metadata, std::move(spec), library);
}

Expected<spec::Guard> TrialGuardOf(const spec::Guard& guard, const spec::StringMap& vars,
                                   const std::vector<std::string>& groups,
                                   const spec::Library& library) {
  Json written = yaml::ToJson(guard.raw);
  Json spec = Json::Obj();
  for (const char* key :
       {"service", "policy", "environment", "rollback", "confidence", "noData", "blind", "vars"}) {
    if (const Json* value = written.Find(key)) spec.Set(key, *value);
  }
  std::string service = guard.service.empty() ? guard.target.name : guard.service;
  spec.Set("target", Target(guard.target.name)).Set("service", service);
  spec.Set("strategy", Canary(service));
  for (const auto& [name, value] : vars) spec["vars"].Set(name, value);
  if (!spec.At("rollback").is_object()) spec.Set("rollback", Json::Obj());
  // Nobody is there to approve, and each release of the past stands for itself.
  spec["rollback"].Set("onTrigger", "immediate");
  if (!groups.empty()) spec["rollback"].Set("rules", RuleNames(groups, library));
  return Parse(guard.metadata, std::move(spec), library);
}

}  // namespace rollguard::proof
