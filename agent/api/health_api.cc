// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "agent/api/openapi.h"
#include "agent/api/service.h"
#include "agent/base/text.h"

namespace rollguard::api {
namespace {

// Verbs a page asks for, to show only buttons that would work.
constexpr const char* kVerbs[] = {"get",   "list",    "watch",    "promote", "pause",  "resume",
                                  "abort", "approve", "rollback", "retry",   "release", "update"};

bool IsReleasing(const std::string& state) {
  return state == "releasing" || state == "paused" || state == "baking" || state == "promoting" ||
         state == "rollingBack" || state == "verifying" || state == "waiting" || state == "held";
}

bool RolledBackSince(const Json& row, Time since) {
  if (row.At("last", "outcome").Str() != "rolledBack") return false;
  auto at = ParseRfc3339(row.At("last", "at").Str());
  return at.ok() && *at >= since;
}

}  // namespace

http::Response Service::GetHealth(Call&) { return Ok(Json::Obj({{"status", "ok"}})); }

http::Response Service::GetReady(Call&) {
  std::string why = parts_.not_ready ? parts_.not_ready() : "";
  if (!why.empty()) return Fail({ErrorCode::kUnavailable, why});
  return Ok(Json::Obj({{"status", "ok"}}));
}

http::Response Service::GetDeepHealth(Call&) {
  Json checks = Json::Arr();
  bool failing = false, degraded = false;
  auto all = parts_.dependencies ? parts_.dependencies() : std::vector<DependencyHealth>{};
  for (const DependencyHealth& d : all) {
    failing = failing || (!d.ok && d.required);
    degraded = degraded || !d.ok;
    checks.Push(Json::Obj({{"name", d.name},
                           {"ok", d.ok},
                           {"required", d.required},
                           {"detail", d.detail},
                           {"latencySeconds", ToSeconds(d.latency)}}));
  }
  const char* status = failing ? "failing" : degraded ? "degraded" : "ok";
  return Ok(Json::Obj({{"status", status}, {"checks", std::move(checks)}}), failing ? 503 : 200);
}

http::Response Service::GetFleet(Call& call) {
  auto sight = SightOf(call);
  if (!sight) return Fail(sight.error());
  auto rows = ReadFleet();
  if (!rows) return Fail(rows.error());
  std::map<std::string, int64_t> by_state;
  int64_t guards = 0, releasing = 0, back = 0, blind = 0, ready = 0;
  Time day_ago = parts_.clock->Now() - std::chrono::hours(24);
  for (const FleetRow& row : **rows) {
    if (!sight->Sees(row.id)) continue;
    std::string state = row.row.At("state").Str();
    ++by_state[state];
    ++guards;
    releasing += IsReleasing(state) ? 1 : 0;
    back += RolledBackSince(row.row, day_ago) ? 1 : 0;
    blind += row.row.At("blind").BoolOr(false) ? 1 : 0;
    ready += row.row.At("rollbackReady").BoolOr(false) ? 1 : 0;
  }
  Json states = Json::Obj();
  for (const auto& [state, count] : by_state) states.Set(state, count);
  std::string why = parts_.not_ready ? parts_.not_ready() : "";
  Json out = Json::Obj({{"cluster", parts_.cluster_name},
                        {"version", parts_.version},
                        {"now", FormatRfc3339(parts_.clock->Now())},
                        {"ready", why.empty()},
                        {"guards", guards},
                        {"releasing", releasing},
                        {"waiting", by_state["waiting"]},
                        {"rolledBackToday", back},
                        {"stable", by_state["stable"]},
                        {"blind", blind},
                        {"problems", by_state["problem"]},
                        {"readyToRollBack", ready},
                        {"byState", std::move(states)}});
  if (!why.empty()) out.Set("notReady", why);
  return Ok(out);
}

http::Response Service::GetMetrics(Call&) {
  if (parts_.metrics) return parts_.metrics();
  return NotFound("this agent keeps no metrics");
}

http::Response Service::GetOpenApi(Call&) { return Ok(OpenApiDocument(parts_.version)); }

http::Response Service::GetWhoami(Call& call) {
  Json groups = Json::Arr(), verbs = Json::Obj();
  for (const std::string& group : call.caller.groups) groups.Push(group);
  std::string ns = call.Query("namespace").value_or("");
  for (const char* verb : kVerbs) {
    Status allowed = parts_.identity->Allow(call.caller, {verb, ns, ""});
    if (!allowed && allowed.error().code == ErrorCode::kUnavailable) return Fail(allowed.error());
    verbs.Set(verb, allowed.ok());
  }
  return Ok(Json::Obj({{"name", call.caller.name},
                       {"kind", ToString(call.caller.kind)},
                       {"groups", std::move(groups)},
                       {"verbs", std::move(verbs)}}));
}

}  // namespace rollguard::api
