// SPDX-License-Identifier: Apache-2.0
#include "agent/release/decision.h"

#include "agent/base/hash.h"
#include "agent/base/text.h"

namespace rollguard::release {
namespace {

constexpr const char* kVerdicts[] = {"start",     "advance",  "hold",     "pause",
                                     "resume",    "rollback", "promote",  "reject",
                                     "supersede", "complete", "escalate", "adopt"};
constexpr const char* kSources[] = {"rule",   "alert", "analysis", "health", "workload",
                                    "person", "group", "fleet",    "hook"};
constexpr const char* kStates[] = {"ok", "pending", "firing", "noData", "error"};
constexpr const char* kActions[] = {"rollback", "pause", "observe"};
constexpr const char* kSeverities[] = {"critical", "high", "medium", "low"};

template <class Enum, size_t N>
Enum Read(const char* const (&words)[N], const std::string& word) {
  for (size_t i = 0; i < N; ++i) {
    if (word == words[i]) return static_cast<Enum>(i);
  }
  return static_cast<Enum>(0);
}

Signal SignalFromJson(const Json& json) {
  Signal s;
  s.source = Read<Signal::Source>(kSources, json.At("source").Str());
  s.state = Read<Signal::State>(kStates, json.At("state").Str());
  s.name = json.At("name").Str();
  s.action = Read<spec::TriggerAction>(kActions, json.At("action").Str());
  s.severity = Read<spec::RuleSeverity>(kSeverities, json.At("severity").Str());
  s.pre_existing = json.At("preExisting").BoolOr(false);
  s.reason = json.At("reason").Str();
  s.evidence = json.At("evidence");
  if (auto since = ParseRfc3339(json.At("since").Str())) s.since = *since;
  return s;
}

}  // namespace

const char* ToString(Verdict verdict) { return kVerdicts[static_cast<size_t>(verdict)]; }
const char* ToString(Signal::Source source) { return kSources[static_cast<size_t>(source)]; }
const char* ToString(Signal::State state) { return kStates[static_cast<size_t>(state)]; }

std::string DecisionId(std::string_view guard, std::string_view uid, int64_t sequence) {
  return ShortHash(StrCat(guard, "/", uid, "/d", sequence), 10);
}

std::optional<Verdict> VerdictFrom(std::string_view word) {
  for (size_t i = 0; i < std::size(kVerdicts); ++i) {
    if (word == kVerdicts[i]) return static_cast<Verdict>(i);
  }
  return std::nullopt;
}

Json ToJson(const Signal& s) {
  Json out = Json::Obj({{"source", ToString(s.source)},
                        {"state", ToString(s.state)},
                        {"name", s.name},
                        {"action", kActions[static_cast<size_t>(s.action)]},
                        {"severity", kSeverities[static_cast<size_t>(s.severity)]},
                        {"reason", s.reason}});
  if (s.pre_existing) out.Set("preExisting", true);
  if (!s.evidence.is_null()) out.Set("evidence", s.evidence);
  if (s.since) out.Set("since", FormatRfc3339(*s.since));
  return out;
}

Json ToJson(const ConfidenceParts& p) {
  return Json::Obj({{"value", p.value},
                    {"health", p.health},
                    {"trend", p.trend},
                    {"severity", p.severity},
                    {"rSquared", p.r_squared},
                    {"looks", p.looks}});
}

Json ToJson(const Decision& d) {
  Json out = Json::Obj({{"id", d.id},
                        {"at", FormatRfc3339(d.at)},
                        {"guard", d.guard},
                        {"release", d.release},
                        {"phase", d.phase},
                        {"verdict", ToString(d.verdict)},
                        {"reason", d.reason},
                        {"actor", d.actor},
                        {"revision", d.revision},
                        {"weight", d.weight}});
  if (!d.signals.empty()) {
    Json signals = Json::Arr();
    for (const Signal& s : d.signals) signals.Push(ToJson(s));
    out.Set("signals", std::move(signals));
  }
  if (d.confidence) out.Set("confidence", ToJson(*d.confidence));
  if (!d.changes.empty()) {
    Json changes = Json::Arr();
    for (const std::string& change : d.changes) changes.Push(change);
    out.Set("changes", std::move(changes));
  }
  return out;
}

Expected<Decision> DecisionFromJson(const Json& json) {
  if (!json.is_object()) return Error(ErrorCode::kInvalid, "a decision must be an object");
  Decision d;
  d.id = json.At("id").Str();
  auto at = ParseRfc3339(json.At("at").Str());
  auto verdict = VerdictFrom(json.At("verdict").Str());
  if (!at || !verdict) {
    return Error(ErrorCode::kInvalid, StrCat("decision ", Quote(d.id), " has no time or verdict"));
  }
  d.at = *at;
  d.verdict = *verdict;
  d.guard = json.At("guard").Str();
  d.release = json.At("release").Str();
  d.phase = json.At("phase").Str();
  d.reason = json.At("reason").Str();
  d.actor = json.At("actor").Str();
  d.revision = json.At("revision").Str();
  d.weight = json.At("weight").IntOr(0);
  for (const Json& s : json.At("signals").items()) d.signals.push_back(SignalFromJson(s));
  for (const Json& change : json.At("changes").items()) d.changes.push_back(change.Str());
  if (const Json* p = json.Find("confidence")) {
    d.confidence = ConfidenceParts{p->At("value").DoubleOr(0),    p->At("health").DoubleOr(0),
                                   p->At("trend").DoubleOr(0),    p->At("severity").DoubleOr(0),
                                   p->At("rSquared").DoubleOr(0), p->At("looks").IntOr(0)};
  }
  return d;
}

}  // namespace rollguard::release
