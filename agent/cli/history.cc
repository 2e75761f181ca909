// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "agent/base/diagnostic.h"
#include "agent/base/text.h"
#include "agent/base/tidy.h"
#include "agent/cli/command.h"
#include "agent/cli/history_source.h"
#include "agent/cli/output.h"
#include "agent/cli/table.h"
#include "agent/history/rows.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "history";
constexpr std::string_view kHelp =
    R"(usage: rollguard history [releases|decisions|alerts|measurements|calls] [options]

Lists what happened, newest first; releases when nothing else is said.

options:
  --guard NS/NAME      of this guard
  --release ID         of this release
  --since TIME         not older than this (36h, 30d, 2026-11-02T10:00:00Z)
  --until TIME         older than this
  --limit N            at most so many rows (50)
  -o table|wide|json|yaml
  --server URL         the agent that is asked ($ROLLGUARD_SERVER; http://127.0.0.1:9442)
  --token-file FILE    bearer token ($ROLLGUARD_TOKEN_FILE, $ROLLGUARD_TOKEN)
  --ca-file FILE       trust this CA and no other ($ROLLGUARD_CA_FILE)
  --history ADDRESS    no agent: its history.db, or postgres://USER@HOST/NAME
  --config FILE        no agent: the history that its configuration names

exit code: 0 listed (also when there is nothing), 1 the agent refused or is away, or the history
cannot be read, 2 wrong usage

examples:
  rollguard history --since 7d
  rollguard history decisions --guard shop/checkout -o yaml
  rollguard history calls --history /var/lib/rollguard/history.db
)";

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

// To the second, as "2026-11-02 10:00:07".
std::string Stamp(Time time) {
  std::string text = FormatRfc3339(std::chrono::floor<std::chrono::seconds>(time));
  return StrCat(text.substr(0, 10), " ", text.substr(11, 8));
}

std::string Took(Duration duration) {
  return FormatShortDuration(std::chrono::floor<std::chrono::seconds>(duration));
}

// What a list is printed as: JSON for machines, rows for people.
struct Listing {
  Table table;
  Json json = Json::Arr();
};

int Show(const Listing& listing, std::string_view kind, const std::string& output) {
  if (PrintAs(listing.json, output)) return kOk;
  if (listing.table.rows() == 0) {
    std::fputs(StrCat("no ", kind, "\n").c_str(), stderr);
    return kOk;
  }
  const bool fits = Colours() && output != "wide";
  std::fputs(listing.table.Text(fits ? ScreenWidth() : 0).c_str(), stdout);
  return kOk;
}

std::string TriggerOf(const ReleaseRow& row) {
  if (row.trigger.empty()) return "-";
  return row.trigger == row.trigger_kind ? row.trigger
                                         : StrCat(row.trigger, " (", row.trigger_kind, ")");
}

Expected<Listing> Releases(History& history, const HistoryFilter& filter, bool wide) {
  auto rows = history.Releases(filter);
  if (!rows) return rows.error();
  std::vector<std::string> heads = {"STARTED", "GUARD", "RELEASE", "OUTCOME", "TOOK", "TRIGGER"};
  if (wide)
    heads = {"STARTED", "GUARD", "RELEASE",    "STRATEGY", "FROM",   "TO",
             "OUTCOME", "TOOK",  "SAFE AFTER", "RIGHT",    "TRIGGER"};
  Listing out{Table(heads)};
  for (const ReleaseRow& row : *rows) {
    out.json.Push(history::ToJson(row));
    std::string took = row.ended ? Took(*row.ended - row.started) : "runs";
    std::string outcome = row.outcome.empty() ? "running" : row.outcome;
    if (!wide) {
      out.table.Add({Stamp(row.started), row.guard, row.id, outcome, took, TriggerOf(row)});
      continue;
    }
    std::string safe = row.trigger_at && row.safe_at ? Took(*row.safe_at - *row.trigger_at) : "-";
    out.table.Add({Stamp(row.started), row.guard, row.id, row.strategy, OrDash(row.previous),
                   row.revision, outcome, took, safe, row.right ? (*row.right ? "yes" : "no") : "-",
                   TriggerOf(row)});
  }
  return out;
}

