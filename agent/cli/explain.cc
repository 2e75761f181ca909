// SPDX-License-Identifier: Apache-2.0
#include "agent/app/explain.h"

#include <cstdio>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/history_source.h"
#include "agent/cli/output.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "explain";
constexpr std::string_view kHelp =
    R"(usage: rollguard explain ID

Tells one decision in words: what was decided and by whom, every signal with its query, value,
threshold and samples, the confidence with its parts, the changes made, and how the release ended.

options:
  -o text|json|yaml
  --server URL         the agent that is asked ($ROLLGUARD_SERVER; http://127.0.0.1:9442)
  --token-file FILE    bearer token ($ROLLGUARD_TOKEN_FILE, $ROLLGUARD_TOKEN)
  --ca-file FILE       trust this CA and no other ($ROLLGUARD_CA_FILE)
  --history ADDRESS    no agent: its history.db, or postgres://USER@HOST/NAME
  --config FILE        no agent: the history that its configuration names

exit code: 0 told, 1 there is no such decision, or the agent refused or is away, 2 wrong usage

examples:
  rollguard explain 7hq2mxk4bd
  rollguard explain 7hq2mxk4bd --history /var/lib/rollguard/history.db -o yaml
)";

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(args, {HistoryValues(), {}});
  if (!options) return UsageError(kName, options.error().message);
  if (options->arguments.size() != 1) {
    return UsageError(kName,
                      "give the id of one decision; `rollguard get decisions` lists the last ones");
  }
  auto output = OutputOf(*options, {"text", "json", "yaml"});
  if (!output) return UsageError(kName, output.error().message);
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
  if (!PrintAs(app::ExplainJson(found->record, *given, row), *output))
    std::fputs(app::ExplainDecision(found->record, *given, row).c_str(), stdout);
  return kOk;
}

}  // namespace

extern const Command kExplainCommand;
const Command kExplainCommand = {kName, "tell one decision in words", kHelp, Run};

}  // namespace rollguard::cli
