// SPDX-License-Identifier: Apache-2.0
// What `-o` asks for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/json.h"
#include "agent/cli/options.h"

namespace rollguard::cli {

// The word behind -o. `words` are those that are known, the first is what stands for none; the
// error names them.
Expected<std::string> OutputOf(const Options& options, const std::vector<std::string_view>& words);

// Prints it when `output` is json or yaml; false when it is neither.
bool PrintAs(const Json& value, std::string_view output);

}  // namespace rollguard::cli
