// SPDX-License-Identifier: Apache-2.0
// Sets of fields in the form Kubernetes keeps them in metadata.managedFields (FieldsV1):
// {"f:spec": {"f:replicas": {}, "f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:image":
// {}}}}}. A leaf is an empty object; "." is the item or object itself.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/base/json.h"
#include "agent/sim/lists.h"

namespace rollguard::sim {

// "f:spec" > "f:replicas": one leaf.
using FieldPath = std::vector<std::string>;

// Every field that `object` sets, server-owned metadata, apiVersion and kind left out.
Json FieldsOf(const Json& object, const SchemaPosition& root);

// Fields of `after` that `before` lacks or holds otherwise (first) and fields that are gone
// (second).
std::pair<Json, Json> ChangedFields(const Json& before, const Json& after,
                                    const SchemaPosition& root);

Json UnionFields(const Json& a, const Json& b);
Json SubtractFields(const Json& a, const Json& b);
bool HasField(const Json& fields, const FieldPath& path);
void ForEachField(const Json& fields, const std::function<void(const FieldPath&)>& visit);

// The value at a path; nullptr when there is none. "." stands for the item itself.
const Json* ValueAt(const Json& object, const FieldPath& path);
// Removes what stands at the path, and parents that become empty by it.
void RemoveField(Json& object, const FieldPath& path);
// ".spec.template.spec.containers[name=\"app\"].image"
std::string FieldPathText(const FieldPath& path);

}  // namespace rollguard::sim
