// SPDX-License-Identifier: Apache-2.0
// The objects that lead to the service "checkout", with Istio's routes at rest on stable.
#pragma once

#include <string>

namespace rollguard::testing {

// A Service, a VirtualService and its DestinationRule, as YAML documents that begin with "---".
std::string RouteManifests(const std::string& ns);

}  // namespace rollguard::testing
