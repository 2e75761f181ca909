// SPDX-License-Identifier: Apache-2.0
#include "agent/history/rows.h"

#include "agent/base/text.h"

namespace rollguard::history {
namespace {

void SetTime(Json& out, std::string_view key, const std::optional<Time>& time) {
  if (time) out.Set(key, ToUnixMillis(*time));
}

std::optional<Time> GetTime(const Json& json, std::string_view key) {
  const Json* found = json.Find(key);
  return found != nullptr && found->is_int() ? std::optional(FromUnixMillis(found->IntOr(0)))
                                             : std::nullopt;
}

}  // namespace

Json ToJson(const ReleaseRow& row) {
  Json out = Json::Obj({{"id", row.id},
                        {"guard", row.guard},
                        {"strategy", row.strategy},
                        {"revision", row.revision},
                        {"previous", row.previous},
                        {"started", ToUnixMillis(row.started)},
                        {"outcome", row.outcome},
                        {"trigger", row.trigger},
                        {"triggerKind", row.trigger_kind}});
  SetTime(out, "ended", row.ended);
  SetTime(out, "triggerAt", row.trigger_at);
  SetTime(out, "safeAt", row.safe_at);
  SetTime(out, "commitTime", row.commit_time);
  if (row.right) out.Set("right", *row.right);
  return out;
}

ReleaseRow ReleaseFromJson(const Json& json) {
  ReleaseRow row{.id = json.At("id").Str(),
                 .guard = json.At("guard").Str(),
                 .strategy = json.At("strategy").Str(),
                 .revision = json.At("revision").Str(),
                 .previous = json.At("previous").Str(),
                 .started = FromUnixMillis(json.At("started").IntOr(0)),
                 .ended = GetTime(json, "ended"),
                 .outcome = json.At("outcome").Str(),
                 .trigger = json.At("trigger").Str(),
                 .trigger_kind = json.At("triggerKind").Str(),
                 .trigger_at = GetTime(json, "triggerAt"),
                 .safe_at = GetTime(json, "safeAt"),
                 .commit_time = GetTime(json, "commitTime"),
                 .right = {}};
  if (const Json* right = json.Find("right")) row.right = right->BoolOr(false);
  return row;
}

ChainRow FactFromRow(const Row& row) {
  auto text = [&](size_t i) { return row[i].value_or(""); };
  auto number = [&](size_t i) { return ParseInt(text(i)).value_or(0); };
  auto body = ParseJson(text(10));
  return {.seq = number(0),
          .chain = text(1),
          .previous = text(2),
          .hash = text(3),
          .record = {.kind = text(4),
                     .id = text(5),
                     .at = FromUnixMillis(number(6)),
                     .guard = text(7),
                     .release = text(8),
                     .actor = text(9),
                     .body = body ? std::move(*body) : Json()},
          .body_text = text(10)};
}

Where WhereOf(const HistoryFilter& filter, std::string_view time_column, bool facts) {
  Where where;
  auto add = [&](std::string_view condition, std::string value) {
    where.sql += where.values.empty() ? " WHERE " : " AND ";
    where.values.emplace_back(std::move(value));
    where.sql += StrCat(condition, " $", where.values.size());
  };
  if (facts && !filter.kind.empty()) add("kind =", filter.kind);
  if (!filter.id.empty()) add("id =", filter.id);
  if (!filter.guard.empty()) add("guard =", filter.guard);
  if (!filter.release.empty())
    add(facts || time_column == "at" ? "release_id =" : "id =", filter.release);
  // Values travel as text; SQLite compares text with an integer column by its affinity.
  if (filter.since) add(StrCat(time_column, " >="), std::to_string(ToUnixMillis(*filter.since)));
  if (filter.until) add(StrCat(time_column, " <"), std::to_string(ToUnixMillis(*filter.until)));
  if (facts && filter.before_seq > 0) add("seq <", std::to_string(filter.before_seq));
  return where;
}

}  // namespace rollguard::history
