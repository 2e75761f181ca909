// SPDX-License-Identifier: Apache-2.0
#include "agent/app/explain.h"

#include <cstdio>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/history_source.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "explain";
constexpr std::string_view kHelp =
    R"(usage: rollguard explain ID --history ADDRESS [-o json]

Tells one decision in words: what was decided and by whom, every signal with its query, value,
threshold and samples, the confidence with its parts, the changes made, and how the release ended.

options:
  --history ADDRESS    the agent's history.db, or postgres://USER@HOST/NAME
  --config FILE        the agent's configuration: the history that it names
  -o json              for machines

exit code: 0 told, 1 there is no such decision, 2 wrong usage

example:
  rollguard explain 7hq2mxk4bd --history /var/lib/rollguard/history.db
)";

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(args, {{"--history", "--config", "--output"}, {}});
  if (!options) return UsageError(kName, options.error().message);
  if (options->arguments.size() != 1) return UsageError(kName, "give the id of one decision");
  auto history = OpenHistory(*options);
  if (!history) return Fail(kName, history.error().message);
  auto found = FindDecision(**history, options->arguments[0]);
  if (!found) return Fail(kName, found.error().message);
  auto given = GivenOf(**history, found->record);
  if (!given) return Fail(kName, given.error().message);
  std::optional<ReleaseRow> row;
  if (!found->record.release.empty()) {
    auto rows = (*history)->Releases({.id = found->record.release, .limit = 1});
    if (!rows) return Fail(kName, rows.error().message);
    if (!rows->empty()) row = rows->front();
  }
  if (options->Get("--output") == "json") {
    std::puts(app::ExplainJson(found->record, *given, row).Dump(2).c_str());
  } else {
    std::fputs(app::ExplainDecision(found->record, *given, row).c_str(), stdout);
  }
  return kOk;
}

}  // namespace

extern const Command kExplainCommand;
const Command kExplainCommand = {kName, "tell one decision in words", kHelp, Run};

}  // namespace rollguard::cli
