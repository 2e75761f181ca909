// SPDX-License-Identifier: Apache-2.0
// The defaults the real API server writes into objects of built-in kinds, and the fields it sets
// itself at creation.
#pragma once

#include "agent/base/json.h"
#include "agent/sim/type_registry.h"

namespace rollguard::sim {

// Fills what is absent. Idempotent.
void ApplyDefaults(const TypeInfo& info, Json& object);

// Fills what a custom object's schema gives defaults for, and drops what the schema does not know
// (unless x-kubernetes-preserve-unknown-fields).
void ApplySchema(const Json& schema, Json& object);

}  // namespace rollguard::sim