std::string WhatOf(const HistoryRecord& r) {
  if (r.kind == "alert") return r.body.At("status").Str();
  if (r.kind == "call") return r.body.At("operation").Str();
  return r.body.At("verdict").Str();
}

std::string ReasonOf(const HistoryRecord& r) {
  if (r.kind == "alert") return r.body.At("labels", "alertname").Str();
  std::string reason = r.body.At("reason").Str();
  if (r.kind != "call") return reason;
  std::string note = r.body.At("note").Str();
  return StrCat(r.body.At("status").IntOr(0), note.empty() ? "" : StrCat(" ", note),
                reason.empty() ? "" : StrCat(" (", reason, ")"));
}

Expected<Listing> Facts(History& history, HistoryFilter filter, const std::string& kind) {
  filter.kind = kind;
  auto rows = history.Find(filter);
  if (!rows) return rows.error();
  Listing out{Table({"AT", "GUARD", "ID", "WHAT", "ACTOR", "REASON"})};
  for (const StoredRecord& one : *rows) {
    const HistoryRecord& r = one.record;
    out.json.Push(Json::Obj({{"seq", one.seq},
                             {"kind", r.kind},
                             {"id", r.id},
                             {"at", FormatRfc3339(r.at)},
                             {"guard", r.guard},
                             {"release", r.release},
                             {"actor", r.actor},
                             {"body", r.body},
                             {"hash", one.hash}}));
    out.table.Add({Stamp(r.at), OrDash(r.guard), r.id, OrDash(WhatOf(r)), OrDash(r.actor),
                   TidyNumbers(ReasonOf(r))});
  }
  return out;
}

Expected<Listing> Measured(History& history, const HistoryFilter& filter) {
  auto rows = history.Measurements(filter);
  if (!rows) return rows.error();
  Listing out{Table({"AT", "GUARD", "RELEASE", "METRIC", "VALUE", "VERDICT"})};
  for (const MeasurementRow& row : *rows) {
    const bool known = !std::isnan(row.value);
    out.json.Push(Json::Obj({{"at", FormatRfc3339(row.at)},
                             {"guard", row.guard},
                             {"release", row.release},
                             {"metric", row.metric},
                             {"value", known ? Json(row.value) : Json()},
                             {"verdict", row.verdict}}));
    out.table.Add({Stamp(row.at), row.guard, row.release, row.metric,
                   known ? TidyNumbers(FormatNumber(row.value)) : "-", OrDash(row.verdict)});
  }
  return out;
}

int Run(std::span<const std::string_view> args) {
  auto options = ParseOptions(
      args, {HistoryValues({"--guard", "--release", "--since", "--until", "--limit"}), {}});
  if (!options) return UsageError(kName, options.error().message);
  if (options->arguments.size() > 1) return UsageError(kName, "list one kind at a time");
  std::string kind = options->arguments.empty() ? "releases" : options->arguments[0];
  auto output = OutputOf(*options, {"table", "wide", "json", "yaml"});
  if (!output) return UsageError(kName, output.error().message);
  const std::vector<std::string_view> kinds = {"releases", "decisions", "alerts", "measurements",
                                               "calls"};
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end())
    return UsageError(kName, StrCat("there is no list ", Quote(kind), Suggestion(kind, kinds)));
  auto filter = FilterOf(*options, 50);
  if (!filter) return UsageError(kName, filter.error().message);
  auto history = OpenHistory(*options);
  if (!history) return Fail(kName, history.error().message);
  auto listing = kind == "releases" ? Releases(**history, *filter, *output == "wide")
                 : kind == "measurements"
                     ? Measured(**history, *filter)
                     : Facts(**history, *filter, kind.substr(0, kind.size() - 1));
  return listing ? Show(*listing, kind, *output) : Fail(kName, listing.error().message);
}

}  // namespace

extern const Command kHistoryCommand;
const Command kHistoryCommand = {kName, "list releases, decisions, alerts that were", kHelp, Run};

}  // namespace rollguard::cli
