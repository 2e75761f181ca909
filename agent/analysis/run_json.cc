// SPDX-License-Identifier: Apache-2.0
// A run's state as it is kept in an object's status.
#include "agent/analysis/run.h"

namespace rollguard::analysis {
namespace {

Json Stamp(Time t) { return Json(FormatMicroTime(t)); }

Time ReadTime(const Json& json) {
  auto time = ParseRfc3339(json.Str());
  return time ? *time : Time{};
}

Phase ReadPhase(const Json& json) { return ParsePhase(json.Str()).value_or(Phase::kPending); }

Json ToJson(const Measurement& m) {
  Json json = Json::Obj({{"phase", ToString(m.phase)},
                         {"startedAt", Stamp(m.started)},
                         {"finishedAt", Stamp(m.finished)}});
  if (!m.value.empty()) json.Set("value", m.value);
  if (!m.message.empty()) json.Set("message", m.message);
  if (!m.query.empty()) json.Set("query", m.query);
  for (const std::string& warning : m.warnings) json["warnings"].Push(warning);
  return json;
}

Measurement ReadMeasurement(const Json& json) {
  Measurement m;
  m.phase = ReadPhase(json.At("phase"));
  m.value = json.At("value").Str();
  m.message = json.At("message").Str();
  m.query = json.At("query").Str();
  for (const Json& warning : json.At("warnings").items()) m.warnings.push_back(warning.Str());
  m.started = ReadTime(json.At("startedAt"));
  m.finished = ReadTime(json.At("finishedAt"));
  return m;
}

// The counters by name, for both directions.
template <class State, class Visit>
void Counters(State& state, Visit visit) {
  visit("count", state.count);
  visit("successful", state.successful);
  visit("failed", state.failed);
  visit("inconclusive", state.inconclusive);
  visit("error", state.error);
  visit("consecutiveError", state.consecutive_error);
  visit("consecutiveSuccess", state.consecutive_success);
}

Json ToJson(const MetricState& state) {
  Json json = Json::Obj({{"name", state.name}, {"phase", ToString(state.phase)}});
  if (!state.message.empty()) json.Set("message", state.message);
  if (state.dry_run) json.Set("dryRun", true);
  Counters(state, [&](const char* name, const int64_t& value) {
    if (value != 0) json.Set(name, value);
  });
  if (state.in_flight) json.Set("begunAt", Stamp(state.begun));
  if (state.last_finished) json.Set("lastFinishedAt", Stamp(*state.last_finished));
  if (state.last_was_error) json.Set("lastWasError", true);
  for (const Measurement& m : state.measurements) json["measurements"].Push(ToJson(m));
  return json;
}

MetricState ReadMetric(const Json& json) {
  MetricState state;
  state.name = json.At("name").Str();
  state.phase = ReadPhase(json.At("phase"));
  state.message = json.At("message").Str();
  state.dry_run = json.At("dryRun").BoolOr(false);
  Counters(state, [&](const char* name, int64_t& value) { value = json.At(name).IntOr(0); });
  state.in_flight = json.Find("begunAt") != nullptr;
  state.begun = ReadTime(json.At("begunAt"));
  if (json.Find("lastFinishedAt") != nullptr)
    state.last_finished = ReadTime(json.At("lastFinishedAt"));
  state.last_was_error = json.At("lastWasError").BoolOr(false);
  for (const Json& m : json.At("measurements").items())
    state.measurements.push_back(ReadMeasurement(m));
  return state;
}

}  // namespace

Json ToJson(const RunState& state) {
  Json json = Json::Obj({{"phase", ToString(state.phase)}, {"startedAt", Stamp(state.started)}});
  if (!state.message.empty()) json.Set("message", state.message);
  if (state.finished) json.Set("finishedAt", Stamp(*state.finished));
  if (state.ending) json.Set("ending", true);
  if (state.broken) json.Set("broken", true);
  Json metrics = Json::Arr();
  for (const MetricState& m : state.metrics) metrics.Push(ToJson(m));
  return json.Set("metrics", metrics);
}

RunState RunStateFromJson(const Json& json) {
  RunState state;
  state.phase = ReadPhase(json.At("phase"));
  state.message = json.At("message").Str();
  state.started = ReadTime(json.At("startedAt"));
  if (json.Find("finishedAt") != nullptr) state.finished = ReadTime(json.At("finishedAt"));
  state.ending = json.At("ending").BoolOr(false);
  state.broken = json.At("broken").BoolOr(false);
  for (const Json& m : json.At("metrics").items()) state.metrics.push_back(ReadMetric(m));
  return state;
}

}  // namespace rollguard::analysis
