// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <deque>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/promql_text.h"
#include "agent/promql/fold_report.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "promql fold";
constexpr std::string_view kHelp =
    R"(usage: rollguard promql fold [--max-values N] [-o json] FILE

Shows how queries that are due together are asked: FILE has one query a line (- for the standard
input; empty lines and lines that begin with # are left out). Queries that differ in the value of a
label are folded into one grouped request; what is above the fold is evaluated in the agent.

options:
  --max-values N   values in one alternation (200)
  -o json          the plan for machines

exit code: 0 planned, 1 a query is wrong, 2 wrong usage

example:
  printf 'sum(rate(x{app="%s"}[5m])) > 1\n' a b c | rollguard promql fold -
)";

struct Line {
  std::string_view text;
  uint32_t number = 0;
};

std::vector<Line> QueriesIn(std::string_view file) {
  std::vector<Line> lines;
  uint32_t number = 0;
  for (std::string_view line : Split(file, '\n')) {
    ++number;
    std::string_view text = Trim(line);
    if (!text.empty() && text.front() != '#') lines.push_back({text, number});
  }
  return lines;
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(args, {{"--max-values", "--output"}, {}});
  if (!options) return UsageError(kName, options.error().message);
  if (options->arguments.size() != 1)
    return UsageError(kName, "give one file (- for the standard input)");
  auto max_values = ParseInt(options->Get("--max-values", "200"));
  if (!max_values || *max_values < 1)
    return UsageError(kName, "--max-values must be a number above 0");
  auto file = ReadFile(options->arguments[0]);
  if (!file) return Fail(kName, file.error().message);
  std::deque<promql::Query> queries;
  std::vector<const promql::Query*> pointers;
  bool wrong = false;
  for (const Line& line : QueriesIn(*file)) {
    promql::ParseResult result = promql::Parse(line.text);
    if (!result.ok()) {
      wrong = true;
      ShowErrors(StrCat(options->arguments[0], " line ", line.number), line.text, result.errors);
      continue;
    }
    queries.push_back(std::move(result.query));
    pointers.push_back(&queries.back());
  }
  if (wrong) return kFound;
  promql::FoldLimits limits;
  limits.max_values = static_cast<size_t>(*max_values);
  promql::FoldPlan plan = promql::PlanFold(pointers, limits);
  bool json = options->Get("--output") == "json";
  std::string out = json ? PlanToJson(plan).Dump(2) + "\n" : DescribePlan(plan);
  std::fputs(out.c_str(), stdout);
  return kOk;
}

}  // namespace

extern const Command kPromqlFoldCommand;
const Command kPromqlFoldCommand = {kName, "show how queries are folded into few requests", kHelp,
                                    Run};

}  // namespace rollguard::cli
