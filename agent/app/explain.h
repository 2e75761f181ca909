// SPDX-License-Identifier: Apache-2.0
// Stored decisions and releases in words: what `rollguard explain` and `rollguard history` print.
// Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/ports/history.h"
#include "agent/release/replay.h"

namespace rollguard::app {

// One decision: what was decided, by whom and why; every signal with its query, value, threshold
// and samples; the confidence with its parts; the patches; what became of the release. `given` is
// the record of the Step, or null when it is no longer kept.
std::string ExplainDecision(const HistoryRecord& decision, const Json& given,
                            const std::optional<ReleaseRow>& release);
Json ExplainJson(const HistoryRecord& decision, const Json& given,
                 const std::optional<ReleaseRow>& release);

// The outcome of a replay, for people.
std::string ReplayText(const HistoryRecord& decision, const release::Replayed& replayed);
Json ReplayJson(const HistoryRecord& decision, const release::Replayed& replayed);

}  // namespace rollguard::app
