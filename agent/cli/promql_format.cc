// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "agent/cli/command.h"
#include "agent/cli/promql_text.h"
#include "agent/promql/printer.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "promql format";
constexpr std::string_view kHelp =
    R"(usage: rollguard promql format [--variables] EXPR

Prints a PromQL expression in its canonical form: one line, keywords in lower case, grouping clauses
before the parentheses, comments gone. The result means the same and formats to itself.

options:
  --variables   take $name in quoted label values and durations as variables, as rules do

exit code: 0 formatted, 1 the expression is wrong, 2 wrong usage

example:
  rollguard promql format 'SUM(rate(x [5m])) BY (job)'
)";

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(args, {{}, {"--variables"}});
  if (!options) return UsageError(kName, options.error().message);
  auto text = ExpressionOf(*options);
  if (!text) return UsageError(kName, text.error().message);
  promql::ParseResult result = promql::Parse(*text, {.variables = options->Has("--variables")});
  if (!result.ok()) {
    ShowErrors("expression", *text, result.errors);
    return kFound;
  }
  std::puts(promql::Print(result.query).c_str());
  return kOk;
}

}  // namespace

extern const Command kPromqlFormatCommand;
const Command kPromqlFormatCommand = {kName, "print a PromQL expression in canonical form", kHelp,
                                      Run};

}  // namespace rollguard::cli
