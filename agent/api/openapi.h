// SPDX-License-Identifier: Apache-2.0
// The OpenAPI 3 document and docs/api.md, both from the table of routes and the table of shapes.
#pragma once

#include <string>

#include "agent/base/json.h"

namespace rollguard::api {

Json OpenApiDocument(const std::string& version);
std::string ReferenceText();

}  // namespace rollguard::api
