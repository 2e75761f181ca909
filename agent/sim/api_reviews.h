// SPDX-License-Identifier: Apache-2.0
// TokenReview and SubjectAccessReview: requests that are answered and never stored.
#pragma once

#include <optional>

#include "agent/sim/api_server.h"

namespace rollguard::sim {

// The answer when the request is a review; nothing for any other request.
std::optional<ApiReply> ServeReview(const ApiOptions& options, const ClusterRequest& request);

}  // namespace rollguard::sim
