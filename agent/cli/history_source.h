// SPDX-License-Identifier: Apache-2.0
// The history that a command reads: `--history FILE|URL`, or the one a configuration file names.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/cli/options.h"
#include "agent/history/sql_history.h"

namespace rollguard::cli {

// The lines of `--help` that say so.
inline constexpr std::string_view kHistoryHelp =
    R"(  --history ADDRESS    the agent's history.db, or postgres://USER@HOST/NAME
  --config FILE        the agent's configuration: the history that it names
)";

// A history for reading only: nothing is written, no schema is changed.
Expected<std::unique_ptr<history::SqlHistory>> OpenHistory(const Options& options);

// "2026-11-02T10:00:00Z", or a time ago: "90m", "36h", "30d", "2w". Absent: nothing.
Expected<std::optional<Time>> TimeOption(const Options& options, std::string_view name);
// --guard --release --since --until --limit
Expected<HistoryFilter> FilterOf(const Options& options, size_t limit);

// The decision of that id; the error says what to do when there is none.
Expected<StoredRecord> FindDecision(History& history, const std::string& id);
// What it was made from, as a document; null when it is no longer kept.
Expected<Json> GivenOf(History& history, const HistoryRecord& decision);

}  // namespace rollguard::cli
