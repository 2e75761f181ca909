// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/sim_prometheus.h"

#include <cmath>
#include <optional>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/promql/engine.h"
#include "agent/promql/parser.h"

namespace rollguard::cli {
namespace {

std::optional<Time> TimeOf(const std::string& text) {
  if (auto seconds = ParseDouble(text); seconds && std::abs(*seconds) < 1e12)
    return FromUnixMillis(static_cast<int64_t>(std::llround(*seconds * 1000)));
  if (auto time = ParseRfc3339(text)) return *time;
  return std::nullopt;
}

std::optional<Duration> StepOf(const std::string& text) {
  if (auto seconds = ParseDouble(text); seconds && *seconds > 0 && *seconds < 1e9)
    return FromSeconds(*seconds);
  if (auto step = ParsePromDuration(text)) return *step;
  return std::nullopt;
}

SimPrometheus::Answer Refuse(int status, const char* type, const std::string& error) {
  return {status, Json::Obj({{"status", "error"}, {"errorType", type}, {"error", error}}).Dump()};
}

SimPrometheus::Answer BadParameter(const char* name, const std::string& text) {
  return Refuse(400, "bad_data",
                StrCat("invalid parameter ", Quote(name), ": cannot parse ", Quote(text)));
}

SimPrometheus::Answer Shown(const Expected<promql::Value>& value) {
  if (!value) return Refuse(422, "execution", value.error().message);
  return {200, Json::Obj({{"status", "success"}, {"data", promql::ToJson(*value)}}).Dump()};
}

}  // namespace

sim::SeriesRef SimPrometheus::Series(const sim::MetricLabels& labels) {
  series_.emplace_back(page_.Series(labels), store_.Series(labels));
  return series_.size() - 1;
}

void SimPrometheus::Append(sim::SeriesRef series, Time when, double value) {
  page_.Append(series_[series].first, when, value);
  store_.Append(series_[series].second, when, value);
}

void SimPrometheus::End(sim::SeriesRef series, Time when) {
  page_.End(series_[series].first, when);
  store_.End(series_[series].second, when);
}

bool SimPrometheus::Serves(std::string_view path) {
  return path == "/api/v1/query" || path == "/api/v1/query_range";
}

SimPrometheus::Answer SimPrometheus::Ask(
    std::string_view path, const std::function<std::string(const char*)>& param) const {
  auto query = promql::ParseQuery(param("query"));
  if (!query)
    return Refuse(400, "bad_data", StrCat("invalid parameter \"query\": ", query.error().message));
  const promql::Engine engine(store_.store());
  if (path == "/api/v1/query") {
    const std::string text = param("time");
    auto at = text.empty() ? std::optional<Time>(scheduler_.Now()) : TimeOf(text);
    return at ? Shown(engine.Instant(*query, *at)) : BadParameter("time", text);
  }
  auto start = TimeOf(param("start")), end = TimeOf(param("end"));
  auto step = StepOf(param("step"));
  if (!start) return BadParameter("start", param("start"));
  if (!end) return BadParameter("end", param("end"));
  if (!step) return BadParameter("step", param("step"));
  return Shown(engine.Range(*query, *start, *end, *step));
}

}  // namespace rollguard::cli
