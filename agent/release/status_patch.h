// SPDX-License-Identifier: Apache-2.0
// How a state is written over the status that is stored, which another version may have written.
#pragma once

#include "agent/base/json.h"

namespace rollguard::release {

// The merge patch that makes the state in `stored` that of `wanted` (both whole statuses) and takes
// away nothing that this version does not know: a newer version's members stay, also in a release
// that goes on. Lists are replaced whole.
Json StatusPatch(const Json& stored, const Json& wanted);

}  // namespace rollguard::release
