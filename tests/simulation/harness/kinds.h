// SPDX-License-Identifier: Apache-2.0
// Which objects carry traffic, and which carry pods.
#pragma once

#include <string_view>

namespace rollguard::simulation {

inline bool IsRouteKind(std::string_view kind) {
  return kind == "VirtualService" || kind == "DestinationRule" || kind == "HTTPRoute" ||
         kind == "Ingress" || kind == "TraefikService" || kind == "HTTPProxy" ||
         kind == "ApisixRoute" || kind == "TrafficSplit" || kind == "Splitter" || kind == "Service";
}

inline bool IsWorkload(std::string_view kind) {
  return kind == "Deployment" || kind == "StatefulSet" || kind == "DaemonSet" ||
         kind == "Rollout" || kind == "Canary";
}

}  // namespace rollguard::simulation
