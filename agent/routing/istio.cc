// SPDX-License-Identifier: Apache-2.0
// Istio. With a DestinationRule both tracks are subsets of one host; without, two Services. Extra
// routes are named `rollguard-...` and stand before the owner's route they were made from.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/routing/provider.h"

namespace rollguard::routing {
namespace {

constexpr std::string_view kPrefix = "rollguard-";

ObjectId VirtualServiceId(const spec::IstioRouting& s, const Tracks& t) {
  return {"networking.istio.io/v1beta1", "VirtualService",
          s.virtual_service.ns.empty() ? t.ns : s.virtual_service.ns, s.virtual_service.name};
}

ObjectId DestinationRuleId(const spec::IstioRouting& s, const Tracks& t) {
  return {"networking.istio.io/v1beta1", "DestinationRule",
          s.destination_rule->ns.empty() ? t.ns : s.destination_rule->ns, s.destination_rule->name};
}

// "checkout", "checkout.shop", "checkout.shop.svc", "checkout.shop.svc.cluster.local".
bool NamesService(std::string_view host, const std::string& service, const std::string& ns) {
  if (service.empty() || host.substr(0, service.size()) != service) return false;
  std::string_view rest = host.substr(service.size());
  if (rest.empty()) return true;
  std::string dotted = "." + ns;
  if (rest.substr(0, dotted.size()) != dotted) return false;
  rest.remove_prefix(dotted.size());
  return rest.empty() || rest == ".svc" || rest.substr(0, 5) == ".svc.";
}

Shape ShapeOf(const spec::IstioRouting& s, const Tracks& t) {
  const std::string stable = t.stable_service;
  const std::string candidate = t.CandidateService();
  const std::string ns = t.ns;
  Shape shape;
  if (s.destination_rule) {
    const std::string in = s.destination_rule->stable_subset;
    const std::string out = s.destination_rule->candidate_subset;
    auto host = [stable, ns](const Json& e) {
      return stable.empty() || NamesService(e.At("destination", "host").Str(), stable, ns);
    };
    shape.is_stable = [=](const Json& e) {
      const std::string subset = e.At("destination", "subset").Str();
      return host(e) && (subset.empty() || subset == in);
    };
    shape.is_candidate = [=](const Json& e) {
      return host(e) && e.At("destination", "subset").Str() == out;
    };
    shape.to_stable = [=](Json& e) { e["destination"].Set("subset", in); };
    shape.to_candidate = [=](const Json& e) {
      Json made = e;
      made["destination"].Set("subset", out);
      return made;
    };
    return shape;
  }
  shape.is_stable = [=](const Json& e) {
    return NamesService(e.At("destination", "host").Str(), stable, ns);
  };
  shape.is_candidate = [=](const Json& e) {
    return NamesService(e.At("destination", "host").Str(), candidate, ns);
  };
  shape.to_stable = [=](Json& e) {
    const std::string host = e.At("destination", "host").Str();
    if (NamesService(host, stable, ns) || !NamesService(host, candidate, ns)) return;
    e["destination"].Set("host", stable + host.substr(candidate.size()));
  };
  shape.to_candidate = [=](const Json& e) {
    Json made = e;
    const std::string host = e.At("destination", "host").Str();
    made["destination"].Set("host", candidate + host.substr(stable.size()));
    return made;
  };
  return shape;
}

Json MatchValue(const spec::StringMatch& match) {
  switch (match.kind) {
    case spec::StringMatch::Kind::kExact: return Json::Obj({{"exact", match.value}});
    case spec::StringMatch::Kind::kPrefix: return Json::Obj({{"prefix", match.value}});
    case spec::StringMatch::Kind::kRegex: return Json::Obj({{"regex", match.value}});
  }
  return {};
}

Json MatchOf(const spec::RequestMatch& match) {
  Json out = Json::Obj();
  if (match.method) out.Set("method", MatchValue(*match.method));
  if (match.path) out.Set("uri", MatchValue(*match.path));
  for (const auto& header : match.headers) {
    out["headers"].Set(ToLower(header.name), MatchValue(header.value));
  }
  for (const auto& cookie : match.cookies) {
    out["headers"].Set("cookie", Json::Obj({{"regex", CookieRegex(cookie)}}));
  }
  for (const auto& query : match.query) {
    out["queryParams"].Set(query.name, MatchValue(query.value));
  }
  return out;
}

Json MatchesFor(const Json& owner, const std::vector<spec::RequestMatch>& match) {
  std::vector<Json> ours;
  for (const auto& one : match) ours.push_back(MatchOf(one));
  return CrossMatches(owner.At("match"), ours, [](Json& theirs, const Json& add) {
    for (const auto& [key, value] : add.members()) {
      if (!value.is_object() || !theirs.At(key).is_object() || key == "uri" || key == "method") {
        theirs.Set(key, value);
        continue;
      }
      for (const auto& [name, condition] : value.members()) theirs[key].Set(name, condition);
    }
  });
}

Json Destination(const Json& entry) { return entry.At("destination"); }

RouteLists HttpLists(const spec::IstioRouting& s, const Tracks& t) {
  RouteLists lists;
  lists.routes = "spec.http";
  lists.destinations = "route";
  lists.shape = ShapeOf(s, t);
  lists.selected = [names = s.routes](const Json& route) {
    return names.empty() ||
           std::find(names.begin(), names.end(), route.At("name").Str()) != names.end();
  };
  lists.is_extra = [](const Json& route) {
    return route.At("name").Str().substr(0, kPrefix.size()) == kPrefix;
  };
  lists.mirror_members = {"mirror", "mirrorPercentage"};
  lists.mirror = [](Json& route, const MirrorRoute& mirror, const Json& entry) {
    route.Set("mirror", Destination(entry));
    route.Set("mirrorPercentage", Json::Obj({{"value", mirror.percent}}));
  };
  lists.header_route = [](const Json& owner, const HeaderRoute& header, const Json& entry) {
    Json route = owner;
    Json to = entry;
    to.Set("weight", 100);
    route.Set("name", StrCat(kPrefix, header.name));
    route.Set("match", MatchesFor(owner, header.match));
    route.Set("route", Json::Arr({std::move(to)}));
    route.Erase("mirror");
    route.Erase("mirrorPercentage");
    return route;
  };
  lists.mirror_route = [](const Json& owner, const MirrorRoute& mirror, const Json& entry) {
    Json route = owner;
    route.Set("name", StrCat(kPrefix, mirror.name));
    route.Set("match", MatchesFor(owner, mirror.match));
    route.Set("mirror", Destination(entry));
    route.Set("mirrorPercentage", Json::Obj({{"value", mirror.percent}}));
    return route;
  };
  return lists;
}

RouteLists TlsLists(const spec::IstioRouting& s, const Tracks& t) {
  RouteLists lists;
  lists.routes = "spec.tls";
  lists.destinations = "route";
  lists.shape = ShapeOf(s, t);
  lists.selected = [routes = s.tls_routes](const Json& route) {
    for (const auto& wanted : routes) {
      for (const Json& match : route.At("match").items()) {
        bool port = wanted.port == 0 || match.At("port").IntOr(0) == wanted.port;
        bool host = wanted.sni_hosts.empty();
        for (const Json& sni : match.At("sniHosts").items()) {
          for (const auto& name : wanted.sni_hosts) host = host || sni.Str() == name;
        }
        if (port && host) return true;
      }
    }
    return false;
  };
  return lists;
}

RouteLists TcpLists(const spec::IstioRouting& s, const Tracks& t) {
  RouteLists lists;
  lists.routes = "spec.tcp";
  lists.destinations = "route";
  lists.shape = ShapeOf(s, t);
  lists.selected = [ports = s.tcp_ports](const Json& route) {
    for (const Json& match : route.At("match").items()) {
      for (int64_t port : ports) {
        if (match.At("port").IntOr(0) == port) return true;
      }
    }
    return route.At("match").size() == 0 && !ports.empty();
  };
  return lists;
}

std::vector<RouteLists> AllLists(const spec::IstioRouting& s, const Tracks& t) {
  std::vector<RouteLists> all;
  bool only_streams = s.routes.empty() && (!s.tls_routes.empty() || !s.tcp_ports.empty());
  if (!only_streams) all.push_back(HttpLists(s, t));
  if (!s.tls_routes.empty()) all.push_back(TlsLists(s, t));
  if (!s.tcp_ports.empty()) all.push_back(TcpLists(s, t));
  return all;
}

Json RestedVirtualService(const Json& current, const spec::IstioRouting& s, const Tracks& t) {
  Json rest = current;
  for (const RouteLists& lists : AllLists(s, t)) RestRoutes(rest, lists);
  DropMemo(rest);
  return rest;
}

Json* SubsetOf(Json& rule, const std::string& name) {
  Json* spec = rule.Find("spec");
  Json* subsets = spec != nullptr ? spec->Find("subsets") : nullptr;
  if (subsets == nullptr || !subsets->is_array()) return nullptr;
  for (Json& subset : subsets->items()) {
    if (subset.At("name").Str() == name) return &subset;
  }
  return nullptr;
}

Json RestedRule(const Json& current, const spec::IstioRouting& s) {
  Json rest = current;
  Json memo = ReadMemo(current);
  DropMemo(rest);
  if (!memo.is_object()) return rest;
  for (const std::string& name :
       {s.destination_rule->stable_subset, s.destination_rule->candidate_subset}) {
    Json* subset = SubsetOf(rest, name);
    if (subset == nullptr) continue;
    const Json& was = memo.At("subsets").At(name);
    if (was.is_object()) {
      *subset = was;
    } else {
      auto& items = rest["spec"]["subsets"].items();
      items.erase(items.begin() + (subset - items.data()));
    }
  }
  if (memo.At("noSubsets").BoolOr(false) && rest.At("spec", "subsets").size() == 0) {
    rest["spec"].Erase("subsets");
  }
  return rest;
}

Status PlanRule(const spec::IstioRouting& s, const Tracks& t, const View& view, Changes& out) {
  const ObjectId id = DestinationRuleId(s, t);
  const Json* current = view(id);
  if (current == nullptr) return NotThere(id);
  Json desired = RestedRule(*current, s);
  Json memo = Json::Obj({{"subsets", Json::Obj()}});
  if (desired.At("spec").Find("subsets") == nullptr) memo.Set("noSubsets", true);
  const std::pair<std::string, Label> both[] = {
      {s.destination_rule->stable_subset, t.stable},
      {s.destination_rule->candidate_subset, t.candidate}};
  for (const auto& [name, label] : both) {
    if (label.value.empty()) continue;
    Json* subset = SubsetOf(desired, name);
    if (subset != nullptr) {
      memo["subsets"].Set(name, *subset);
    } else {
      desired["spec"]["subsets"].Push(Json::Obj({{"name", name}}));
      subset = SubsetOf(desired, name);
    }
    (*subset)["labels"].Set(label.key, label.value);
  }
  WriteMemo(desired, memo);
  AppendPatch(id, *current, desired, out);
  return {};
}

}  // namespace

void Objects(const spec::IstioRouting& s, const Tracks& t, std::vector<ObjectId>& out) {
  out.push_back(VirtualServiceId(s, t));
  if (s.destination_rule) out.push_back(DestinationRuleId(s, t));
}

Status PlanSplit(const spec::IstioRouting& s, const Tracks& t, const Split& split, const View& view,
                 Changes& out) {
  const ObjectId id = VirtualServiceId(s, t);
  const Json* current = view(id);
  if (current == nullptr) return NotThere(id);
  // With two Deployments the subsets are the owner's.
  if (s.destination_rule && !t.roles_swap) {
    if (Status rule = PlanRule(s, t, view, out); !rule) return rule;
  }
  Json desired = RestedVirtualService(*current, s, t);
  for (const RouteLists& lists : AllLists(s, t)) {
    if (Status done = SplitRoutes(desired, lists, split); !done) {
      return Error(done.error().code, StrCat(id.Text(), ": ", done.error().message));
    }
  }
  AppendPatch(id, *current, desired, out);
  return {};
}

Status PlanRest(const spec::IstioRouting& s, const Tracks& t, const View& view, Changes& out) {
  const ObjectId id = VirtualServiceId(s, t);
  size_t before = out.size();
  if (const Json* current = view(id)) {
    AppendPatch(id, *current, RestedVirtualService(*current, s, t), out);
  }
  // The subsets go only when no route names them any more.
  if (!s.destination_rule || out.size() > before) return {};
  const ObjectId rule = DestinationRuleId(s, t);
  if (const Json* current = view(rule)) AppendPatch(rule, *current, RestedRule(*current, s), out);
  return {};
}

void UnpinStableSubset(const spec::IstioRouting& s, const Tracks& t, const View& view,
                       Changes& out) {
  if (!s.destination_rule) return;
  const ObjectId id = DestinationRuleId(s, t);
  const Json* current = view(id);
  if (current == nullptr) return;
  const Json memo = ReadMemo(*current);
  const Json& was = memo.At("subsets").At(s.destination_rule->stable_subset);
  Json desired = *current;
  Json* subset = SubsetOf(desired, s.destination_rule->stable_subset);
  if (!was.is_object() || subset == nullptr) return;
  *subset = was;
  AppendPatch(id, *current, desired, out);
}

Reading Read(const spec::IstioRouting& s, const Tracks& t, const View& view) {
  const ObjectId id = VirtualServiceId(s, t);
  const Json* current = view(id);
  if (current == nullptr) return {Reading::State::kInvalid, 0, false, id.Text() + " is not there"};
  Reading reading;
  for (const RouteLists& lists : AllLists(s, t)) {
    Reading one = ReadRoutes(*current, lists);
    if (one.state == Reading::State::kSplit) reading.state = one.state;
    reading.candidate = std::max(reading.candidate, one.candidate);
    reading.extra = reading.extra || one.extra;
  }
  return reading;
}

}  // namespace rollguard::routing
