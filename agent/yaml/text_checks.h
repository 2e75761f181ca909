// SPDX-License-Identifier: Apache-2.0
// What is looked at before a text is given to the YAML library. Private to agent/yaml.
#pragma once

#include <string>
#include <string_view>

#include "agent/yaml/yaml.h"

namespace rollguard::yaml {

// Refuses what no parser should see: too many bytes, NUL, invalid UTF-8, runs of open brackets
// (yaml-cpp looks far ahead at each). False when something was reported.
bool CheckText(std::string_view file, std::string_view text, Diagnostics& diagnostics,
               const Limits& limits);

// JSON writes characters beyond the basic plane as two \u escapes, which YAML does not know. Both
// become one \U escape; two blanks behind the closing quote would be needed to keep columns, so
// only columns to the right of one on the same line shift.
std::string JoinSurrogates(std::string_view text);

// Whether the text begins like a JSON object or array.
bool LooksLikeJson(std::string_view text);

}  // namespace rollguard::yaml
