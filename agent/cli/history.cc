// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdio>

#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "agent/cli/history_source.h"
#include "agent/history/rows.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "history";
constexpr std::string_view kHelp =
    R"(usage: rollguard history [releases|decisions|alerts|measurements|calls] --history ADDRESS [options]

Lists what happened, newest first; releases when nothing else is said.

options:
  --history ADDRESS    the agent's history.db, or postgres://USER@HOST/NAME
  --config FILE        the agent's configuration: the history that it names
  --guard NS/NAME      of this guard
  --release ID         of this release
  --since TIME         not older than this (36h, 30d, 2026-11-02T10:00:00Z)
  --until TIME         older than this
  --limit N            at most so many rows (50)
  -o wide|json         more columns, or everything for machines

exit code: 0 listed (also when there is nothing), 1 the history cannot be read, 2 wrong usage

examples:
  rollguard history --history /var/lib/rollguard/history.db --since 7d
  rollguard history decisions --guard shop/checkout --history postgres://rollguard@db/rollguard -o json
)";

using Table = std::vector<std::vector<std::string>>;

// Columns as wide as their widest cell; the last one takes what is left.
void PrintTable(const Table& table) {
  std::vector<size_t> widths;
  for (const auto& row : table) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : table) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] + 2 - row[i].size(), ' ');
    }
    std::puts(line.c_str());
  }
}

std::string OrDash(std::string text) { return text.empty() ? "-" : text; }

int ShowReleases(History& history, const HistoryFilter& filter, std::string_view output) {
  auto rows = history.Releases(filter);
  if (!rows) return Fail(kName, rows.error().message);
  if (output == "json") {
    Json list = Json::Arr();
    for (const ReleaseRow& row : *rows) list.Push(history::ToJson(row));
    std::puts(list.Dump(2).c_str());
    return kOk;
  }
  bool wide = output == "wide";
  Table table = {{"STARTED", "GUARD", "RELEASE", "OUTCOME", "TOOK", "TRIGGER"}};
  if (wide)
    table[0] = {"STARTED", "GUARD", "RELEASE",    "STRATEGY", "FROM",   "TO",
                "OUTCOME", "TOOK",  "SAFE AFTER", "RIGHT",    "TRIGGER"};
  for (const ReleaseRow& row : *rows) {
    std::string took = row.ended ? FormatShortDuration(*row.ended - row.started) : "runs";
    std::string outcome = row.outcome.empty() ? "running" : row.outcome;
    std::string trigger =
        row.trigger.empty() ? "-" : StrCat(row.trigger, " (", row.trigger_kind, ")");
    if (!wide) {
      table.push_back({FormatRfc3339(row.started), row.guard, row.id, outcome, took, trigger});
      continue;
    }
    std::string safe = row.trigger_at && row.safe_at
                           ? FormatShortDuration(*row.safe_at - *row.trigger_at)
                           : std::string("-");
    table.push_back({FormatRfc3339(row.started), row.guard, row.id, row.strategy,
                     OrDash(row.previous), row.revision, outcome, took, safe,
                     row.right ? (*row.right ? "yes" : "no") : "-", trigger});
  }
  PrintTable(table);
  return kOk;
}

int ShowFacts(History& history, HistoryFilter filter, const std::string& kind,
              std::string_view output) {
  filter.kind = kind;
  auto rows = history.Find(filter);
  if (!rows) return Fail(kName, rows.error().message);
  Json list = Json::Arr();
  Table table = {{"AT", "GUARD", "ID", "WHAT", "ACTOR", "REASON"}};
  for (const StoredRecord& one : *rows) {
    const HistoryRecord& r = one.record;
    if (output == "json") {
      list.Push(Json::Obj({{"seq", one.seq},
                           {"kind", r.kind},
                           {"id", r.id},
                           {"at", FormatRfc3339(r.at)},
                           {"guard", r.guard},
                           {"release", r.release},
                           {"actor", r.actor},
                           {"body", r.body},
                           {"hash", one.hash}}));
      continue;
    }
    std::string what = r.body.At("verdict").Str(), reason = r.body.At("reason").Str();
    if (kind == "alert") {
      what = r.body.At("status").Str();
      reason = r.body.At("labels", "alertname").Str();
    }
    table.push_back({FormatRfc3339(r.at), OrDash(r.guard), r.id, OrDash(what), OrDash(r.actor),
                     output == "wide" ? reason : Abbreviate(reason, 100)});
  }
  if (output == "json") {
    std::puts(list.Dump(2).c_str());
  } else {
    PrintTable(table);
  }
  return kOk;
}

int ShowMeasurements(History& history, const HistoryFilter& filter, std::string_view output) {
  auto rows = history.Measurements(filter);
  if (!rows) return Fail(kName, rows.error().message);
  Json list = Json::Arr();
  Table table = {{"AT", "GUARD", "RELEASE", "METRIC", "VALUE", "VERDICT"}};
  for (const MeasurementRow& row : *rows) {
    list.Push(Json::Obj({{"at", FormatRfc3339(row.at)},
                         {"guard", row.guard},
                         {"release", row.release},
                         {"metric", row.metric},
                         {"value", std::isnan(row.value) ? Json() : Json(row.value)},
                         {"verdict", row.verdict}}));
    table.push_back({FormatRfc3339(row.at), row.guard, row.release, row.metric,
                     FormatNumber(row.value), OrDash(row.verdict)});
  }
  if (output == "json") {
    std::puts(list.Dump(2).c_str());
  } else {
    PrintTable(table);
  }
  return kOk;
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(args, {{"--history", "--config", "--output", "--guard", "--release",
                                      "--since", "--until", "--limit"},
                                     {}});
  if (!options) return UsageError(kName, options.error().message);
  if (options->arguments.size() > 1) return UsageError(kName, "list one kind at a time");
  std::string kind = options->arguments.empty() ? "releases" : options->arguments[0];
  std::string output = options->Get("--output");
  if (!output.empty() && output != "wide" && output != "json")
    return UsageError(kName, "-o is wide or json");
  static constexpr std::string_view kKinds[] = {"releases", "decisions", "alerts", "measurements",
                                                "calls"};
  if (std::find(std::begin(kKinds), std::end(kKinds), kind) == std::end(kKinds)) {
    auto near = DidYouMean(kind, kKinds);
    return UsageError(kName, StrCat("there is no list ", Quote(kind),
                                    near ? StrCat(", did you mean ", Quote(*near), "?") : ""));
  }
  auto filter = FilterOf(*options, 50);
  if (!filter) return UsageError(kName, filter.error().message);
  auto history = OpenHistory(*options);
  if (!history) return Fail(kName, history.error().message);
  if (kind == "releases") return ShowReleases(**history, *filter, output);
  if (kind == "measurements") return ShowMeasurements(**history, *filter, output);
  return ShowFacts(**history, *filter, kind.substr(0, kind.size() - 1), output);
}

}  // namespace

extern const Command kHistoryCommand;
const Command kHistoryCommand = {kName, "list releases, decisions, alerts that were", kHelp, Run};

}  // namespace rollguard::cli
