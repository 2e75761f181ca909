// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/remote_history.h"

#include <algorithm>
#include <limits>

#include "agent/base/text.h"

namespace rollguard::cli {
namespace {

constexpr size_t kPage = 500;  // what the agent gives at once at most

void Add(std::string& path, std::string_view name, std::string_view value) {
  if (!value.empty())
    path += StrCat(path.find('?') == std::string::npos ? "?" : "&", name, "=", UrlEncode(value));
}

void AddTime(std::string& path, std::string_view name, const std::optional<Time>& time) {
  if (time) Add(path, name, FormatRfc3339(*time));
}

std::optional<Time> TimeAt(const Json& json, std::string_view name) {
  auto time = ParseRfc3339(json.At(name).Str());
  return time.ok() ? std::optional(*time) : std::nullopt;
}

StoredRecord RecordFrom(const Json& json) {
  return {.seq = json.At("seq").IntOr(0),
          .record = {.kind = json.At("kind").Str(),
                     .id = json.At("id").Str(),
                     .at = TimeAt(json, "at").value_or(Time{}),
                     .guard = json.At("guard").Str(),
                     .release = json.At("release").Str(),
                     .actor = json.At("actor").Str(),
                     .body = json.At("body"),
                     .given = {}},
          .hash = json.At("hash").Str()};
}

ReleaseRow ReleaseFrom(const Json& json) {
  ReleaseRow row;
  row.id = json.At("id").Str();
  row.guard = json.At("guard").Str();
  row.strategy = json.At("strategy").Str();
  row.revision = json.At("revision").Str();
  row.previous = json.At("previous").Str();
  row.started = TimeAt(json, "startedAt").value_or(Time{});
  row.ended = TimeAt(json, "endedAt");
  row.outcome = json.At("outcome").Str();
  row.trigger = json.At("trigger").Str();
  row.trigger_kind = json.At("triggerKind").Str();
  row.trigger_at = TimeAt(json, "triggerAt");
  row.safe_at = TimeAt(json, "safeAt");
  row.commit_time = TimeAt(json, "commitAt");
  if (json.At("right").is_bool()) row.right = json.At("right").BoolOr(false);
  return row;
}

}  // namespace

Expected<std::vector<Json>> RemoteHistory::Pages(const std::string& path,
                                                 const HistoryFilter& filter) {
  std::string base = path;
  Add(base, "guard", filter.guard);
  AddTime(base, "since", filter.since);
  AddTime(base, "until", filter.until);
  std::vector<Json> items;
  std::string next;
  do {
    std::string page = base;
    Add(page, "limit", std::to_string(std::min(kPage, filter.limit - items.size())));
    Add(page, "continue", next);
    auto answer = remote_->Get(page);
    if (!answer) return answer.error();
    for (const Json& item : answer->At("items").items()) items.push_back(item);
    next = answer->At("next").Str();
  } while (!next.empty() && items.size() < filter.limit);
  return items;
}

Expected<std::vector<StoredRecord>> RemoteHistory::Find(const HistoryFilter& filter) {
  std::string path = "/api/v1/history";
  Add(path, "kind", filter.kind);
  Add(path, "id", filter.id);
  Add(path, "release", filter.release);
  auto items = Pages(path, filter);
  if (!items) return items.error();
  std::vector<StoredRecord> found;
  for (const Json& item : *items) {
    found.push_back(RecordFrom(item));
    if (std::string hash = item.At("body", "given").Str(); !hash.empty())
      given_of_[hash] = found.back().record.id;
  }
  return found;
}

Expected<std::vector<ReleaseRow>> RemoteHistory::Releases(const HistoryFilter& filter) {
  std::string id = filter.id.empty() ? filter.release : filter.id;
  std::vector<ReleaseRow> found;
  if (!id.empty()) {
    auto one = remote_->Get(StrCat("/api/v1/releases/", UrlEncode(id)));
    if (!one && one.error().code == ErrorCode::kNotFound) return found;
    if (!one) return one.error();
    found.push_back(ReleaseFrom(one->At("release")));
    return found;
  }
  auto items = Pages("/api/v1/releases", filter);
  if (!items) return items.error();
  for (const Json& item : *items) found.push_back(ReleaseFrom(item));
  return found;
}

Expected<std::vector<MeasurementRow>> RemoteHistory::Measurements(const HistoryFilter& filter) {
  std::string path = "/api/v1/measurements";
  Add(path, "release", filter.release);
  auto items = Pages(path, filter);
  if (!items) return items.error();
  std::vector<MeasurementRow> found;
  for (const Json& item : *items) {
    found.push_back({.at = TimeAt(item, "at").value_or(Time{}),
                     .guard = item.At("guard").Str(),
                     .release = item.At("release").Str(),
                     .metric = item.At("metric").Str(),
                     .value = item.At("value").DoubleOr(std::numeric_limits<double>::quiet_NaN()),
                     .verdict = item.At("verdict").Str()});
  }
  return found;
}

Expected<std::string> RemoteHistory::Given(const std::string& hash) {
  auto decision = given_of_.find(hash);
  if (decision == given_of_.end()) return History::Given(hash);
  auto answer = remote_->Get(StrCat("/api/v1/decisions/", UrlEncode(decision->second), "/given"));
  if (!answer) return answer.error();
  return answer->Dump();
}

}  // namespace rollguard::cli
