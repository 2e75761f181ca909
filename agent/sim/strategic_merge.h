// SPDX-License-Identifier: Apache-2.0
// Kubernetes' strategic merge patch: a merge patch that knows which lists are merged by key, with
// the directives $patch (replace, delete, merge), $retainKeys, $setElementOrder/X and
// $deleteFromPrimitiveList/X.
#pragma once

#include "agent/base/json.h"
#include "agent/sim/lists.h"

namespace rollguard::sim {

// Applies `patch` to `target` in place. A patch that makes no sense (a keyed item without its key)
// is an error and leaves `target` in an unspecified state: patch a copy.
Status ApplyStrategicMerge(Json& target, const Json& patch, const SchemaPosition& at);

}  // namespace rollguard::sim
