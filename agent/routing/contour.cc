// SPDX-License-Identifier: Apache-2.0
// Contour HTTPProxy: spec.routes[].services[]. A mirror is one more service entry with
// `mirror: true`; an extra route is one whose first condition is ours: HTTPProxy routes have no
// names, so the header condition is listed in the memo.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/routing/provider.h"

namespace rollguard::routing {
namespace {

ObjectId ProxyId(const spec::ObjectRef& ref, const Tracks& t) {
  return {"projectcontour.io/v1", "HTTPProxy", ref.ns.empty() ? t.ns : ref.ns, ref.name};
}

Json HeaderCondition(const spec::HeaderMatch& header) {
  Json condition = Json::Obj({{"name", header.name}});
  switch (header.value.kind) {
    case spec::StringMatch::Kind::kExact: condition.Set("exact", header.value.value); break;
    case spec::StringMatch::Kind::kPrefix: condition.Set("contains", header.value.value); break;
    case spec::StringMatch::Kind::kRegex: condition.Set("regex", header.value.value); break;
  }
  return Json::Obj({{"header", std::move(condition)}});
}

// Contour has no "or" inside a route: the first match counts, further ones are refused at check.
Json ConditionsFor(const Json& owner, const std::vector<spec::RequestMatch>& match) {
  Json conditions = owner.At("conditions").is_array() ? owner.At("conditions") : Json::Arr();
  for (const auto& header : match.front().headers) conditions.Push(HeaderCondition(header));
  for (const auto& cookie : match.front().cookies) {
    conditions.Push(
        Json::Obj({{"header", Json::Obj({{"name", "Cookie"}, {"regex", CookieRegex(cookie)}})}}));
  }
  for (const auto& query : match.front().query) {
    conditions.Push(Json::Obj(
        {{"queryParameter", Json::Obj({{"name", query.name}, {"exact", query.value.value}})}}));
  }
  return conditions;
}

// Only the candidate, and conditions that the memo lists.
bool IsExtra(const Json& route, const Json& inserted, const Tracks& t) {
  const Json& services = route.At("services");
  if (services.size() != 1 || services.At(size_t{0}).At("name").Str() != t.CandidateService()) {
    return false;
  }
  for (const Json& conditions : inserted.items()) {
    if (conditions == route.At("conditions")) return true;
  }
  return false;
}

RouteLists Lists(const Tracks& t, const Json& inserted) {
  RouteLists lists;
  lists.routes = "spec.routes";
  lists.destinations = "services";
  lists.shape = ServiceShape("name", t.stable_service, t.CandidateService());
  lists.is_extra = [t, inserted](const Json& route) { return IsExtra(route, inserted, t); };
  lists.header_route = [](const Json& owner, const HeaderRoute& header, const Json& entry) {
    Json route = owner;
    Json to = entry;
    to.Set("weight", 100);
    route.Set("conditions", ConditionsFor(owner, header.match));
    route.Set("services", Json::Arr({std::move(to)}));
    return route;
  };
  lists.mirror = [](Json& route, const MirrorRoute& mirror, const Json& entry) {
    Json copy = entry;
    copy.Set("mirror", true);
    copy.Set("weight", mirror.percent);
    route["services"].Push(std::move(copy));
  };
  return lists;
}

Json Rested(const Json& current, const Tracks& t) {
  Json rest = current;
  const Json memo = ReadMemo(current);
  if (!memo.is_object()) return rest;
  Json* spec = rest.Find("spec");
  Json* routes = spec != nullptr ? spec->Find("routes") : nullptr;
  if (routes != nullptr && routes->is_array()) {
    for (Json& route : routes->items()) {
      Json* services = route.Find("services");
      if (services == nullptr || !services->is_array()) continue;
      std::erase_if(services->items(), [&](const Json& e) {
        return e.At("mirror").BoolOr(false) && e.At("name").Str() == t.CandidateService();
      });
    }
  }
  RestRoutes(rest, Lists(t, memo.At("inserted")));
  DropMemo(rest);
  return rest;
}

}  // namespace

void Objects(const spec::ContourRouting& s, const Tracks& t, std::vector<ObjectId>& out) {
  for (const auto& ref : s.http_proxies) out.push_back(ProxyId(ref, t));
}

Status PlanSplit(const spec::ContourRouting& s, const Tracks& t, const Split& split,
                 const View& view, Changes& out) {
  for (const auto& ref : s.http_proxies) {
    const ObjectId id = ProxyId(ref, t);
    const Json* current = view(id);
    if (current == nullptr) return NotThere(id);
    Json desired = Rested(*current, t);
    const size_t before = desired.At("spec", "routes").size();
    const Json owner = desired;
    if (Status done = SplitRoutes(desired, Lists(t, Json()), split); !done) {
      return Error(done.error().code, StrCat(id.Text(), ": ", done.error().message));
    }
    if (desired.At("spec", "routes").size() > before) {
      Json inserted = Json::Arr();
      for (const Json& route : desired.At("spec", "routes").items()) {
        bool owners = false;
        for (const Json& theirs : owner.At("spec", "routes").items()) {
          owners = owners || theirs.At("conditions") == route.At("conditions");
        }
        if (!owners) inserted.Push(route.At("conditions"));
      }
      Json memo = ReadMemo(desired);
      memo.Set("inserted", std::move(inserted));
      desired["metadata"]["annotations"].Set(kRestAnnotation, memo.Dump());
    }
    AppendPatch(id, *current, desired, out);
  }
  return {};
}

Status PlanRest(const spec::ContourRouting& s, const Tracks& t, const View& view, Changes& out) {
  for (const auto& ref : s.http_proxies) {
    const ObjectId id = ProxyId(ref, t);
    if (const Json* current = view(id)) AppendPatch(id, *current, Rested(*current, t), out);
  }
  return {};
}

Reading Read(const spec::ContourRouting& s, const Tracks& t, const View& view) {
  Reading reading;
  for (const auto& ref : s.http_proxies) {
    const ObjectId id = ProxyId(ref, t);
    const Json* current = view(id);
    if (current == nullptr)
      return {Reading::State::kInvalid, 0, false, id.Text() + " is not there"};
    Reading one = ReadRoutes(*current, Lists(t, ReadMemo(*current).At("inserted")));
    if (one.state == Reading::State::kSplit) reading.state = one.state;
    reading.candidate = std::max(reading.candidate, one.candidate);
    reading.extra = reading.extra || one.extra;
    for (const Json& route : current->At("spec", "routes").items()) {
      for (const Json& entry : route.At("services").items()) {
        const bool ours = entry.At("name").Str() == t.CandidateService();
        reading.extra = reading.extra || (ours && entry.At("mirror").BoolOr(false));
      }
    }
  }
  return reading;
}

}  // namespace rollguard::routing
