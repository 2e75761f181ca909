// SPDX-License-Identifier: Apache-2.0
// Objects as meta.k8s.io/v1 Table: the columns of `kubectl get`.
#pragma once

#include <vector>

#include "agent/base/time.h"
#include "agent/sim/object.h"
#include "agent/sim/type_registry.h"

namespace rollguard::sim {

// `include` is the query's includeObject: "Object", "None" or (default) "Metadata".
Json MakeTable(const TypeInfo& info, const std::vector<const Json*>& objects, const Json& list_meta,
               std::string_view include, bool with_columns, Time now);

// A CRD column's path: ".spec.x", ".status.conditions[?(@.type==\"Ready\")].status", ".a[0]".
Json EvaluateColumn(const Json& object, std::string_view path);

}  // namespace rollguard::sim
