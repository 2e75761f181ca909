// SPDX-License-Identifier: Apache-2.0
// The failures of the API server in its own words.
#pragma once

#include <string_view>
#include <vector>

#include "agent/sim/api_server.h"
#include "agent/sim/validate.h"

namespace rollguard::sim {

ApiReply Fail(ApiFailure failure);
ApiFailure NotFound(const TypeInfo& info, std::string_view name);
ApiFailure NoSuchPath();  // "the server could not find the requested resource"
ApiFailure AlreadyExists(const TypeInfo& info, std::string_view name);
ApiFailure Conflict(const TypeInfo& info, std::string_view name, std::string_view why);
ApiFailure StaleVersion(const TypeInfo& info, std::string_view name);
ApiFailure Invalid(const TypeInfo& info, std::string_view name,
                   const std::vector<FieldProblem>& problems);
ApiFailure BadRequest(std::string_view message);
ApiFailure Forbidden(const TypeInfo& info, std::string_view name, std::string_view why);
ApiFailure Expired(std::string_view message);
ApiFailure MethodNotAllowed(std::string_view message);

}  // namespace rollguard::sim
