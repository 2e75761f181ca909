// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/promql_text.h"

#include <cstdio>

#include "agent/base/diagnostic.h"

namespace rollguard::cli {

Expected<std::string> ExpressionOf(const Options& options) {
  if (options.arguments.size() != 1) {
    return Error(ErrorCode::kInvalid, "give one expression, in quotes (- for the standard input)");
  }
  return options.arguments[0] == "-" ? ReadFile("-") : options.arguments[0];
}

void ShowErrors(std::string_view name, std::string_view text,
                const std::vector<promql::ParseError>& errors) {
  Diagnostics found;
  for (const promql::ParseError& e : errors) found.Error(name, e.place, e.message);
  for (const Diagnostic& d : found.Sorted()) std::fputs(Render(d, text).c_str(), stderr);
}

}  // namespace rollguard::cli
