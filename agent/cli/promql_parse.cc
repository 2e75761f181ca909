// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "agent/base/json.h"
#include "agent/cli/command.h"
#include "agent/cli/promql_text.h"
#include "agent/promql/bind.h"
#include "agent/promql/printer.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "promql parse";
constexpr std::string_view kHelp =
    R"(usage: rollguard promql parse [--variables] [-o json] EXPR

Parses a PromQL expression and prints its tree: one node a line, with its type and its place in the
text. Every error is shown, not only the first one.

options:
  --variables   take $name in quoted label values and durations as variables, as rules do
  -o json       {"expression", "type", "variables"}

exit code: 0 it is PromQL, 1 it is not, 2 wrong usage

example:
  rollguard promql parse 'sum by (job) (rate(http_requests_total{code=~"5.."}[5m]))'
)";

Json ToJson(const promql::Query& query) {
  Json variables = Json::Arr();
  for (const std::string& name : promql::VariableNames(query)) variables.Push(name);
  return Json::Obj({{"expression", promql::Print(query)},
                    {"type", promql::Describe(query.type())},
                    {"variables", std::move(variables)}});
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(args, {{"--output"}, {"--variables"}});
  if (!options) return UsageError(kName, options.error().message);
  auto text = ExpressionOf(*options);
  if (!text) return UsageError(kName, text.error().message);
  promql::ParseResult result = promql::Parse(*text, {.variables = options->Has("--variables")});
  if (!result.ok()) {
    ShowErrors("expression", *text, result.errors);
    return kFound;
  }
  bool json = options->Get("--output") == "json";
  std::string out = json ? ToJson(result.query).Dump(2) + "\n" : promql::Dump(result.query);
  std::fputs(out.c_str(), stdout);
  return kOk;
}

}  // namespace

extern const Command kPromqlParseCommand;
const Command kPromqlParseCommand = {kName, "show what a PromQL expression is made of", kHelp, Run};

}  // namespace rollguard::cli
