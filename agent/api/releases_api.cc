// SPDX-License-Identifier: Apache-2.0
// Releases come from the history; those under way get their guard's row beside them.
#include <algorithm>

#include "agent/api/kept_series.h"
#include "agent/api/service.h"
#include "agent/api/view.h"
#include "agent/base/text.h"

namespace rollguard::api {
namespace {

constexpr size_t kRound = 500;
constexpr int kMaxRounds = 20;
constexpr size_t kMaxMeasurements = 20'000;

// `next` of a page: when its last release began, and which one that was.
struct Cursor {
  std::optional<Time> before;
  std::string id;

  static Cursor Parse(const std::string& text) {
    size_t dot = text.find('.');
    auto at = ParseInt(text.substr(0, dot));
    if (!at || dot == std::string::npos) return {};
    return {FromUnixMillis(*at + 1), text.substr(dot + 1)};
  }
  static std::string Of(const ReleaseRow& row) {
    return StrCat(ToUnixMillis(row.started), ".", row.id);
  }
};

bool OutcomeFits(const std::string& wanted, const ReleaseRow& row) {
  if (wanted.empty()) return true;
  if (wanted == "running") return row.outcome.empty();
  return row.outcome == wanted || (wanted == "rolledBack" && row.outcome == "rolled_back");
}

struct ReleasePage {
  std::vector<ReleaseRow> rows;
  std::string next;
};

// Reads on until the page is full: rows the caller may not see do not count.
Expected<ReleasePage> ReadReleases(History& history, const Call& call, const Sight& sight) {
  HistoryFilter filter;
  filter.guard = sight.only_guard;
  filter.since = call.QueryTime("since");
  filter.until = call.QueryTime("until");
  filter.limit = kRound;
  Cursor cursor = Cursor::Parse(call.Query("continue").value_or(""));
  if (cursor.before) filter.until = cursor.before;
  std::string outcome = call.Query("outcome").value_or("");
  size_t limit = call.Limit();
  ReleasePage page;
  std::string skip_to = cursor.id;
  for (int round = 0; round < kMaxRounds; ++round) {
    auto rows = history.Releases(filter);
    if (!rows) return rows.error();
    size_t from = 0;
    if (!skip_to.empty()) {
      auto at = std::find_if(rows->begin(), rows->end(),
                             [&](const ReleaseRow& r) { return r.id == skip_to; });
      if (at != rows->end()) from = static_cast<size_t>(at - rows->begin()) + 1;
    }
    for (size_t i = from; i < rows->size(); ++i) {
      const ReleaseRow& row = (*rows)[i];
      if (!sight.Sees(row.guard) || !OutcomeFits(outcome, row)) continue;
      if (page.rows.size() == limit) {
        page.next = Cursor::Of(page.rows.back());
        return page;
      }
      page.rows.push_back(row);
    }
    if (rows->size() < kRound) {
      page.next.clear();
      return page;
    }
    filter.until = rows->back().started + Duration(1);
    skip_to = rows->back().id;
    page.next = Cursor::Of(rows->back());
  }
  return page;  // not full, and yet there is more: what was read is not the caller's to see
}

}  // namespace

http::Response Service::ListReleases(Call& call) {
  auto sight = SightOf(call);
  if (!sight) return Fail(sight.error());
  auto page = ReadReleases(*parts_.history, call, *sight);
  if (!page) return Fail(page.error());
  auto fleet = ReadFleet();
  if (!fleet) return Fail(fleet.error());
  Json items = Json::Arr();
  for (const ReleaseRow& row : page->rows) {
    Json one = ReleaseJson(row);
    auto live =
        std::lower_bound((*fleet)->begin(), (*fleet)->end(), row.guard,
                         [](const FleetRow& r, const std::string& id) { return r.id < id; });
    if (live != (*fleet)->end() && live->id == row.guard && live->row.At("release").Str() == row.id)
      one.Set("live", live->row);
    items.Push(std::move(one));
  }
  Json out = Json::Obj({{"items", std::move(items)}});
  if (!page->next.empty()) out.Set("next", page->next);
  return Ok(out);
}

Expected<ReleaseRow> Service::FindReleaseRow(const std::string& id) {
  HistoryFilter filter;
  filter.id = id;
  filter.limit = 1;
  auto rows = parts_.history->Releases(filter);
  if (!rows) return rows.error();
  if (rows->empty())
    return Error(ErrorCode::kNotFound,
                 StrCat("there is no release ", Quote(id), "; see GET /api/v1/releases"));
  return rows->front();
}

Expected<Json> Service::SeriesOf(const ReleaseRow& row) {
  HistoryFilter filter;
  filter.guard = row.guard;
  filter.release = row.id;
  filter.limit = kMaxMeasurements;
  auto rows = parts_.history->Measurements(filter);
  if (!rows) return rows.error();
  std::reverse(rows->begin(), rows->end());
  return KeptSeries(row.id, *rows);
}

http::Response Service::GetRelease(Call& call) {
  auto row = FindReleaseRow(call.Path(0));
  if (!row) return Fail(row.error());
  call.guard = row->guard;
  call.release = row->id;
  if (auto refused = Refuse(call, row->guard, call.route.verbs)) return std::move(*refused);
  HistoryFilter filter;
  filter.kind = "decision";
  filter.guard = row->guard;
  filter.release = row->id;
  filter.limit = kRound;
  auto records = parts_.history->Find(filter);
  if (!records) return Fail(records.error());
  auto series = SeriesOf(*row);
  if (!series) return Fail(series.error());
  Json decisions = Json::Arr(), marks = Json::Arr();
  for (const StoredRecord& stored : *records) {
    auto decision = release::DecisionFromJson(stored.record.body);
    if (!decision) continue;
    decisions.Push(DecisionJson(*decision));
    marks.Push(Json::Obj({{"at", FormatRfc3339(decision->at)},
                          {"verdict", release::ToString(decision->verdict)},
                          {"reason", decision->reason}}));
  }
  series->Set("marks", std::move(marks));
  Json release = ReleaseJson(*row);
  auto live = FindGuard(row->guard);
  if (live.ok() && live->state.release && live->state.release->id == row->id) {
    release.Set("live", RowJson({.guard = live->guard,
                                 .state = live->state,
                                 .problem = live->problem,
                                 .now = parts_.clock->Now()}));
  }
  return Ok(Json::Obj({{"release", std::move(release)},
                       {"decisions", std::move(decisions)},
                       {"series", std::move(*series)}}));
}

}  // namespace rollguard::api
