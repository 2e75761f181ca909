// SPDX-License-Identifier: Apache-2.0
// What the promql commands share: the expression from the command line, errors with a caret.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/expected.h"
#include "agent/cli/options.h"
#include "agent/promql/parser.h"

namespace rollguard::cli {

// The only argument, the standard input for "-".
Expected<std::string> ExpressionOf(const Options& options);

// Prints every error under its line of the expression; `name` stands where a file's name would.
void ShowErrors(std::string_view name, std::string_view text,
                const std::vector<promql::ParseError>& errors);

}  // namespace rollguard::cli
