// SPDX-License-Identifier: Apache-2.0
// Gateway API HTTPRoute. Rules may be unnamed, so a rule of ours is recognised by what it says: it
// leads to the candidate alone and carries one of the matches that the memo lists.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/routing/provider.h"

namespace rollguard::routing {
namespace {

ObjectId RouteId(const spec::ObjectRef& ref, const Tracks& t) {
  return {"gateway.networking.k8s.io/v1", "HTTPRoute", ref.ns.empty() ? t.ns : ref.ns, ref.name};
}

bool IsService(const Json& ref, const std::string& name, const Tracks& t, const ObjectId& route) {
  const std::string kind = ref.At("kind").Str();
  const std::string ns = ref.At("namespace").Str();
  return ref.At("name").Str() == name && (kind.empty() || kind == "Service") &&
         (ns.empty() ? route.ns : ns) == t.ns;
}

Json Condition(const char* kind, const std::string& name, const spec::StringMatch& match) {
  const bool exact = match.kind == spec::StringMatch::Kind::kExact;
  std::string value = match.kind == spec::StringMatch::Kind::kPrefix
                          ? StrCat("^", EscapeRegex(match.value), ".*")
                          : match.value;
  (void)kind;
  return Json::Obj(
      {{"type", exact ? "Exact" : "RegularExpression"}, {"name", name}, {"value", value}});
}

Json MatchOf(const spec::RequestMatch& match) {
  Json out = Json::Obj();
  if (match.method) out.Set("method", match.method->value);
  if (match.path) {
    const char* type = match.path->kind == spec::StringMatch::Kind::kExact    ? "Exact"
                       : match.path->kind == spec::StringMatch::Kind::kPrefix ? "PathPrefix"
                                                                              : "RegularExpression";
    out.Set("path", Json::Obj({{"type", type}, {"value", match.path->value}}));
  }
  for (const auto& header : match.headers) {
    out["headers"].Push(Condition("header", header.name, header.value));
  }
  for (const auto& cookie : match.cookies) {
    out["headers"].Push(Json::Obj(
        {{"type", "RegularExpression"}, {"name", "Cookie"}, {"value", CookieRegex(cookie)}}));
  }
  for (const auto& query : match.query) {
    out["queryParams"].Push(Condition("query", query.name, query.value));
  }
  return out;
}

Json MatchesFor(const Json& owner, const std::vector<spec::RequestMatch>& match) {
  std::vector<Json> ours;
  for (const auto& one : match) ours.push_back(MatchOf(one));
  return CrossMatches(owner.At("matches"), ours, [](Json& theirs, const Json& add) {
    for (const auto& [key, value] : add.members()) {
      if (!value.is_array()) {
        theirs.Set(key, value);
        continue;
      }
      for (const Json& item : value.items()) theirs[key].Push(item);
    }
  });
}

// A rule that leads to the candidate alone and that the owner did not write.
bool IsExtra(const Json& rule, const Json& inserted, const Tracks& t, const ObjectId& route) {
  const Json& refs = rule.At("backendRefs");
  if (refs.size() != 1 || !IsService(refs.At(size_t{0}), t.CandidateService(), t, route))
    return false;
  for (const Json& matches : inserted.items()) {
    if (matches == rule.At("matches")) return true;
  }
  return false;
}

RouteLists Lists(const spec::GatewayRouting& s, const Tracks& t, const ObjectId& id) {
  RouteLists lists;
  lists.routes = "spec.rules";
  lists.destinations = "backendRefs";
  lists.shape = ServiceShape("name", t.stable_service, t.CandidateService());
  lists.shape.is_stable = [t, id](const Json& e) { return IsService(e, t.stable_service, t, id); };
  lists.shape.is_candidate = [t, id](const Json& e) {
    return IsService(e, t.CandidateService(), t, id);
  };
  lists.selected = [names = s.rules](const Json& rule) {
    return names.empty() ||
           std::find(names.begin(), names.end(), rule.At("name").Str()) != names.end();
  };
  lists.mirror_members = {"filters"};
  lists.mirror = [](Json& rule, const MirrorRoute& mirror, const Json& entry) {
    Json ref = entry;
    ref.Erase("weight");
    ref.Erase("filters");
    Json request = Json::Obj({{"backendRef", std::move(ref)}});
    if (mirror.percent < 100) request.Set("percent", mirror.percent);
    rule["filters"].Push(
        Json::Obj({{"type", "RequestMirror"}, {"requestMirror", std::move(request)}}));
  };
  lists.header_route = [](const Json& owner, const HeaderRoute& header, const Json& entry) {
    Json rule = owner;
    Json to = entry;
    to.Set("weight", 1);
    if (rule.At("name").is_string()) rule.Set("name", StrCat("rollguard-", header.name));
    rule.Set("matches", MatchesFor(owner, header.match));
    rule.Set("backendRefs", Json::Arr({std::move(to)}));
    return rule;
  };
  return lists;
}

void RestRules(Json& route, const RouteLists& lists, const Tracks& t, const ObjectId& id) {
  const Json inserted = ReadMemo(route).At("inserted");
  Json* spec = route.Find("spec");
  Json* rules = spec != nullptr ? spec->Find("rules") : nullptr;
  if (rules != nullptr && rules->is_array()) {
    std::erase_if(rules->items(), [&](const Json& rule) { return IsExtra(rule, inserted, t, id); });
  }
  RestRoutes(route, lists);
  DropMemo(route);
}

// The matches of the rules that SplitRoutes put in.
void RememberInserted(Json& route, const Json& before) {
  Json inserted = Json::Arr();
  for (const Json& rule : route.At("spec", "rules").items()) {
    bool owners = false;
    for (const Json& theirs : before.At("spec", "rules").items()) {
      owners = owners || theirs.At("matches") == rule.At("matches");
    }
    if (!owners) inserted.Push(rule.At("matches"));
  }
  if (inserted.size() == 0) return;
  Json memo = ReadMemo(route);
  memo.Set("inserted", std::move(inserted));
  route["metadata"]["annotations"].Set(kRestAnnotation, memo.Dump());
}

}  // namespace

void Objects(const spec::GatewayRouting& s, const Tracks& t, std::vector<ObjectId>& out) {
  for (const auto& ref : s.http_routes) out.push_back(RouteId(ref, t));
}

Status PlanSplit(const spec::GatewayRouting& s, const Tracks& t, const Split& split,
                 const View& view, Changes& out) {
  for (const auto& ref : s.http_routes) {
    const ObjectId id = RouteId(ref, t);
    const Json* current = view(id);
    if (current == nullptr) return NotThere(id);
    const RouteLists lists = Lists(s, t, id);
    Json desired = *current;
    RestRules(desired, lists, t, id);
    const Json owner = desired;
    if (Status done = SplitRoutes(desired, lists, split); !done) {
      return Error(done.error().code, StrCat(id.Text(), ": ", done.error().message));
    }
    RememberInserted(desired, owner);
    AppendPatch(id, *current, desired, out);
  }
  return {};
}

Status PlanRest(const spec::GatewayRouting& s, const Tracks& t, const View& view, Changes& out) {
  for (const auto& ref : s.http_routes) {
    const ObjectId id = RouteId(ref, t);
    const Json* current = view(id);
    if (current == nullptr) continue;
    Json desired = *current;
    RestRules(desired, Lists(s, t, id), t, id);
    AppendPatch(id, *current, desired, out);
  }
  return {};
}

Reading Read(const spec::GatewayRouting& s, const Tracks& t, const View& view) {
  Reading reading;
  for (const auto& ref : s.http_routes) {
    const ObjectId id = RouteId(ref, t);
    const Json* current = view(id);
    if (current == nullptr)
      return {Reading::State::kInvalid, 0, false, id.Text() + " is not there"};
    const Json memo = ReadMemo(*current);
    if (!memo.is_object()) continue;
    reading.state = Reading::State::kSplit;
    const RouteLists lists = Lists(s, t, id);
    for (const Json& rule : current->At("spec", "rules").items()) {
      if (IsExtra(rule, memo.At("inserted"), t, id)) {
        reading.extra = true;
        continue;
      }
      for (const Json& filter : rule.At("filters").items()) {
        if (IsService(filter.At("requestMirror", "backendRef"), t.CandidateService(), t, id)) {
          reading.extra = true;
        }
      }
      if (auto share = ReadList(rule.At("backendRefs"), lists.shape)) {
        reading.candidate = std::max(reading.candidate, *share);
      }
    }
  }
  return reading;
}

}  // namespace rollguard::routing
