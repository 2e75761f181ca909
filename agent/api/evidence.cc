// SPDX-License-Identifier: Apache-2.0
#include "agent/api/evidence.h"

#include <algorithm>
#include <cmath>

#include "agent/base/text.h"

namespace rollguard::api {
namespace {

Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(); }
Json Number(const std::optional<double>& value) { return value ? Number(*value) : Json(); }

// The worst first.
int Rank(const Json& row) {
  constexpr const char* kOrder[] = {"firing", "pending", "error", "noData", "waiting"};
  for (int i = 0; i < 5; ++i) {
    if (row.At("state").Str() == kOrder[i]) return i;
  }
  return 5;
}

Json FromSignal(const release::Signal& signal) {
  Json row = Json::Obj({{"name", signal.name},
                        {"source", release::ToString(signal.source)},
                        {"state", release::ToString(signal.state)},
                        {"action", spec::ToString(signal.action)},
                        {"severity", spec::ToString(signal.severity)},
                        {"reason", signal.reason}});
  if (signal.since) row.Set("since", FormatRfc3339(*signal.since));
  if (!signal.evidence.is_null()) row.Set("details", signal.evidence);
  return row;
}

void AddLink(const EvidenceSources& sources, const std::string& source, Json& row) {
  std::string link = LinkOf(sources, source, row.At("query").Str());
  if (!link.empty()) row.Set("link", link);
}

std::string UrlEncode(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                 c == '-' || c == '_' || c == '.';
    out += plain ? std::string(1, c) : Format("%%%02X", static_cast<unsigned char>(c));
  }
  return out;
}

std::string ComparedText(const spec::Compare& compare) {
  if (const auto* p = std::get_if<spec::CompareProportion>(&compare.what))
    return StrCat("bad: ", p->bad.text, "\ntotal: ", p->total.text);
  if (const auto* h = std::get_if<spec::CompareHistogram>(&compare.what)) return h->buckets.text;
  return std::get<spec::CompareMean>(compare.what).query.text;
}

void AddCompare(const app::RuleReading& reading, Json& row) {
  const analysis::CompareState& state = *reading.compare;
  row.Set("query", ComparedText(std::get<spec::Compare>(reading.rule->what)));
  row.Set("comparison", Json::Obj({{"candidate", Number(state.candidate_value)},
                                   {"stable", Number(state.stable_value)}}));
  row.Set("value", Number(state.candidate_value));
  if (!std::holds_alternative<stats::Judgement>(state.test)) {
    double alpha = row.At("details", "alpha").DoubleOr(0);
    row.Set("e", Number(state.e)).Set("eLimit", alpha > 0 ? Number(1 / alpha) : Json());
  }
}

void AddReading(const EvidenceSources& sources, const app::RuleReading& reading, Json& row) {
  row.Set("group", reading.group);
  if (reading.compare != nullptr) {
    AddCompare(reading, row);
    return;
  }
  row.Set("query",
          reading.query.empty() ? std::get<spec::Query>(reading.rule->what).text : reading.query);
  AddLink(sources, reading.rule->source, row);
  if (reading.threshold) {
    row.Set("threshold", Number(reading.threshold->value))
        .Set("op", analysis::ToString(reading.threshold->op));
  }
  if (!reading.state->ever_evaluated) return;
  row.Set("value", Number(reading.state->value));
  row.Set("at", FormatRfc3339(reading.state->evaluated));
}

Json RowOf(const app::RuleReading& reading) {
  return Json::Obj({{"name", reading.rule->name},
                    {"source", "rule"},
                    {"action", spec::ToString(reading.rule->action)},
                    {"severity", spec::ToString(reading.rule->severity)}});
}

// To the engine it is pending; people would look for a `for` that runs.
void SayItWaits(Json& row) { row.Set("state", "waiting").Set("reason", "not measured yet"); }

