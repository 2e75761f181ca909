// SPDX-License-Identifier: Apache-2.0
// Image references as people give them. Pure.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/expected.h"
#include "agent/base/json.h"

namespace rollguard::api {

// A whole image ("shop/cart:v2", "cart@sha256:...") as it is; a tag ("v2") put onto `present`.
Expected<std::string> ResolveImage(std::string_view version, std::string_view present);

// Which container of a workload's template is meant: `wanted`, else the one named like the
// workload, else the first. Its index.
Expected<size_t> FindContainer(const Json& workload, const std::string& wanted);

}  // namespace rollguard::api
