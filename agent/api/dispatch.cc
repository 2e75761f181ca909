// SPDX-License-Identifier: Apache-2.0
// What stands before every handler, in this order: rate, cross-site, who, may they, parameters,
// body. What follows it: the audit of calls that change something, the ETag of those that do not.
#include <algorithm>

#include "agent/api/schema.h"
#include "agent/api/service.h"
#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/http/router.h"

namespace rollguard::api {
namespace {

constexpr size_t kMaxReason = 1000;

// A page of another site can make a browser send requests (with its client certificate, even), but
// it cannot hide that it does.
bool IsCrossSite(const http::Request& request) {
  std::string_view site = request.Header("sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none") return true;
  std::string_view origin = request.Header("origin");
  if (origin.empty()) return false;
  size_t scheme = origin.find("://");
  return scheme == std::string_view::npos || origin.substr(scheme + 3) != request.Header("host");
}

bool IsJson(std::string_view content_type) {
  return EqualsIgnoreCase(Trim(content_type.substr(0, content_type.find(';'))), "application/json");
}

bool Matches(std::string_view if_none_match, std::string_view etag) {
  for (std::string_view one : Split(if_none_match, ',')) {
    one = Trim(one);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == etag || one == "*") return true;
  }
  return false;
}

void AddEtag(const http::Request& request, http::Response& response) {
  std::string etag = StrCat("\"", ShortHash(response.body, 12), "\"");
  if (Matches(request.Header("if-none-match"), etag)) {
    response.status = 304;
    response.body.clear();
  }
  response.headers.emplace_back("ETag", etag);
}

std::string CheckParam(const Param& param, const std::string& value) {
  std::string_view type = param.type;
  if (type == "string") return {};
  Json json(value);
  if (type == "integer") {
    auto number = ParseInt(value);
    json = number ? Json(*number) : Json();
  }
  if (type == "boolean")
    json = value == "true" ? Json(true) : value == "false" ? Json(false) : Json();
  auto problems = CheckType(json, type, param.name);
  if (!problems.empty()) return problems[0];
  if (std::string_view(param.name) == "limit" && (json.IntOr(0) < 1 || json.IntOr(0) > 500))
    return "limit: must be 1 to 500";
  return {};
}

}  // namespace

Service::Service(ApiParts parts)
    : parts_(std::move(parts)),
      fleet_(*parts_.loop, *parts_.clock, parts_.keep_lists),
      rate_limit_(parts_.requests_per_second),
      webhook_limit_(parts_.webhooks_per_second) {}

std::optional<http::Response> Service::CheckTransport(const Route& route,
                                                      const http::Request& request) {
  auto now = parts_.clock->Monotonic();
  if (route.access == Access::kWebhook) {
    if (!webhook_limit_.Admit("", now))
      return Fail({ErrorCode::kThrottled, "too many requests: send them again in a moment"});
  } else if (!rate_limit_.Admit(request.remote_address, now)) {
    return Fail({ErrorCode::kThrottled, "too many requests from your address; wait a second"});
  }
  if (route.Changes() && IsCrossSite(request))
    return Fail({ErrorCode::kDenied,
                 "requests that change something are not taken from pages of other sites"});
  return std::nullopt;
}

std::optional<http::Response> Service::CheckCaller(Call& call) {
  if (call.route.access == Access::kOpen) return std::nullopt;
  if (call.route.access == Access::kWebhook) {
    auto sender = parts_.identity->IdentifyWebhook(call.request);
    if (!sender) return Fail(sender.error());
    call.caller = Caller{.kind = Caller::Kind::kStatic, .name = *sender};
    return std::nullopt;
  }
  auto caller = parts_.identity->Identify(call.request);
  if (!caller) return Fail(caller.error());
  call.caller = std::move(*caller);
  if (call.route.Changes() && call.caller.kind == Caller::Kind::kAnonymous)
    return Fail({ErrorCode::kUnauthenticated, "log in: send a token in the header Authorization"});
  if (call.route.access != Access::kGuard) return std::nullopt;
  call.guard = StrCat(call.Path(0), "/", call.Path(1));
  return Refuse(call, call.guard, call.route.verbs);
}

std::optional<http::Response> Service::CheckParams(const Call& call) const {
  std::vector<std::string_view> names;
  for (const Param& param : call.route.query) names.emplace_back(param.name);
  std::vector<std::string> problems;
  for (const auto& [name, value] : call.request.params) {
    auto known = std::find(names.begin(), names.end(), name);
    if (known == names.end()) {
      auto meant = DidYouMean(name, names);
      problems.push_back(StrCat("unknown parameter ", Quote(name),
                                meant ? StrCat(" (did you mean ", Quote(*meant), "?)") : ""));
      continue;
    }
    std::string problem =
        CheckParam(call.route.query[static_cast<size_t>(known - names.begin())], value);
    if (!problem.empty()) problems.push_back(std::move(problem));
  }
  if (problems.empty()) return std::nullopt;
  return Invalid(problems[0], problems);
}

