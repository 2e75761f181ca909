// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "agent/app/explain.h"
#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/history_source.h"
#include "agent/cli/output.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "replay";
constexpr std::string_view kHelp =
    R"(usage: rollguard replay ID...
       rollguard replay --all [--guard NS/NAME] [--since TIME]

Takes a decision again from what was recorded with it (guard, state and observation, whole) and
compares every action, the new state and the reasons. The same answer proves that the record is
what was decided on; another one shows a change of the record or of the engine.

options:
  --server URL         the agent that is asked ($ROLLGUARD_SERVER; http://127.0.0.1:9442)
  --token-file FILE    bearer token ($ROLLGUARD_TOKEN_FILE, $ROLLGUARD_TOKEN)
  --ca-file FILE       trust this CA and no other ($ROLLGUARD_CA_FILE)
  --history ADDRESS    no agent: its history.db, or postgres://USER@HOST/NAME
  --config FILE        no agent: the history that its configuration names
  --all                every decision, newest first
  --guard NS/NAME      with --all: of this guard
  --since TIME         with --all: not older than this (36h, 30d, 2026-11-02T10:00:00Z)
  --until TIME         with --all: older than this
  --limit N            with --all: at most so many (1000)
  -o text|json         json: one line for each decision

exit code: 0 the same answer every time, 1 another answer, or nothing to replay, 2 wrong usage

examples:
  rollguard replay 7hq2mxk4bd
  rollguard replay --all --since 7d --history postgres://rollguard@db/rollguard
)";

Expected<std::vector<HistoryRecord>> Chosen(History& history, const Options& options) {
  std::vector<HistoryRecord> out;
  for (const std::string& id : options.arguments) {
    auto found = FindDecision(history, id);
    if (!found) return found.error();
    out.push_back(std::move(found->record));
  }
  if (!options.Has("--all")) return out;
  auto filter = FilterOf(options, 1000);
  if (!filter) return filter.error();
  filter->kind = "decision";
  auto found = history.Find(*filter);
  if (!found) return found.error();
  for (StoredRecord& one : *found) out.push_back(std::move(one.record));
  return out;
}

// Prints the outcome of one; true when it came out the same.
Expected<bool> ReplayOne(History& history, const HistoryRecord& decision, bool json, bool brief) {
  auto given = GivenOf(history, decision);
  if (!given) return given.error();
  if (given->is_null()) {
    return Error(ErrorCode::kNotFound,
                 StrCat("what decision ", decision.id, " was made from is no longer kept"));
  }
  auto replayed = release::Replay(*given);
  if (!replayed) return replayed.error();
  if (json) {
    std::puts(app::ReplayJson(decision, *replayed).Dump().c_str());
  } else if (!brief || !replayed->Same()) {
    std::fputs(app::ReplayText(decision, *replayed).c_str(), stdout);
  }
  return replayed->Same();
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(
      args, {HistoryValues({"--guard", "--release", "--since", "--until", "--limit"}), {"--all"}});
  if (!options) return UsageError(kName, options.error().message);
  auto output = OutputOf(*options, {"text", "json"});
  if (!output) return UsageError(kName, output.error().message);
  bool all = options->Has("--all"), json = *output == "json";
  if (options->arguments.empty() != all) {
    return UsageError(kName, "give ids of decisions, or --all");
  }
  auto history = OpenHistory(*options);
  if (!history) return Fail(kName, history.error().message);
  auto chosen = Chosen(**history, *options);
  if (!chosen) return Fail(kName, chosen.error().message);
  size_t same = 0, gone = 0;
  for (const HistoryRecord& decision : *chosen) {
    auto replayed = ReplayOne(**history, decision, json, all);
    if (!replayed && !(all && replayed.error().code == ErrorCode::kNotFound))
      return Fail(kName, replayed.error().message);
    gone += replayed ? 0 : 1;
    same += replayed && *replayed ? 1 : 0;
  }
  if (all && !json) {
    std::printf("%zu of %zu decisions came out the same", same, chosen->size());
    if (gone > 0) std::printf(", %zu are no longer kept", gone);
    std::puts("");
  }
  return same + gone == chosen->size() && same > 0 ? kOk : kFound;
}

}  // namespace

extern const Command kReplayCommand;
const Command kReplayCommand = {kName, "take a recorded decision again", kHelp, Run};

}  // namespace rollguard::cli
