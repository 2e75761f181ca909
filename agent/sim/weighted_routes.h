// SPDX-License-Identifier: Apache-2.0
// Routers whose split is one list of weighted backends: AWS ALB actions, Traefik, Contour, APISIX
// and SMI. Users without special headers; see routes.h for the others and for what the values mean.
#pragma once

#include <string>
#include <vector>

#include "agent/sim/routes.h"

namespace rollguard::sim {

std::vector<Destination> ReadAlb(const ApiServer& api, const RouteSource& source,
                                 const std::string& ns);
std::vector<Destination> ReadTraefik(const ApiServer& api, const RouteSource& source,
                                     const std::string& ns);
std::vector<Destination> ReadHttpProxy(const ApiServer& api, const RouteSource& source,
                                       const std::string& ns);
std::vector<Destination> ReadApisix(const ApiServer& api, const RouteSource& source,
                                    const std::string& ns);
// Without a TrafficSplit object the Service decides.
std::vector<Destination> ReadTrafficSplit(const ApiServer& api, const RouteSource& source,
                                          const std::string& ns, const std::string& service);

}  // namespace rollguard::sim
