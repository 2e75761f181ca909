// SPDX-License-Identifier: Apache-2.0
// The deployments' shape -> a Guard object. Pure.
#pragma once

#include "agent/base/expected.h"
#include "agent/base/json.h"

namespace rollguard::api {

// `body` is a DeploymentBody; `present` the Guard as it is, or null. What the body does not speak
// of stays. The result was loaded and checked as any Guard is.
Expected<Json> WriteGuard(const Json& body, const Json& present);

}  // namespace rollguard::api
