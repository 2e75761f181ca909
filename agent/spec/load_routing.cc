// SPDX-License-Identifier: Apache-2.0
#include "agent/spec/readers.h"

namespace rollguard::spec {
namespace {

void ReadIstio(Object& o, IstioRouting& out) {
  o.TextOrObj(
      "virtualService",
      "The VirtualService whose route weights are set: its name, or namespace and name.",
      [&](const yaml::Node& node) {
        if (CheckDnsName(o.context(), node.span, "virtualService", node.text))
          out.virtual_service.name = node.text;
      },
      [&](Object& v) {
        v.Name("name", out.virtual_service.name, "The VirtualService's name.");
        v.Require("name");
        v.Name("namespace", out.virtual_service.ns, "Its namespace; absent: the guard's.");
      });
  o.Require("virtualService");
  o.Strings("routes", out.routes, "Names of its http routes; absent: the only one.");
  o.List("tlsRoutes", "TLS routes whose weights are set besides.", [&](Object& t) {
    IstioRouting::TlsRoute route;
    t.Int("port", route.port, "The port the route matches; absent: any.", 1, 65535);
    t.Strings("sniHosts", route.sni_hosts, "The SNI hosts the route matches.");
    out.tls_routes.push_back(std::move(route));
  });
  o.List("tcpRoutes", "TCP routes whose weights are set besides.", [&](Object& t) {
    int64_t port = 0;
    if (t.Int("port", port, "The port the route matches.", 1, 65535)) out.tcp_ports.push_back(port);
    t.Require("port");
  });
  o.Obj("destinationRule", "Split one host by subsets instead of two Services.", [&](Object& d) {
    auto& rule = out.destination_rule.emplace();
    d.Name("name", rule.name, "The DestinationRule's name.");
    d.Require("name");
    d.Name("namespace", rule.ns, "Its namespace; absent: the guard's.");
    d.Str("stableSubset", rule.stable_subset, "The subset of the stable revision (stable).");
    d.Str("candidateSubset", rule.candidate_subset, "The subset of the candidate (candidate).");
  });
}

void ReadRefs(Object& o, std::string_view key, std::string_view list_key,
              std::vector<ObjectRef>& out, std::string_view description) {
  ObjectRef one;
  if (o.Ref(key, one, description)) out.push_back(one);
  std::vector<std::string> names;
  o.Strings(list_key, names, "The same for several.");
  for (const std::string& name : names) {
    size_t slash = name.find('/');
    out.push_back(slash == std::string::npos
                      ? ObjectRef{"", name}
                      : ObjectRef{name.substr(0, slash), name.substr(slash + 1)});
  }
  if (key == "httpProxy") {
    o.RequireOne("this router", {"httpProxy", "httpProxies"});
  } else {
    o.RequireOne("this router", {"httpRoute", "httpRoutes"});
  }
}

void ReadGateway(Object& o, GatewayRouting& out) {
  ReadRefs(o, "httpRoute", "httpRoutes", out.http_routes,
           "The HTTPRoute whose backend weights are set: name or namespace/name.");
  o.Strings("rules", out.rules, "Names of its rules; absent: every rule with the stable backend.");
}

void ReadNginx(Object& o, NginxRouting& out) {
  std::string one;
  if (o.Name("ingress", one, "The Ingress that carries stable traffic.")) out.ingresses = {one};
  std::vector<std::string> more;
  if (o.Strings("ingresses", more, "The same for several."))
    out.ingresses.insert(out.ingresses.end(), more.begin(), more.end());
  o.RequireOne("nginx", {"ingress", "ingresses"});
  o.Str("annotationPrefix", out.annotation_prefix,
        "Prefix of the controller's annotations (nginx.ingress.kubernetes.io).");
  o.Map("annotations", out.annotations, "Further annotations of the canary Ingress.");
}

void ReadAlb(Object& o, AlbRouting& out) {
  o.Name("ingress", out.ingress, "The Ingress whose forward action is set.");
  o.Require("ingress");
  o.Int("servicePort", out.service_port, "The Services' port.", 1, 65535);
  o.Require("servicePort");
  o.Name("rootService", out.root_service, "The Service the Ingress names; absent: stableService.");
  o.Str("annotationPrefix", out.annotation_prefix,
        "Prefix of the controller's annotations (alb.ingress.kubernetes.io).");
}

void ReadSmi(Object& o, SmiRouting& out) {
  o.Name("trafficSplit", out.traffic_split,
         "The TrafficSplit; absent: made and named after the guard.");
  o.Name("rootService", out.root_service, "The Service clients use; absent: stableService.");
  static constexpr std::pair<std::string_view, int> kVersions[] = {
      {"split.smi-spec.io/v1alpha1", 1},
      {"split.smi-spec.io/v1alpha2", 2},
      {"split.smi-spec.io/v1alpha3", 3},
      {"split.smi-spec.io/v1alpha4", 4}};
  int version = 2;
  if (o.Enum<int>("apiVersion", version, kVersions, "Version of the TrafficSplit API."))
    out.api_version = kVersions[version - 1].first;
}

void CheckPath(Object& o, std::string_view key, const std::string& path) {
  if (!path.empty() && path.find_first_of(" \t\n") != std::string::npos)
    o.Error(key, StrCat(Quote(key),
                        " must be a path like spec.weights[0].value or "
                        "/spec/weights/0/value"));
}

void ReadGeneric(Object& o, GenericRouting& out) {
  o.Str("apiVersion", out.api_version, "The object's apiVersion.");
  o.Str("kind", out.kind, "The object's kind.");
  o.Name("name", out.object.name, "The object's name.");
  o.Name("namespace", out.object.ns, "Its namespace; absent: the guard's.");
  o.Str("stableWeight", out.stable_path,
        "Where stable's weight stands: spec.a[0].b or /spec/a/0/b.");
  o.Str("candidateWeight", out.candidate_path, "Where the candidate's weight stands.");
  o.Int("total", out.total, "What both weights sum to (100).", 1, 1'000'000);
  for (auto key : {"apiVersion", "kind", "name", "stableWeight", "candidateWeight"}) o.Require(key);
  CheckPath(o, "stableWeight", out.stable_path);
  CheckPath(o, "candidateWeight", out.candidate_path);
}

template <class T>
void Take(Object& o, std::string_view key, std::string_view description, Routing& out,
          void (*read)(Object&, T&)) {
  T settings;
  if (o.Obj(key, description, [&](Object& inner) { read(inner, settings); }))
    out.settings = std::move(settings);
}

void ReadRouter(Object& o, Routing& out) {
  out.span = o.span();
  Take<IstioRouting>(o, "istio", "Istio VirtualService weights.", out, ReadIstio);
  Take<GatewayRouting>(o, "gatewayApi", "Gateway API HTTPRoute weights.", out, ReadGateway);
  Take<NginxRouting>(o, "nginx", "NGINX Ingress canary annotations.", out, ReadNginx);
  Take<AlbRouting>(o, "alb", "AWS load balancer controller's forward action.", out, ReadAlb);
  Take<TraefikRouting>(o, "traefik", "Traefik weighted service.", out,
                       [](Object& t, TraefikRouting& s) {
                         t.Name("service", s.service, "The TraefikService with the two weights.");
                         t.Require("service");
                         t.Str("apiGroup", s.api_group, "Its API group (traefik.io).");
                       });
  Take<ContourRouting>(o, "contour", "Contour HTTPProxy weights.", out,
                       [](Object& c, ContourRouting& s) {
                         ReadRefs(c, "httpProxy", "httpProxies", s.http_proxies,
                                  "The HTTPProxy whose service weights are set.");
                       });
  Take<ApisixRouting>(o, "apisix", "APISIX ApisixRoute weights.", out,
                      [](Object& a, ApisixRouting& s) {
                        a.Ref("route", s.route, "The ApisixRoute whose backend weights are set.");
                        a.Require("route");
                        a.Strings("rules", s.rules, "Names of its http rules; absent: all.");
                      });
  Take<SmiRouting>(o, "smi", "SMI TrafficSplit weights.", out, ReadSmi);
  Take<ServiceRouting>(o, "service", "The Service's own selector: all or nothing.", out,
                       [](Object& v, ServiceRouting& s) {
                         v.Name("name", s.service, "The Service whose selector is switched.");
                         v.Require("name");
                       });
  Take<ReplicaRouting>(o, "replicas", "No router: the share of replicas is the share of traffic.",
                       out, [](Object&, ReplicaRouting&) {});
  Take<GenericRouting>(o, "generic", "Any object that holds the two weights.", out, ReadGeneric);
  o.RequireOne("a router", {"istio", "gatewayApi", "nginx", "alb", "traefik", "contour", "apisix",
                            "smi", "service", "replicas", "generic"});
}

}  // namespace

void ReadRouting(Object& o, std::vector<Routing>& out) {
  std::vector<Routing> read;
  if (o.List("routing", "How traffic is split; several routers at once are allowed.",
             [&](Object& item) { ReadRouter(item, read.emplace_back()); }))
    out = std::move(read);
}

const char* NameOf(const RoutingSettings& settings) {
  constexpr const char* kNames[] = {"istio",   "gatewayApi", "nginx",  "alb",
                                    "traefik", "contour",    "apisix", "smi",
                                    "service", "replicas",   "generic"};
  return kNames[settings.index()];
}

RoutingCapabilities CapabilitiesOf(const RoutingSettings& settings) {
  //                         weights headers regex  cookies query  mirror share
  constexpr RoutingCapabilities kTable[] = {
      {true, true, true, true, true, true, true},         // istio
      {true, true, true, true, true, true, true},         // gatewayApi
      {true, true, true, true, false, false, false},      // nginx
      {true, true, false, false, true, false, false},     // alb
      {true, false, false, false, false, false, false},   // traefik
      {true, true, false, false, false, true, false},     // contour
      {true, true, true, true, true, false, false},       // apisix
      {true, false, false, false, false, false, false},   // smi
      {false, false, false, false, false, false, false},  // service
      {true, false, false, false, false, false, false},   // replicas
      {true, false, false, false, false, false, false},   // generic
  };
  return kTable[settings.index()];
}

}  // namespace rollguard::spec
