// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/state_json.h"

namespace rollguard::release {
namespace {

constexpr const char* kMatchKinds[] = {"exact", "prefix", "regex"};

Json MatchJson(const spec::StringMatch& match) {
  return Json::Obj({{kMatchKinds[static_cast<size_t>(match.kind)], match.value}});
}

spec::StringMatch MatchFromJson(const Json& json) {
  for (size_t i = 0; i < std::size(kMatchKinds); ++i) {
    if (const Json* value = json.Find(kMatchKinds[i])) {
      return {static_cast<spec::StringMatch::Kind>(i), value->Str()};
    }
  }
  return {};
}

Json NamedJson(const std::vector<spec::HeaderMatch>& list) {
  Json out = Json::Arr();
  for (const auto& one : list) {
    out.Push(Json::Obj({{"name", one.name}, {"value", MatchJson(one.value)}}));
  }
  return out;
}

std::vector<spec::HeaderMatch> NamedFromJson(const Json& json) {
  std::vector<spec::HeaderMatch> out;
  for (const Json& one : json.items()) {
    out.push_back({one.At("name").Str(), MatchFromJson(one.At("value"))});
  }
  return out;
}

Json MatchesJson(const std::vector<spec::RequestMatch>& list) {
  Json out = Json::Arr();
  for (const auto& match : list) {
    Json one = Json::Obj();
    if (match.method) one.Set("method", MatchJson(*match.method));
    if (match.path) one.Set("path", MatchJson(*match.path));
    if (!match.headers.empty()) one.Set("headers", NamedJson(match.headers));
    if (!match.cookies.empty()) one.Set("cookies", NamedJson(match.cookies));
    if (!match.query.empty()) one.Set("query", NamedJson(match.query));
    out.Push(std::move(one));
  }
  return out;
}

std::vector<spec::RequestMatch> MatchesFromJson(const Json& json) {
  std::vector<spec::RequestMatch> out;
  for (const Json& one : json.items()) {
    spec::RequestMatch match;
    if (const Json* method = one.Find("method")) match.method = MatchFromJson(*method);
    if (const Json* path = one.Find("path")) match.path = MatchFromJson(*path);
    match.headers = NamedFromJson(one.At("headers"));
    match.cookies = NamedFromJson(one.At("cookies"));
    match.query = NamedFromJson(one.At("query"));
    out.push_back(std::move(match));
  }
  return out;
}

Json SplitJson(const routing::Split& split) {
  Json out = Json::Obj({{"weight", split.candidate}});
  for (const auto& header : split.headers) {
    out["headers"].Push(Json::Obj({{"name", header.name}, {"match", MatchesJson(header.match)}}));
  }
  for (const auto& mirror : split.mirrors) {
    out["mirrors"].Push(Json::Obj({{"name", mirror.name},
                                   {"percent", mirror.percent},
                                   {"match", MatchesJson(mirror.match)}}));
  }
  return out;
}

routing::Split SplitFromJson(const Json& json) {
  routing::Split split;
  split.candidate = std::clamp<int64_t>(json.At("weight").IntOr(0), 0, 100);
  for (const Json& header : json.At("headers").items()) {
    split.headers.push_back({header.At("name").Str(), MatchesFromJson(header.At("match"))});
  }
  for (const Json& mirror : json.At("mirrors").items()) {
    split.mirrors.push_back({mirror.At("name").Str(), MatchesFromJson(mirror.At("match")),
                             mirror.At("percent").IntOr(100)});
  }
  return split;
}

Json ScratchJson(const StepScratch& s) {
  Json out = Json::Obj();
  if (s.started != Time{}) out.Set("startedAt", FormatRfc3339(s.started));
  if (!s.run.empty()) out.Set("run", s.run);
  if (s.run_attempt != 0) out.Set("runAttempt", s.run_attempt);
  for (const auto& vote : s.votes) {
    out["votes"].Push(Json::Obj({{"actor", vote.actor}, {"at", FormatRfc3339(vote.at)}}));
  }
  PutTime(out, "healthySince", s.healthy_since);
  PutTime(out, "verifiedAt", s.verified_at);
  if (s.confirmed) out.Set("confirmed", true);
  return out;
}

StepScratch ScratchFromJson(const Json& json) {
  StepScratch s;
  s.started = GetTime(json, "startedAt").value_or(Time{});
  s.run = json.At("run").Str();
  s.run_attempt = json.At("runAttempt").IntOr(0);
  for (const Json& vote : json.At("votes").items()) {
    s.votes.push_back({vote.At("actor").Str(), GetTime(vote, "at").value_or(Time{})});
  }
  s.healthy_since = GetTime(json, "healthySince");
  s.verified_at = GetTime(json, "verifiedAt");
  s.confirmed = json.At("confirmed").BoolOr(false);
  return s;
}

Json TriggerJson(const Trigger& t) {
  Json out = Json::Obj({{"reason", Abbreviate(t.reason, 512)},
                        {"decision", t.decision},
                        {"actor", t.actor},
                        {"at", FormatRfc3339(t.at)},
                        {"quarantine", t.quarantine}});
  for (size_t i = 0; i < std::min<size_t>(t.signals.size(), 20); ++i) {
    out["signals"].Push(t.signals[i]);
  }
  return out;
}

Trigger TriggerFromJson(const Json& json) {
  Trigger t{json.At("reason").Str(),
            json.At("decision").Str(),
            json.At("actor").Str(),
            {},
            GetTime(json, "at").value_or(Time{}),
            json.At("quarantine").BoolOr(true)};
  for (const Json& name : json.At("signals").items()) t.signals.push_back(name.Str());
  return t;
}

void PutFlag(Json& out, const char* key, bool value) {
  if (value) out.Set(key, true);
}

void PutCount(Json& out, const char* key, int64_t value, int64_t usual = 0) {
  if (value != usual) out.Set(key, value);
}

void PutText(Json& out, const char* key, const std::string& value) {
  if (!value.empty()) out.Set(key, Abbreviate(value, 512));
}

}  // namespace

Json ToJson(const ReleaseState& r) {
  Json out = Json::Obj({{"id", r.id},
                        {"stable", r.stable},
                        {"actor", r.actor},
                        {"startedAt", FormatRfc3339(r.started)},
                        {"step", r.step},
                        {"weight", r.weight},
                        {"wanted", SplitJson(r.wanted)},
                        {"baseReplicas", r.base_replicas}});
  if (r.scaled_from) out.Set("scaledFrom", *r.scaled_from);
  if (r.scaled_to) out.Set("scaledTo", *r.scaled_to);
  Json scratch = ScratchJson(r.scratch);
  if (scratch.size() > 0) out.Set("current", std::move(scratch));
  if (r.scale) out.Set("scale", *r.scale);
  if (r.scale_weight) out.Set("scaleWeight", *r.scale_weight);
  PutFlag(out, "paused", r.paused);
  PutText(out, "pauseReason", r.pause_reason);
  PutText(out, "backgroundRun", r.background_run);
  PutCount(out, "backgroundAttempt", r.background_attempt);
  PutFlag(out, "full", r.full);
  PutFlag(out, "cures", r.cures);
  PutFlag(out, "fast", r.fast);
  PutFlag(out, "bypass", r.bypass);
  PutCount(out, "restartsBase", r.restarts_base);
  PutTime(out, "progressAt", r.progress_at);
  PutCount(out, "progressMark", r.progress_mark, -1);
  PutTime(out, "blindSince", r.blind_since);
  PutTime(out, "resumedAt", r.resumed_at);
  PutCount(out, "stage", r.stage);
  PutTime(out, "stageAt", r.stage_at);
  PutFlag(out, "undone", r.undone);
  if (r.parked.is_object()) out.Set("parked", r.parked);
  PutFlag(out, "touchedTarget", r.touched_target);
  if (r.trigger) out.Set("trigger", TriggerJson(*r.trigger));
  PutFlag(out, "awaitingApproval", r.awaiting_approval);
  PutTime(out, "gradualAt", r.gradual_at);
  PutTime(out, "healthySince", r.healthy_since);
  out.Set("heldFrom", ToString(r.held_from));
  PutText(out, "heldReason", r.held_reason);
  PutFlag(out, "paged", r.paged);
  if (r.way_back.size() > 0) out.Set("wayBack", r.way_back);
  for (const std::string& name : r.hooks_done) out["hooksDone"].Push(name);
  for (const std::string& name : r.hooks_made) out["hooksMade"].Push(name);
  for (const std::string& name : r.observed) out["observed"].Push(name);
  return out;
}

Expected<ReleaseState> ReleaseFromJson(const Json& json) {
  ReleaseState r;
  r.id = json.At("id").Str();
  if (r.id.empty()) return Error(ErrorCode::kInvalid, "status.release has no id");
  r.stable = json.At("stable").Str();
  r.actor = json.At("actor").Str();
  r.started = GetTime(json, "startedAt").value_or(Time{});
  r.step = static_cast<size_t>(std::max<int64_t>(0, json.At("step").IntOr(0)));
  r.weight = json.At("weight").IntOr(0);
  r.wanted = SplitFromJson(json.At("wanted"));
  r.base_replicas = json.At("baseReplicas").IntOr(0);
  if (const Json* from = json.Find("scaledFrom")) r.scaled_from = from->IntOr(0);
  if (const Json* to = json.Find("scaledTo")) r.scaled_to = to->IntOr(0);
  r.scratch = ScratchFromJson(json.At("current"));
  if (const Json* scale = json.Find("scale")) r.scale = scale->IntOr(0);
  if (const Json* scale = json.Find("scaleWeight")) r.scale_weight = scale->IntOr(0);
  r.paused = json.At("paused").BoolOr(false);
  r.pause_reason = json.At("pauseReason").Str();
  r.background_run = json.At("backgroundRun").Str();
  r.background_attempt = json.At("backgroundAttempt").IntOr(0);
  r.full = json.At("full").BoolOr(false);
  r.cures = json.At("cures").BoolOr(false);
  r.fast = json.At("fast").BoolOr(false);
  r.bypass = json.At("bypass").BoolOr(false);
  r.restarts_base = json.At("restartsBase").IntOr(0);
  r.progress_at = GetTime(json, "progressAt");
  r.progress_mark = json.At("progressMark").IntOr(-1);
  r.blind_since = GetTime(json, "blindSince");
  r.resumed_at = GetTime(json, "resumedAt");
  r.stage = json.At("stage").IntOr(0);
  r.stage_at = GetTime(json, "stageAt");
  r.undone = json.At("undone").BoolOr(false);
  r.parked = json.At("parked");
  r.touched_target = json.At("touchedTarget").BoolOr(false);
  if (const Json* trigger = json.Find("trigger")) r.trigger = TriggerFromJson(*trigger);
  r.awaiting_approval = json.At("awaitingApproval").BoolOr(false);
  r.gradual_at = GetTime(json, "gradualAt");
  r.healthy_since = GetTime(json, "healthySince");
  r.held_from = PhaseFrom(json.At("heldFrom").Str()).value_or(Phase::kProgressing);
  r.held_reason = json.At("heldReason").Str();
  r.paged = json.At("paged").BoolOr(false);
  r.way_back = json.At("wayBack");
  for (const Json& name : json.At("hooksDone").items()) r.hooks_done.push_back(name.Str());
  for (const Json& name : json.At("hooksMade").items()) r.hooks_made.push_back(name.Str());
  for (const Json& name : json.At("observed").items()) r.observed.push_back(name.Str());
  return r;
}

}  // namespace rollguard::release
