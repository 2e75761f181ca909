// SPDX-License-Identifier: Apache-2.0
// What tests of the history write into it.
#pragma once

#include <future>
#include <string>
#include <utility>

#include "agent/base/text.h"
#include "agent/history/sql_history.h"

namespace rollguard::history {

inline const Time kNow = FromUnixMillis(1'762'077'600'000);

inline HistoryRecord Decision(int n, std::string guard = "shop/cart") {
  return {.kind = "decision",
          .id = StrCat(guard, "-", n),
          .at = kNow + std::chrono::minutes(n),
          .guard = std::move(guard),
          .release = "r1",
          .actor = "rollguard",
          .body = Json::Obj({{"n", n}, {"text", "it's \"quoted\" \xC3\xA9"}})};
}

// Whether it was durable, once it is said.
inline bool AppendDurably(SqlHistory& history, HistoryRecord record) {
  std::promise<bool> durable;
  history.Append(std::move(record), [&](Status status) { durable.set_value(status.ok()); });
  return durable.get_future().get();
}

}  // namespace rollguard::history
