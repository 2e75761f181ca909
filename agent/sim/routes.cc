// SPDX-License-Identifier: Apache-2.0
// Weights are taken as the routers take them: shares of their own sum. Header matches know exact,
// prefix and presence; a regular expression is read as the literal text between its wildcards,
// which is what cookie matches look like.
#include "agent/sim/routes.h"

#include <algorithm>

#include "agent/base/json_patch.h"
#include "agent/base/text.h"
#include "agent/sim/weighted_routes.h"

namespace rollguard::sim {
namespace {

using Headers = std::map<std::string, std::string>;

std::string FirstLabel(std::string_view host) {
  return std::string(host.substr(0, host.find('.')));
}

const std::string* HeaderOf(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (EqualsIgnoreCase(key, name)) return &value;
  }
  return nullptr;
}

bool RegexMatches(std::string_view regex, const std::string& value) {
  std::string literal;
  std::string best;
  for (size_t i = 0; i <= regex.size(); ++i) {
    bool wild = i == regex.size() ||
                std::string_view("^$.*?()[]|+;\\").find(regex[i]) != std::string_view::npos;
    if (!wild) {
      literal += regex[i];
      continue;
    }
    if (literal.size() > best.size()) best = literal;
    literal.clear();
  }
  return value.find(best) != std::string::npos;
}

bool StringMatches(const Json& match, const std::string& value) {
  if (match.is_string()) return Text(match) == value;
  if (const Json* exact = match.Find("exact")) return Text(*exact) == value;
  if (const Json* prefix = match.Find("prefix")) return value.starts_with(Text(*prefix));
  if (const Json* regex = match.Find("regex")) return RegexMatches(Text(*regex), value);
  return true;  // presence
}

void Normalize(std::vector<Destination>& out) {
  double sum = 0;
  for (const Destination& d : out) sum += d.mirror ? 0 : d.share;
  for (Destination& d : out) {
    if (!d.mirror) d.share = sum > 0 ? d.share / sum : 0;
  }
  std::erase_if(out, [](const Destination& d) { return d.share <= 0; });
}

ObjectPtr FindAny(const ApiServer& api, std::string_view group, std::string_view plural,
                  const std::string& ns, const std::string& name) {
  return api.Get(group, plural, ns, name);
}

// --- Istio ---

bool IstioRuleMatches(const Json& rule, const Headers& headers) {
  const Json& matches = rule.At("match");
  if (matches.size() == 0) return true;
  return std::any_of(matches.items().begin(), matches.items().end(), [&](const Json& match) {
    const auto& wanted = match.At("headers").members();
    return std::all_of(wanted.begin(), wanted.end(), [&](const Json::Member& m) {
      const std::string* value = HeaderOf(headers, m.first);
      return value != nullptr && StringMatches(m.second, *value);
    });
  });
}

Json SubsetLabels(const ApiServer& api, const std::string& ns, const std::string& service,
                  std::string_view subset) {
  for (const ObjectPtr& rule : api.List("networking.istio.io", "destinationrules", ns)) {
    if (FirstLabel(Text(rule->At("spec", "host"))) != service) continue;
    for (const Json& s : rule->At("spec", "subsets").items()) {
      if (Text(s.At("name")) == subset)
        return s.At("labels").is_object() ? s.At("labels") : Json::Obj();
    }
  }
  return Json::Obj(
      {{"sim.rollguard.dev/no-such-subset", "true"}});  // matches no pod, as Envoy answers 503
}

Destination IstioDestination(const ApiServer& api, const std::string& ns, const Json& destination,
                             double share) {
  Destination d{FirstLabel(Text(destination.At("host"))), {}, share, false};
  std::string_view subset = Text(destination.At("subset"));
  if (!subset.empty()) d.subset = SubsetLabels(api, ns, d.service, subset);
  return d;
}

std::vector<Destination> FromVirtualService(const ApiServer& api, const RouteSource& source,
                                            const std::string& ns, const Headers& headers) {
  std::vector<Destination> out;
  ObjectPtr vs = FindAny(api, "networking.istio.io", "virtualservices", ns, source.name);
  if (!vs) return out;
  for (const Json& rule : vs->At("spec", "http").items()) {
    if (!IstioRuleMatches(rule, headers)) continue;
    bool header_rule = rule.At("match").size() > 0;
    if (!source.route.empty() && Text(rule.At("name")) != source.route && !header_rule) continue;
    const Json& routes = rule.At("route");
    for (const Json& route : routes.items()) {
      out.push_back(IstioDestination(api, ns, route.At("destination"),
                                     route.At("weight").DoubleOr(routes.size() == 1 ? 100 : 0)));
    }
    if (const Json* mirror = rule.Find("mirror"); mirror != nullptr && mirror->is_object()) {
      Destination d = IstioDestination(api, ns, *mirror,
                                       rule.At("mirrorPercentage", "value").DoubleOr(100) / 100);
      d.mirror = true;
      out.push_back(d);
    }
    break;
  }
  return out;
}

// --- Gateway API ---

bool GatewayMatch(const Json& match, const Headers& headers) {
  const auto& wanted = match.At("headers").items();
  return std::all_of(wanted.begin(), wanted.end(), [&](const Json& h) {
    const std::string* value = HeaderOf(headers, Text(h.At("name")));
    if (value == nullptr) return false;
    if (Text(h.At("type")) == "RegularExpression") return RegexMatches(Text(h.At("value")), *value);
    return *value == Text(h.At("value"));
  });
}

// Header rules before plain ones: the more specific match wins, whatever the order.
const Json* PickRule(const Json& rules, const Headers& headers) {
  const Json* plain = nullptr;
  for (const Json& rule : rules.items()) {
    const auto& matches = rule.At("matches").items();
    bool by_header = std::any_of(matches.begin(), matches.end(),
                                 [](const Json& m) { return m.At("headers").size() > 0; });
    if (!by_header) {
      if (plain == nullptr) plain = &rule;
      continue;
    }
    bool fits = std::any_of(matches.begin(), matches.end(), [&](const Json& m) {
      return m.At("headers").size() > 0 && GatewayMatch(m, headers);
    });
    if (fits) return &rule;
  }
  return plain;
}

std::vector<Destination> FromHttpRoute(const ApiServer& api, const RouteSource& source,
                                       const std::string& ns, const Headers& headers) {
  std::vector<Destination> out;
  ObjectPtr route = FindAny(api, "gateway.networking.k8s.io", "httproutes", ns, source.name);
  const Json* rule = route ? PickRule(route->At("spec", "rules"), headers) : nullptr;
  if (rule == nullptr) return out;
  for (const Json& ref : rule->At("backendRefs").items()) {
    out.push_back({ref.At("name").Str(), {}, ref.At("weight").DoubleOr(1), false});
  }
  for (const Json& filter : rule->At("filters").items()) {
    if (Text(filter.At("type")) != "RequestMirror") continue;
    const Json& mirror = filter.At("requestMirror");
    out.push_back({mirror.At("backendRef", "name").Str(),
                   {},
                   mirror.At("percent").DoubleOr(100) / 100,
                   true});
  }
  return out;
}

// --- NGINX ---

std::string IngressService(const Json& ingress) {
  return ingress.At("spec", "rules")
      .At(size_t{0})
      .At("http", "paths")
      .At(size_t{0})
      .At("backend", "service", "name")
      .Str();
}

std::string_view Nginx(const Json& ingress, std::string_view key) {
  return AnnotationOf(ingress, StrCat("nginx.ingress.kubernetes.io/", key));
}

// The share of these users that the canary Ingress takes.
double CanaryShare(const Json& canary, const Headers& headers) {
  std::string header(Nginx(canary, "canary-by-header"));
  if (const std::string* value = header.empty() ? nullptr : HeaderOf(headers, header)) {
    std::string_view wanted = Nginx(canary, "canary-by-header-value");
    if (wanted.empty() ? *value == "always" : *value == wanted) return 1;
    if (wanted.empty() && *value == "never") return 0;
  }
  std::string_view cookie = Nginx(canary, "canary-by-cookie");
  if (const std::string* jar = cookie.empty() ? nullptr : HeaderOf(headers, "cookie")) {
    if (jar->find(StrCat(cookie, "=always")) != std::string::npos) return 1;
    if (jar->find(StrCat(cookie, "=never")) != std::string::npos) return 0;
  }
  double weight = ParseDouble(Nginx(canary, "canary-weight")).value_or(0);
  double total = ParseDouble(Nginx(canary, "canary-weight-total")).value_or(100);
  return total > 0 ? std::clamp(weight / total, 0.0, 1.0) : 0;
}

std::vector<Destination> FromIngress(const ApiServer& api, const RouteSource& source,
                                     const std::string& ns, const Headers& headers) {
  std::vector<Destination> out;
  ObjectPtr main = FindAny(api, "networking.k8s.io", "ingresses", ns, source.name);
  if (!main) return out;
  double rest = 1;
  const Json& host = main->At("spec", "rules").At(size_t{0}).At("host");
  for (const ObjectPtr& canary : api.List("networking.k8s.io", "ingresses", ns)) {
    if (Nginx(*canary, "canary") != "true" ||
        !(canary->At("spec", "rules").At(size_t{0}).At("host") == host))
      continue;
    double share = CanaryShare(*canary, headers);
    out.push_back({IngressService(*canary), {}, share, false});
    rest -= share;
    break;  // NGINX takes one canary per rule
  }
  out.push_back({IngressService(*main), {}, rest, false});
  return out;
}

std::vector<Destination> FromGeneric(const ApiServer& api, const RouteSource& source,
                                     const std::string& ns) {
  std::vector<Destination> out;
  ObjectPtr object = FindAny(api, source.type.group, source.type.plural,
                             source.type.namespaced ? ns : "", source.name);
  if (!object) return out;
  for (const auto& backend : source.backends) {
    const Json* weight = ResolvePointer(*object, backend.weight_pointer);
    double value = weight == nullptr     ? 0
                   : weight->is_string() ? ParseDouble(Text(*weight)).value_or(0)
                                         : weight->DoubleOr(0);
    out.push_back({backend.service, {}, value, false});
  }
  return out;
}

}  // namespace

