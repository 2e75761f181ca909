// SPDX-License-Identifier: Apache-2.0
// JSON values as YAML that people read: block style, strings quoted only where they must be,
// several lines as a literal block.
#pragma once

#include <string>

#include "agent/base/json.h"

namespace rollguard::cli {

// Ends with a newline. What it prints reads back as the same value.
std::string ToYaml(const Json& value);

}  // namespace rollguard::cli
