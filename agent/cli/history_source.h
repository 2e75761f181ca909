// SPDX-License-Identifier: Apache-2.0
// The history that a command reads: the running agent's over REST, or with `--history FILE|URL` and
// `--config FILE` the database itself, for when no agent runs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/cli/options.h"
#include "agent/history/sql_history.h"

namespace rollguard::cli {

// Their options: those of Remote, --history and --config.
std::vector<std::string_view> HistoryValues(std::vector<std::string_view> more = {});
// Whether the database is read, not an agent asked.
bool ReadsDatabase(const Options& options);

// A history for reading only: nothing is written, no schema is changed.
Expected<std::unique_ptr<History>> OpenHistory(const Options& options);
Expected<std::unique_ptr<history::SqlHistory>> OpenDatabase(const Options& options);

// "2026-11-02T10:00:00Z", or a time ago: "90m", "36h", "30d", "2w". Absent: nothing.
Expected<std::optional<Time>> TimeOption(const Options& options, std::string_view name);
// --guard --release --since --until --limit
Expected<HistoryFilter> FilterOf(const Options& options, size_t limit);

// The decision of that id; the error says what to do when there is none.
Expected<StoredRecord> FindDecision(History& history, const std::string& id);
// What it was made from, as a document; null when it is no longer kept.
Expected<Json> GivenOf(History& history, const HistoryRecord& decision);

}  // namespace rollguard::cli
