// SPDX-License-Identifier: Apache-2.0
// How traffic is told to go to stable and candidate: one struct per router, settings only. What
// they do to objects is agent/routing's business.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "agent/spec/values.h"

namespace rollguard::spec {

// Subsets of one host, instead of two Services.
struct IstioDestinationRule {
  std::string name;
  std::string ns;
  std::string stable_subset = "stable";
  std::string candidate_subset = "candidate";
};

// Istio VirtualService weights; with a DestinationRule, subsets of one host by pod-template-hash,
// otherwise two Services (stableService, candidateService of the strategy).
struct IstioRouting {
  using DestinationRule = IstioDestinationRule;
  struct TlsRoute {
    int64_t port = 0;  // 0: any
    std::vector<std::string> sni_hosts;
  };
  ObjectRef virtual_service;
  std::vector<std::string> routes;  // names of http routes; empty: the only one
  std::vector<TlsRoute> tls_routes;
  std::vector<int64_t> tcp_ports;
  std::optional<IstioDestinationRule> destination_rule;
};

// Gateway API HTTPRoute: weights of the backendRefs of the two Services.
struct GatewayRouting {
  std::vector<ObjectRef> http_routes;
  std::vector<std::string> rules;  // rule names; empty: every rule that has the stable backend
};

// NGINX Ingress: a second Ingress with canary annotations.
struct NginxRouting {
  std::vector<std::string> ingresses;
  std::string annotation_prefix = "nginx.ingress.kubernetes.io";
  StringMap annotations;  // put on the canary Ingress besides
};

// AWS load balancer controller: the forward action annotation of an Ingress.
struct AlbRouting {
  std::string ingress;
  int64_t service_port = 0;
  std::string root_service;  // empty: stableService
  std::string annotation_prefix = "alb.ingress.kubernetes.io";
};

struct TraefikRouting {
  std::string service;  // TraefikService with weighted services
  std::string api_group = "traefik.io";
};

struct ContourRouting {
  std::vector<ObjectRef> http_proxies;
};

struct ApisixRouting {
  ObjectRef route;
  std::vector<std::string> rules;
};

struct SmiRouting {
  std::string traffic_split;  // empty: created, named after the guard
  std::string root_service;   // empty: stableService
  std::string api_version = "split.smi-spec.io/v1alpha2";
};

// The Service's own selector: all or nothing. For blue/green.
struct ServiceRouting {
  std::string service;
};

// No router: the share of replicas is the share of traffic.
struct ReplicaRouting {};

// Any object: where its two weights stand (JSON pointers, or dotted paths with [index]).
struct GenericRouting {
  std::string api_version;
  std::string kind;
  ObjectRef object;
  std::string stable_path;
  std::string candidate_path;
  int64_t total = 100;  // what both weights sum to
};

using RoutingSettings = std::variant<IstioRouting, GatewayRouting, NginxRouting, AlbRouting,
                                     TraefikRouting, ContourRouting, ApisixRouting, SmiRouting,
                                     ServiceRouting, ReplicaRouting, GenericRouting>;

struct Routing {
  RoutingSettings settings;
  SourceSpan span;
};

// The key a router is written with: "istio", "gatewayApi", "nginx", "alb", "traefik", "contour",
// "apisix", "smi", "service", "replicas", "generic".
const char* NameOf(const RoutingSettings& settings);

// What a router can do. Checked when a guard is loaded, so that a release never finds out half-way.
struct RoutingCapabilities {
  bool weights = true;   // any share, not only 0 and 100
  bool headers = false;  // header match
  bool header_regex = false;
  bool cookies = false;
  bool query = false;
  bool mirror = false;
  bool mirror_share = false;  // a part of the requests, not only all
};
RoutingCapabilities CapabilitiesOf(const RoutingSettings& settings);

}  // namespace rollguard::spec
