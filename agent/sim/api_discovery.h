// SPDX-License-Identifier: Apache-2.0
// What clients ask before they ask for objects: versions, groups, resources, OpenAPI.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/sim/api_http.h"
#include "agent/sim/type_registry.h"

namespace rollguard::sim {

// The answer when `path` is a discovery document, else nothing.
std::optional<ApiHttpResponse> ServeDiscovery(const TypeRegistry& types, const std::string& path,
                                              const std::string& accept);

}  // namespace rollguard::sim
