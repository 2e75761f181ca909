// SPDX-License-Identifier: Apache-2.0
// The part of Kubernetes' JSONPath that web metrics use: {$.a.b}, ['a'], [0], [-1], [*] (the first
// element), [?(@.name=="x")].
#pragma once

#include <string_view>

#include "agent/base/expected.h"
#include "agent/base/json.h"

namespace rollguard::analysis {

// The first value the path leads to, inside `root`. Errors name the step that led nowhere.
Expected<const Json*> FindJsonPath(const Json& root, std::string_view path);

}  // namespace rollguard::analysis