void AddRules(const EvidenceSources& sources, const std::string& guard, Json::Array& rows) {
  if (sources.rules == nullptr) return;
  for (const app::RuleReading& reading : sources.rules->Readings(guard)) {
    auto found = std::find_if(rows.begin(), rows.end(), [&](const Json& row) {
      return row.At("source").Str() == "rule" && row.At("name").Str() == reading.rule->name &&
             row.Find("group") == nullptr;
    });
    const bool listed = found != rows.end();
    if (!listed) found = rows.insert(rows.end(), RowOf(reading));
    const bool unasked = reading.state != nullptr && !reading.state->ever_evaluated;
    if (!listed || (unasked && found->At("state").Str() == "pending")) SayItWaits(*found);
    AddReading(sources, reading, *found);
  }
}

const char* StateOf(analysis::Phase phase) {
  switch (phase) {
    case analysis::Phase::kPending: return "waiting";
    case analysis::Phase::kRunning:
    case analysis::Phase::kSuccessful: return "ok";
    case analysis::Phase::kFailed: return "firing";
    case analysis::Phase::kInconclusive: return "noData";
    case analysis::Phase::kError: return "error";
  }
  return "error";
}

Json FromMetric(const EvidenceSources& sources, const std::string& run,
                const analysis::RunMetric& metric, const analysis::MetricState& state) {
  std::string counts = StrCat(state.successful, " of ", state.count, " measurements good");
  Json row = Json::Obj({{"name", state.name},
                        {"source", "analysis"},
                        {"group", run},
                        {"state", StateOf(state.phase)},
                        {"reason", state.message.empty() ? counts : state.message}});
  const spec::Metric& m = metric.metric;
  if (!m.success_condition.empty()) {
    row.Set("condition", StrCat("good: ", m.success_condition.text));
  } else if (!m.failure_condition.empty()) {
    row.Set("condition", StrCat("bad: ", m.failure_condition.text));
  }
  if (state.measurements.empty()) return row;
  const analysis::Measurement& last = state.measurements.back();
  if (auto number = app::NumberIn(last.value)) {
    row.Set("value", *number);
  } else if (!last.value.empty()) {
    row.Set("text", last.value);
  }
  if (!last.query.empty()) {
    row.Set("query", last.query);
    const auto* provider = std::get_if<spec::PrometheusProvider>(&m.provider);
    if (provider != nullptr && provider->address.empty()) AddLink(sources, provider->source, row);
  }
  row.Set("at", FormatRfc3339(last.finished == Time{} ? last.started : last.finished));
  return row;
}

void AddRuns(const EvidenceSources& sources, const std::string& guard,
             const release::Observation& observation, Json::Array& rows) {
  if (sources.analysis == nullptr) return;
  for (const release::RunView& view : observation.runs) {
    const analysis::Run* run = sources.analysis->FindRun(guard, view.id);
    if (run == nullptr) continue;
    for (size_t i = 0; i < run->state.metrics.size() && i < run->spec.metrics.size(); ++i)
      rows.push_back(FromMetric(sources, view.id, run->spec.metrics[i], run->state.metrics[i]));
  }
}

}  // namespace

std::string LinkOf(const EvidenceSources& sources, const std::string& source,
                   const std::string& query) {
  if (sources.links == nullptr || query.empty() || query.find('$') != std::string::npos) return {};
  auto found = sources.links->find(source);
  if (found == sources.links->end() || found->second.empty()) return {};
  std::string base = found->second;
  while (base.ends_with('/')) base.pop_back();
  return StrCat(base, "/graph?g0.expr=", UrlEncode(Trim(query)), "&g0.tab=0&g0.range_input=1h");
}

Json EvidenceJson(const EvidenceSources& sources, const spec::Guard& guard,
                  const release::GuardState& state, Time now) {
  release::Observation observation;
  observation.now = now;
  for (app::Sensor* sensor : sources.sensors) sensor->Contribute(guard, state, observation);
  Json::Array rows;
  for (const release::Signal& signal : observation.signals) rows.push_back(FromSignal(signal));
  AddRules(sources, guard.Id(), rows);
  AddRuns(sources, guard.Id(), observation, rows);
  std::stable_sort(rows.begin(), rows.end(), [](const Json& a, const Json& b) {
    return std::pair(Rank(a), a.At("source").Str()) < std::pair(Rank(b), b.At("source").Str());
  });
  return Json(std::move(rows));
}

}  // namespace rollguard::api
