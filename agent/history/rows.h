// SPDX-License-Identifier: Apache-2.0
// Records to SQL values and back.
#pragma once

#include "agent/history/chain.h"
#include "agent/history/database.h"

namespace rollguard::history {

Json ToJson(const ReleaseRow& row);
ReleaseRow ReleaseFromJson(const Json& json);

// Columns in this order: seq, chain, previous, hash, kind, id, at, guard, release_id, actor, body.
inline constexpr std::string_view kFactColumns =
    "seq, chain, previous, hash, kind, id, at, guard, release_id, actor, body";
ChainRow FactFromRow(const Row& row);

// " WHERE ..." with placeholders from $1, and the values for them. `time_column` is what
// since/until compare with.
struct Where {
  std::string sql;
  Row values;
};
Where WhereOf(const HistoryFilter& filter, std::string_view time_column, bool facts);

}  // namespace rollguard::history
