// SPDX-License-Identifier: Apache-2.0
// Reading routing objects as the data plane does: who gets which share of a flow's requests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/base/json.h"
#include "agent/ports/cluster.h"
#include "agent/sim/api_server.h"

namespace rollguard::sim {

// Which object decides. kService: the Service's own endpoints (replica ratio, blue/green selector).
struct RouteSource {
  enum class Kind {
    kService,
    kVirtualService,
    kHttpRoute,
    kNginxIngress,
    kGeneric,
    kAlbIngress,
    kTraefik,
    kHttpProxy,
    kApisix,
    kTrafficSplit,
  };
  Kind kind = Kind::kService;
  std::string name;   // of the routing object; the main Ingress for kNginxIngress
  std::string route;  // VirtualService: http route name, "" for the first that matches
  // kGeneric: the object's type, and per backend a JSON pointer to its weight.
  ResourceType type;
  struct Backend {
    std::string weight_pointer;
    std::string service;
  };
  std::vector<Backend> backends;
};

// One destination: pods behind `service`, narrowed by `subset` labels.
struct Destination {
  std::string service;
  Json subset;          // label map, or null
  double share = 0;     // 0..1 of the flow
  bool mirror = false;  // a copy: not part of the sum
};

// What the routing object says, its weights as they are written there (mirrors and NGINX: 0..1).
// Destinations without weight are left in.
std::vector<Destination> ReadRoute(const ApiServer& api, const RouteSource& source,
                                   const std::string& ns, const std::string& service,
                                   const std::map<std::string, std::string>& headers);

// The split at this moment. Empty when the routing object is missing or sends nowhere (all of the
// flow is lost then).
std::vector<Destination> ResolveRoute(const ApiServer& api, const RouteSource& source,
                                      const std::string& ns, const std::string& service,
                                      const std::map<std::string, std::string>& headers);

}  // namespace rollguard::sim