std::optional<http::Response> Service::CheckBody(Call& call) const {
  if (call.route.body[0] == 0) return std::nullopt;
  bool optional = std::string_view(call.route.body) == "CommandBody";
  if (call.request.body.empty() && optional) return std::nullopt;
  if (!IsJson(call.request.Header("content-type")))
    return http::Problem(415, "send the body as application/json");
  auto body = ParseJson(call.request.body, {.max_depth = 32});
  if (!body) return Invalid(StrCat("the body is not JSON: ", body.error().message));
  auto problems = CheckType(*body, call.route.body, "body");
  if (!problems.empty()) return Invalid(problems[0], problems);
  call.body = std::move(*body);
  return std::nullopt;
}

http::Response Service::Serve(const Route& route, const http::Request& request) {
  Call call{.route = route, .request = request};
  auto checked = CheckTransport(route, request);
  if (!checked) checked = CheckCaller(call);
  bool known = !checked || call.caller.kind != Caller::Kind::kAnonymous;
  if (!checked) checked = CheckParams(call);
  if (!checked) checked = CheckBody(call);
  http::Response response = checked ? std::move(*checked) : (this->*route.handler)(call);
  if (route.Audited() && known) Audit(call, response);
  if (response.subscription) return response;
  if (!route.Changes() && response.status == 200 && route.access != Access::kOpen)
    AddEtag(request, response);
  response.headers.emplace_back("Cache-Control",
                                route.access == Access::kOpen ? "no-store" : "private, no-cache");
  response.headers.emplace_back("Content-Security-Policy",
                                "default-src 'none'; frame-ancestors 'none'");
  return response;
}

std::string Service::FreshId(std::string_view what) {
  return ShortHash(StrCat(what, "/", ToUnixMillis(parts_.clock->Now()), "/",
                          parts_.clock->Monotonic().count(), "/", ++calls_, "/", parts_.id_seed),
                   12);
}

void Service::Audit(const Call& call, const http::Response& response) {
  Json body = Json::Obj({{"method", call.route.method},
                         {"path", Abbreviate(call.request.path, kMaxReason)},
                         {"operation", call.route.id},
                         {"status", response.status},
                         {"identity", ToString(call.caller.kind)},
                         {"address", call.request.remote_address}});
  if (std::string reason = call.body.At("reason").Str(); !reason.empty())
    body.Set("reason", Abbreviate(reason, kMaxReason));
  if (!call.note.empty()) body.Set("note", Abbreviate(call.note, kMaxReason));
  parts_.history->Append({.kind = "call",
                          .id = FreshId(call.route.id),
                          .at = parts_.clock->Now(),
                          .guard = call.guard,
                          .release = call.release,
                          .actor = call.caller.name,
                          .body = std::move(body)});
}

std::optional<http::Response> Service::Refuse(const Call& call, const std::string& guard,
                                              const std::vector<const char*>& verbs) {
  std::string ns = NamespaceOf(guard);
  std::string name = guard.size() > ns.size() ? guard.substr(ns.size() + 1) : "";
  for (const char* verb : verbs) {
    Status allowed = parts_.identity->Allow(call.caller, {verb, ns, name});
    if (!allowed) return Fail(allowed.error());
  }
  return std::nullopt;
}

Expected<Sight> Service::SightOf(const Call& call) {
  const char* verb = call.route.verbs[0];
  Sight sight;
  if (auto guard = call.Query("guard")) {
    std::string ns = NamespaceOf(*guard);
    if (ns.size() + 1 >= guard->size())
      return Error(ErrorCode::kInvalid, "guard: must be namespace/name");
    Status allowed = parts_.identity->Allow(call.caller, {verb, ns, guard->substr(ns.size() + 1)});
    if (!allowed) return allowed.error();
    sight.only_guard = *guard;
    return sight;
  }
  if (auto ns = call.Query("namespace")) {
    Status allowed = parts_.identity->Allow(call.caller, {verb, *ns, ""});
    if (!allowed) return allowed.error();
    sight.namespaces.insert(*ns);
    return sight;
  }
  Status everywhere = parts_.identity->Allow(call.caller, {verb, "", ""});
  sight.all = everywhere.ok();
  if (sight.all) return sight;
  if (everywhere.error().code != ErrorCode::kDenied) return everywhere.error();
  auto rows = ReadFleet();
  if (!rows) return rows.error();
  std::set<std::string> asked;
  for (const FleetRow& row : **rows) {
    if (!asked.insert(row.ns).second) continue;
    if (parts_.identity->Allow(call.caller, {verb, row.ns, ""}).ok())
      sight.namespaces.insert(row.ns);
  }
  if (sight.namespaces.empty()) return everywhere.error();
  return sight;
}

Expected<FleetRows> Service::ReadFleet() {
  auto rows = fleet_.Read(*parts_.controller);
  if (!rows)
    return Error(ErrorCode::kUnavailable, "the agent is busy deciding; ask again in a moment");
  return *rows;
}

Expected<app::GuardSummary> Service::FindGuard(const std::string& guard) {
  auto found = parts_.loop->Ask<std::optional<app::GuardSummary>>(
      [this, guard] { return parts_.controller->Find(guard); });
  if (!found)
    return Error(ErrorCode::kUnavailable, "the agent is busy deciding; ask again in a moment");
  if (!*found)
    return Error(ErrorCode::kNotFound,
                 StrCat("there is no guard ", guard, " here; see GET /api/v1/guards"));
  return std::move(**found);
}

}  // namespace rollguard::api