std::vector<Destination> ReadRoute(const ApiServer& api, const RouteSource& source,
                                   const std::string& ns, const std::string& service,
                                   const Headers& headers) {
  using Kind = RouteSource::Kind;
  switch (source.kind) {
    case Kind::kService: return {{service, {}, 1, false}};
    case Kind::kVirtualService: return FromVirtualService(api, source, ns, headers);
    case Kind::kHttpRoute: return FromHttpRoute(api, source, ns, headers);
    case Kind::kNginxIngress: return FromIngress(api, source, ns, headers);
    case Kind::kGeneric: return FromGeneric(api, source, ns);
    case Kind::kAlbIngress: return ReadAlb(api, source, ns);
    case Kind::kTraefik: return ReadTraefik(api, source, ns);
    case Kind::kHttpProxy: return ReadHttpProxy(api, source, ns);
    case Kind::kApisix: return ReadApisix(api, source, ns);
    case Kind::kTrafficSplit: return ReadTrafficSplit(api, source, ns, service);
  }
  return {};
}

std::vector<Destination> ResolveRoute(const ApiServer& api, const RouteSource& source,
                                      const std::string& ns, const std::string& service,
                                      const Headers& headers) {
  std::vector<Destination> out = ReadRoute(api, source, ns, service, headers);
  Normalize(out);
  return out;
}

}  // namespace rollguard::sim
