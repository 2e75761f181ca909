// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/weighted_routes.h"

#include "agent/base/text.h"

namespace rollguard::sim {
namespace {

// A number, or the text of one.
double WeightOf(const Json& weight, double missing) {
  return weight.is_string() ? ParseDouble(Text(weight)).value_or(0) : weight.DoubleOr(missing);
}

// One backend alone needs no weight; of several, one without a weight gets nothing.
std::vector<Destination> FromList(const Json& list, const char* name, const char* weight) {
  std::vector<Destination> out;
  const double missing = list.size() == 1 ? 100 : 0;
  for (const Json& backend : list.items()) {
    Destination d{std::string(Text(backend.At(name))), {}, 0, false};
    d.mirror = backend.At("mirror").BoolOr(false);
    d.share = WeightOf(backend.At(weight), missing);
    if (d.mirror) d.share = WeightOf(backend.At(weight), 100) / 100;
    out.push_back(std::move(d));
  }
  return out;
}

// The rule every user without special headers meets: the first that asks for none.
const Json& PlainRule(const Json& rules, const char* conditions) {
  static const Json none;
  for (const Json& rule : rules.items()) {
    bool special = false;
    for (const Json& condition : rule.At(conditions).items()) {
      special = special || condition.Find("header") != nullptr ||
                condition.Find("queryParameter") != nullptr;
    }
    if (!special && rule.At("match", "exprs").size() == 0) return rule;
  }
  return none;
}

}  // namespace

std::vector<Destination> ReadAlb(const ApiServer& api, const RouteSource& source,
                                 const std::string& ns) {
  ObjectPtr ingress = api.Get("networking.k8s.io", "ingresses", ns, source.name);
  if (!ingress) return {};
  const std::string service = ingress->At("spec", "rules")
                                  .At(size_t{0})
                                  .At("http", "paths")
                                  .At(size_t{0})
                                  .At("backend", "service", "name")
                                  .Str();
  std::string_view text =
      AnnotationOf(*ingress, StrCat("alb.ingress.kubernetes.io/actions.", service));
  if (text.empty()) return {{service, {}, 100, false}};
  auto action = ParseJson(text);
  if (!action) return {};
  return FromList(action->At("ForwardConfig", "TargetGroups"), "ServiceName", "Weight");
}

std::vector<Destination> ReadTraefik(const ApiServer& api, const RouteSource& source,
                                     const std::string& ns) {
  ObjectPtr service = api.Get("traefik.io", "traefikservices", ns, source.name);
  return service ? FromList(service->At("spec", "weighted", "services"), "name", "weight")
                 : std::vector<Destination>{};
}

std::vector<Destination> ReadHttpProxy(const ApiServer& api, const RouteSource& source,
                                       const std::string& ns) {
  ObjectPtr proxy = api.Get("projectcontour.io", "httpproxies", ns, source.name);
  if (!proxy) return {};
  return FromList(PlainRule(proxy->At("spec", "routes"), "conditions").At("services"), "name",
                  "weight");
}

std::vector<Destination> ReadApisix(const ApiServer& api, const RouteSource& source,
                                    const std::string& ns) {
  ObjectPtr route = api.Get("apisix.apache.org", "apisixroutes", ns, source.name);
  if (!route) return {};
  return FromList(PlainRule(route->At("spec", "http"), "conditions").At("backends"), "serviceName",
                  "weight");
}

std::vector<Destination> ReadTrafficSplit(const ApiServer& api, const RouteSource& source,
                                          const std::string& ns, const std::string& service) {
  ObjectPtr split = api.Get("split.smi-spec.io", "trafficsplits", ns, source.name);
  if (!split) return {{service, {}, 100, false}};
  return FromList(split->At("spec", "backends"), "service", "weight");
}

}  // namespace rollguard::sim
