// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "agent/api/evidence.h"
#include "agent/api/service.h"
#include "agent/api/view.h"
#include "agent/base/text.h"

namespace rollguard::api {
namespace {

struct RowFilter {
  std::vector<std::string_view> states;
  std::string team, part;

  bool Takes(const Json& row) const {
    if (!states.empty() &&
        std::find(states.begin(), states.end(), row.At("state").Str()) == states.end())
      return false;
    if (!team.empty() && row.At("team").Str() != team) return false;
    return part.empty() || ToLower(row.At("id").Str()).find(part) != std::string::npos;
  }
};

// What is read on the deciding thread for one guard.
struct GuardReading {
  std::optional<app::GuardSummary> summary;
  Json evidence = Json::Arr();
};

Json DecisionsJson(const release::GuardState& state) {
  Json list = Json::Arr();
  for (auto it = state.decisions.rbegin(); it != state.decisions.rend(); ++it)
    list.Push(DecisionJson(*it));
  return list;
}

Json LastConfidence(const release::GuardState& state) {
  for (auto it = state.decisions.rbegin(); it != state.decisions.rend(); ++it) {
    if (it->confidence) return release::ToJson(*it->confidence);
  }
  return {};
}

Json DetailJson(const GuardReading& reading, Time now) {
  const app::GuardSummary& g = *reading.summary;
  Shown shown{.guard = g.guard, .state = g.state, .problem = g.problem, .now = now};
  Json reasons = Json::Arr();
  for (const std::string& reason : g.reasons) reasons.Push(reason);
  Json out = Json::Obj({{"summary", RowJson(shown)},
                        {"steps", StepsJson(shown)},
                        {"reasons", std::move(reasons)},
                        {"evidence", reading.evidence},
                        {"decisions", DecisionsJson(g.state)},
                        {"conditions", ConditionsJson(g.state)},
                        {"quarantine", QuarantineJson(g.state)},
                        {"history", StableHistoryJson(g.state)},
                        {"actions", ActionsJson(shown)},
                        {"wayBack", WayBackJson(g.state)}});
  auto add = [&](const char* key, Json value) {
    if (!value.is_null()) out.Set(key, std::move(value));
  };
  add("approval", ApprovalJson(shown));
  add("trigger", TriggerJson(g.state));
  add("confidence", LastConfidence(g.state));
  if (!g.replica.empty()) out.Set("replica", g.replica);
  return out;
}

}  // namespace

http::Response Service::ListGuards(Call& call) {
  auto sight = SightOf(call);
  if (!sight) return Fail(sight.error());
  auto rows = ReadFleet();
  if (!rows) return Fail(rows.error());
  std::string states = call.Query("state").value_or("");
  RowFilter filter{.states = {},
                   .team = call.Query("team").value_or(""),
                   .part = ToLower(call.Query("q").value_or(""))};
  if (!states.empty()) filter.states = Split(states, ',');
  std::string after = call.Query("continue").value_or("");
  size_t limit = call.Limit(), total = 0;
  Json items = Json::Arr();
  std::string last, next;
  for (const FleetRow& row : **rows) {
    if (!sight->Sees(row.id) || !filter.Takes(row.row)) continue;
    ++total;
    if (!after.empty() && row.id <= after) continue;
    if (items.size() < limit) {
      items.Push(row.row);
      last = row.id;
    } else if (next.empty()) {
      next = last;
    }
  }
  Json out = Json::Obj({{"items", std::move(items)}, {"total", total}});
  if (!next.empty()) out.Set("next", next);
  return Ok(out);
}

http::Response Service::GetGuard(Call& call) {
  auto reading = parts_.loop->Ask<GuardReading>([this, id = call.guard] {
    GuardReading r{.summary = parts_.controller->Find(id)};
    if (r.summary && r.summary->problem.empty()) {
      EvidenceSources sources{parts_.sensors, parts_.rules, parts_.analysis, &parts_.source_links};
      r.evidence = EvidenceJson(sources, r.summary->guard, r.summary->state, parts_.clock->Now());
    }
    return r;
  });
  if (!reading) return Busy();
  if (!reading->summary)
    return NotFound(StrCat("there is no guard ", call.guard, " here; see GET /api/v1/guards"));
  return Ok(DetailJson(*reading, parts_.clock->Now()));
}

http::Response Service::GetSeries(Call& call) {
  struct Seen {
    bool known = false;
    std::string earlier;  // the release meant, when this agent has no tape of it
    Json series;
  };
  auto seen = parts_.loop->Ask<Seen>([this, id = call.guard] {
    auto found = parts_.controller->Find(id);
    if (!found) return Seen{};
    Seen out{.known = true, .earlier = {}, .series = tape_.Read(id)};
    const release::GuardState& state = found->state;
    if (tape_.ReleaseOf(id).empty())
      out.earlier = state.release ? state.release->id : state.last ? state.last->release : "";
    return out;
  });
  if (!seen) return Busy();
  if (!seen->known)
    return NotFound(StrCat("there is no guard ", call.guard, " here; see GET /api/v1/guards"));
  if (seen->earlier.empty()) return Ok(seen->series);
  auto kept = SeriesOf({.id = seen->earlier, .guard = call.guard});
  return kept ? Ok(*kept) : Fail(kept.error());
}

}  // namespace rollguard::api
