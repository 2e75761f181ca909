// SPDX-License-Identifier: Apache-2.0
// GuardState <-> the Guard's status. Times are RFC 3339; what is at its default is left out.
#include "agent/release/state.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/state_json.h"

namespace rollguard::release {
namespace {

constexpr const char* kPhases[] = {"Adopting",    "Idle",   "Pending",   "Preparing",
                                   "Progressing", "Baking", "Promoting", "RollingBack",
                                   "Verifying",   "Held"};
constexpr size_t kMaxReason = 512;

Json QuarantineJson(const GuardState& state) {
  Json list = Json::Arr();
  for (const Rejection& r : state.quarantine) {
    Json one = Json::Obj({{"revision", r.revision},
                          {"reason", Abbreviate(r.reason, kMaxReason)},
                          {"at", FormatRfc3339(r.at)}});
    PutTime(one, "expires", r.expires);
    list.Push(std::move(one));
  }
  return list;
}

Json ConditionsJson(const GuardState& state) {
  Json list = Json::Arr();
  for (const Condition& c : state.conditions) {
    list.Push(Json::Obj({{"type", c.type},
                         {"status", c.status ? "True" : "False"},
                         {"reason", c.reason},
                         {"message", Abbreviate(c.message, kMaxReason)},
                         {"lastTransitionTime", FormatRfc3339(c.since)}}));
  }
  return list;
}

Json DecisionsJson(const GuardState& state) {
  Json list = Json::Arr();
  for (const Decision& d : state.decisions) {
    Decision brief = d;
    brief.reason = Abbreviate(d.reason, kMaxReason);
    if (brief.signals.size() > 3) brief.signals.resize(3);
    for (Signal& s : brief.signals) {
      s.name = Abbreviate(s.name, kMaxName);
      s.reason = Abbreviate(s.reason, 200);
    }
    list.Push(ToJson(brief));
  }
  return list;
}

void PutSeen(Json& out, const char* key, const SeenWorkload& seen) {
  if (seen.uid.empty()) return;
  out.Set(key, Json::Obj({{"uid", seen.uid}, {"version", seen.version}}));
}

SeenWorkload SeenFrom(const Json& json) { return {json.At("uid").Str(), json.At("version").Str()}; }

void ReadLists(const Json& status, GuardState& state) {
  for (const Json& r : status.At("quarantine").items()) {
    state.quarantine.push_back({r.At("revision").Str(), r.At("reason").Str(),
                                GetTime(r, "at").value_or(Time{}), GetTime(r, "expires")});
  }
  for (const Json& c : status.At("conditions").items()) {
    state.conditions.push_back({c.At("type").Str(), c.At("status").Str() == "True",
                                c.At("reason").Str(), c.At("message").Str(),
                                GetTime(c, "lastTransitionTime").value_or(Time{})});
  }
  for (const Json& d : status.At("decisions").items()) {
    if (auto decision = DecisionFromJson(d)) state.decisions.push_back(std::move(*decision));
  }
  for (const Json& h : status.At("history").items()) {
    StableRecord record{h.At("revision").Str(), GetTime(h, "at").value_or(Time{}), {}};
    for (const Json& image : h.At("images").items()) record.images.push_back(image.Str());
    state.history.push_back(std::move(record));
  }
  for (const Json& t : status.At("rollbacks").items()) {
    if (auto at = ParseRfc3339(t.Str())) state.rollbacks.push_back(*at);
  }
  for (const Json& s : status.At("scores").items()) state.scores.push_back(s.DoubleOr(1));
  for (const Json& id : status.At("handled").items()) state.handled.push_back(id.Str());
}

}  // namespace

const char* ToString(Phase phase) { return kPhases[static_cast<size_t>(phase)]; }

std::optional<Phase> PhaseFrom(std::string_view word) {
  for (size_t i = 0; i < std::size(kPhases); ++i) {
    if (word == kPhases[i]) return static_cast<Phase>(i);
  }
  return std::nullopt;
}

const Condition* GuardState::FindCondition(std::string_view type) const {
  for (const Condition& c : conditions) {
    if (c.type == type) return &c;
  }
  return nullptr;
}

const Rejection* GuardState::Quarantined(std::string_view revision, Time now) const {
  for (const Rejection& r : quarantine) {
    if (r.revision == revision && (!r.expires || now < *r.expires)) return &r;
  }
  return nullptr;
}

void PutTime(Json& out, const char* key, const std::optional<Time>& time) {
  if (time) out.Set(key, FormatRfc3339(*time));
}

std::optional<Time> GetTime(const Json& json, const char* key) {
  auto time = ParseRfc3339(json.At(key).Str());
  if (!time) return std::nullopt;
  return *time;
}

Json ToJson(const GuardState& state) {
  Json out = Json::Obj({{"phase", ToString(state.phase)}, {"stable", state.stable}});
  out.Set("sequence", state.sequence);
  // For people and printer columns only; never read back.
  if (!state.blocked_by.empty()) {
    out.Set("reason", Abbreviate(state.blocked_by, kMaxReason));
  } else if (!state.decisions.empty()) {
    out.Set("reason", Abbreviate(state.decisions.back().reason, kMaxReason));
  }
  if (!state.scores.empty()) out.Set("score", state.scores.back());
  if (state.release) {
    out.Set("candidate", state.release->candidate);
    out.Set("release", ToJson(*state.release));
  }
  if (!state.quarantine.empty()) out.Set("quarantine", QuarantineJson(state));
  if (!state.conditions.empty()) out.Set("conditions", ConditionsJson(state));
  if (!state.decisions.empty()) out.Set("decisions", DecisionsJson(state));
  for (const StableRecord& h : state.history) {
    Json record = Json::Obj({{"revision", h.revision}, {"at", FormatRfc3339(h.at)}});
    for (const std::string& image : h.images) record["images"].Push(image);
    out["history"].Push(std::move(record));
  }
  for (Time at : state.rollbacks) out["rollbacks"].Push(FormatRfc3339(at));
  for (double score : state.scores) out["scores"].Push(score);
  for (const std::string& id : state.handled) out["handled"].Push(id);
  PutTime(out, "lastLook", state.last_look);
  if (state.confident_looks != 0) out.Set("confidentLooks", state.confident_looks);
  if (state.last) {
    out.Set("last", Json::Obj({{"release", state.last->release},
                               {"revision", state.last->revision},
                               {"outcome", state.last->outcome},
                               {"reason", Abbreviate(state.last->reason, kMaxReason)},
                               {"at", FormatRfc3339(state.last->at)}}));
  }
  if (!state.seen.empty()) out.Set("seen", state.seen);
  if (!state.blocked_by.empty()) out.Set("blockedBy", Abbreviate(state.blocked_by, kMaxReason));
  PutTime(out, "queuedSince", state.queued_since);
  if (!state.yielded.empty()) out.Set("yielded", state.yielded);
  if (!state.retry.empty()) out.Set("retry", state.retry);
  if (state.pause_conflicts != 0) out.Set("pauseConflicts", state.pause_conflicts);
  if (!state.pause_version.empty()) out.Set("pauseVersion", state.pause_version);
  if (state.released) out.Set("released", true);
  if (!state.baseline.empty()) out.Set("baseline", state.baseline);
  if (state.swapped) out.Set("swapped", true);
  PutSeen(out, "seenTarget", state.seen_target);
  PutSeen(out, "seenCandidate", state.seen_candidate);
  if (!state.seen_routes.empty()) out.Set("seenRoutes", state.seen_routes);
  return out;
}

Expected<GuardState> StateFromJson(const Json& status) {
  GuardState state;
  if (status.is_null() || status.size() == 0) return state;
  auto phase = PhaseFrom(status.At("phase").Str());
  if (!phase) {
    return Error(ErrorCode::kInvalid,
                 StrCat("status.phase ", Quote(status.At("phase").Str()), " is not known"));
  }
  state.phase = *phase;
  state.stable = status.At("stable").Str();
  state.sequence = status.At("sequence").IntOr(0);
  if (const Json* release = status.Find("release")) {
    auto read = ReleaseFromJson(*release);
    if (!read) return read.error();
    state.release = std::move(*read);
    state.release->candidate = status.At("candidate").Str();
  }
  ReadLists(status, state);
  state.last_look = GetTime(status, "lastLook");
  state.confident_looks = status.At("confidentLooks").IntOr(0);
  if (const Json* last = status.Find("last")) {
    state.last = LastOutcome{last->At("release").Str(), last->At("revision").Str(),
                             last->At("outcome").Str(), last->At("reason").Str(),
                             GetTime(*last, "at").value_or(Time{})};
  }
  state.seen = status.At("seen").Str();
  state.blocked_by = status.At("blockedBy").Str();
  state.queued_since = GetTime(status, "queuedSince");
  state.yielded = status.At("yielded").Str();
  state.retry = status.At("retry").Str();
  state.pause_conflicts = status.At("pauseConflicts").IntOr(0);
  state.pause_version = status.At("pauseVersion").Str();
  state.released = status.At("released").BoolOr(false);
  state.baseline = status.At("baseline").Str();
  state.swapped = status.At("swapped").BoolOr(false);
  state.seen_target = SeenFrom(status.At("seenTarget"));
  state.seen_candidate = SeenFrom(status.At("seenCandidate"));
  state.seen_routes = status.At("seenRoutes").Str();
  return state;
}

}  // namespace rollguard::release
