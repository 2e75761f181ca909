// SPDX-License-Identifier: Apache-2.0
// ApisixRoute: spec.http[].backends[]. Extra routes are named `rollguard-...` and get a higher
// priority than the route they were made from.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/routing/provider.h"

namespace rollguard::routing {
namespace {

constexpr std::string_view kPrefix = "rollguard-";

ObjectId RouteId(const spec::ApisixRouting& s, const Tracks& t) {
  return {"apisix.apache.org/v2", "ApisixRoute", s.route.ns.empty() ? t.ns : s.route.ns,
          s.route.name};
}

Json Expression(const char* scope, const spec::HeaderMatch& match) {
  Json subject = Json::Obj({{"scope", scope}, {"name", match.name}});
  const bool exact = match.value.kind == spec::StringMatch::Kind::kExact;
  std::string value = match.value.kind == spec::StringMatch::Kind::kPrefix
                          ? StrCat("^", EscapeRegex(match.value.value))
                          : match.value.value;
  return Json::Obj(
      {{"subject", std::move(subject)}, {"op", exact ? "Equal" : "RegexMatch"}, {"value", value}});
}

void AddExpressions(Json& route, const spec::RequestMatch& match) {
  Json& exprs = route["match"]["exprs"];
  for (const auto& header : match.headers) exprs.Push(Expression("Header", header));
  for (const auto& cookie : match.cookies) exprs.Push(Expression("Cookie", cookie));
  for (const auto& query : match.query) exprs.Push(Expression("Query", query));
}

RouteLists Lists(const spec::ApisixRouting& s, const Tracks& t) {
  RouteLists lists;
  lists.routes = "spec.http";
  lists.destinations = "backends";
  lists.shape = ServiceShape("serviceName", t.stable_service, t.CandidateService());
  lists.selected = [names = s.rules](const Json& route) {
    return names.empty() ||
           std::find(names.begin(), names.end(), route.At("name").Str()) != names.end();
  };
  lists.is_extra = [](const Json& route) {
    return route.At("name").Str().substr(0, kPrefix.size()) == kPrefix;
  };
  lists.header_route = [](const Json& owner, const HeaderRoute& header, const Json& entry) {
    Json route = owner;
    Json to = entry;
    to.Set("weight", 100);
    route.Set("name", StrCat(kPrefix, header.name));
    route.Set("priority", std::min<int64_t>(owner.At("priority").IntOr(0), INT32_MAX - 1) + 1);
    AddExpressions(route, header.match.front());
    route.Set("backends", Json::Arr({std::move(to)}));
    return route;
  };
  return lists;
}

}  // namespace

void Objects(const spec::ApisixRouting& s, const Tracks& t, std::vector<ObjectId>& out) {
  out.push_back(RouteId(s, t));
}

Status PlanSplit(const spec::ApisixRouting& s, const Tracks& t, const Split& split,
                 const View& view, Changes& out) {
  const ObjectId id = RouteId(s, t);
  const Json* current = view(id);
  if (current == nullptr) return NotThere(id);
  const RouteLists lists = Lists(s, t);
  Json desired = *current;
  RestRoutes(desired, lists);
  DropMemo(desired);
  if (Status done = SplitRoutes(desired, lists, split); !done) {
    return Error(done.error().code, StrCat(id.Text(), ": ", done.error().message));
  }
  AppendPatch(id, *current, desired, out);
  return {};
}

Status PlanRest(const spec::ApisixRouting& s, const Tracks& t, const View& view, Changes& out) {
  const ObjectId id = RouteId(s, t);
  const Json* current = view(id);
  if (current == nullptr) return {};
  Json desired = *current;
  RestRoutes(desired, Lists(s, t));
  DropMemo(desired);
  AppendPatch(id, *current, desired, out);
  return {};
}

Reading Read(const spec::ApisixRouting& s, const Tracks& t, const View& view) {
  const ObjectId id = RouteId(s, t);
  const Json* current = view(id);
  if (current == nullptr) return {Reading::State::kInvalid, 0, false, id.Text() + " is not there"};
  return ReadRoutes(*current, Lists(s, t));
}

}  // namespace rollguard::routing
