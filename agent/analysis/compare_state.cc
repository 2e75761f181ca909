// SPDX-License-Identifier: Apache-2.0
// From two queries' answers to one look of a test, and on to its evidence.
#include "agent/analysis/compare_state.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>

#include "agent/base/text.h"
#include "agent/stats/alpha_budget.h"

namespace rollguard::analysis {
namespace {

constexpr size_t kStableLooks = 64;
constexpr size_t kSamples = 240;

// One number out of an answer: a scalar, or the sum over a vector. NaN counts as nothing.
std::optional<double> NumberOf(const promql::Value& value) {
  if (const auto* scalar = std::get_if<promql::Scalar>(&value)) {
    return std::isnan(scalar->v) ? std::nullopt : std::optional(scalar->v);
  }
  const auto* vector = std::get_if<promql::Vector>(&value);
  std::optional<double> sum;
  if (vector == nullptr) return sum;
  for (const promql::Sample& sample : *vector) {
    if (!std::isnan(sample.v)) sum = sum.value_or(0) + sample.v;
  }
  return sum;
}

// Every sample of the answer.
std::vector<double> SamplesOf(const promql::Value& value) {
  std::vector<double> out;
  if (const auto* scalar = std::get_if<promql::Scalar>(&value)) out.push_back(scalar->v);
  if (const auto* vector = std::get_if<promql::Vector>(&value)) {
    for (const promql::Sample& sample : *vector) out.push_back(sample.v);
  }
  if (const auto* matrix = std::get_if<promql::Matrix>(&value)) {
    for (const promql::Series& row : *matrix) {
      for (const promql::Point& point : row.points) out.push_back(point.v);
    }
  }
  std::erase_if(out, [](double v) { return std::isnan(v); });
  return out;
}

// Cumulative counts by edge, summed over series that share one.
std::map<double, double> BucketsOf(const promql::Value& value) {
  std::map<double, double> out;
  const auto* vector = std::get_if<promql::Vector>(&value);
  if (vector == nullptr) return out;
  for (const promql::Sample& sample : *vector) {
    std::string_view le = sample.labels.Get(promql::kBucketLabel);
    auto edge = le == "+Inf" ? std::optional<double>(HUGE_VAL) : ParseDouble(le);
    if (edge && !std::isnan(sample.v)) out[*edge] += sample.v;
  }
  return out;
}

// The two sides over the edges that both have. Extrapolated increases may fall a little along the
// edges; they are made to rise.
std::optional<stats::HistogramLook> LookOf(const promql::Value& candidate,
                                           const promql::Value& stable) {
  auto c = BucketsOf(candidate);
  auto s = BucketsOf(stable);
  if (!c.contains(HUGE_VAL) || !s.contains(HUGE_VAL)) return std::nullopt;
  stats::HistogramLook look;
  double top_c = 0;
  double top_s = 0;
  for (const auto& [edge, count] : c) {
    auto other = s.find(edge);
    if (other == s.end()) continue;
    if (std::isfinite(edge)) look.edges.push_back(edge);
    look.candidate.push_back(top_c = std::max(top_c, count));
    look.stable.push_back(top_s = std::max(top_s, other->second));
  }
  return look;
}

void Settle(CompareState& state, bool alarm, Time now) {
  if (!alarm || state.alarmed) return;
  state.alarmed = true;
  state.alarmed_at = now;
}

std::string Evidence(double e, double alpha) {
  return StrCat("evidence ", Format("%.4g", e), " of ",
                Format("%.4g", alpha > 0 ? 1 / alpha : HUGE_VAL));
}

void Skip(CompareState& state, std::string_view why) {
  ++state.skipped;
  state.no_data = true;
  state.message = std::string(why);
}

void StepProportion(const spec::Compare& compare, double alpha, CompareState& state,
                    const CompareSide& candidate, const CompareSide& stable, Time now) {
  auto& test = std::get<stats::ProportionTest>(state.test);
  auto total_c = NumberOf(candidate.second);
  auto total_s = NumberOf(stable.second);
  if (!total_c || !total_s)
    return Skip(state, total_c ? "no traffic on stable" : "no traffic on the candidate");
  // No series of bad requests is no bad requests, once there is traffic.
  stats::ProportionLook look{NumberOf(candidate.first).value_or(0), *total_c,
                             NumberOf(stable.first).value_or(0), *total_s};
  if (!test.Add(look)) return Skip(state, "no traffic on one side");
  state.no_data = false;
  ++state.looks;
  state.stable_looks.emplace_back(look.stable_bad, look.stable_total);
  if (state.stable_looks.size() > kStableLooks)
    state.stable_looks.erase(state.stable_looks.begin());
  test.set_overdispersion(stats::EstimateOverdispersion(state.stable_looks));
  state.e = test.E();
  Settle(state, test.Alarm(alpha), now);
  double share_c = look.candidate_bad / look.candidate_total;
  double share_s = look.stable_bad / look.stable_total;
  state.candidate_value = share_c;
  state.stable_value = share_s;
  state.message = StrCat("candidate ", Format("%.4g%%", 100 * share_c), ", stable ",
                         Format("%.4g%%", 100 * share_s), ", tolerated ",
                         Format("%.4g", compare.tolerate), "x; ", Evidence(state.e, alpha));
  if (test.overdispersion() > 1)
    state.message += StrCat(", overdispersion ", Format("%.2f", test.overdispersion()));
}

void StepHistogram(double alpha, CompareState& state, const CompareSide& candidate,
                   const CompareSide& stable, Time now) {
  auto& test = std::get<stats::HistogramTest>(state.test);
  auto look = LookOf(candidate.first, stable.first);
  if (!look || !test.Add(*look)) return Skip(state, "no requests on one side");
  state.no_data = false;
  ++state.looks;
  state.e = test.E();
  Settle(state, test.Alarm(alpha), now);
  stats::Quantiles c = test.Candidate();
  stats::Quantiles s = test.Stable();
  state.candidate_value = c.p99;
  state.stable_value = s.p99;
  state.message =
      StrCat("p50 ", Format("%.4g", c.p50), " / ", Format("%.4g", s.p50), ", p90 ",
             Format("%.4g", c.p90), " / ", Format("%.4g", s.p90), ", p99 ", Format("%.4g", c.p99),
             " / ", Format("%.4g", s.p99), " (candidate / stable); edge ",
             FormatNumber(test.LoudestEdge().value_or(0)), "; ", Evidence(state.e, alpha));
}

stats::JudgeOptions OptionsOf(const spec::Compare& compare) {
  stats::JudgeOptions options;
  switch (compare.direction) {
    case spec::Compare::Direction::kIncrease:
      options.direction = stats::Direction::kIncrease;
      break;
    case spec::Compare::Direction::kDecrease:
      options.direction = stats::Direction::kDecrease;
      break;
    case spec::Compare::Direction::kEither: options.direction = stats::Direction::kEither; break;
  }
  options.confidence = compare.confidence_level;
  options.tolerance = compare.tolerance;
  options.min_points = static_cast<size_t>(std::max<int64_t>(compare.min_points, 1));
  if (compare.direction != spec::Compare::Direction::kDecrease)
    options.allowed_increase = compare.tolerate;
  return options;
}

double MeanOf(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

void Keep(std::vector<double>& kept, const std::vector<double>& fresh) {
  kept.insert(kept.end(), fresh.begin(), fresh.end());
  if (kept.size() > kSamples)
    kept.erase(kept.begin(), kept.end() - static_cast<std::ptrdiff_t>(kSamples));
}

void StepMean(const spec::Compare& compare, CompareState& state, const CompareSide& candidate,
              const CompareSide& stable, Time now) {
  auto fresh_c = SamplesOf(candidate.first);
  auto fresh_s = SamplesOf(stable.first);
  if (fresh_c.empty() || fresh_s.empty()) return Skip(state, "no samples on one side");
  state.no_data = false;
  ++state.looks;
  state.candidate_value = MeanOf(fresh_c);
  state.stable_value = MeanOf(fresh_s);
  Keep(state.candidate_samples, fresh_c);
  Keep(state.stable_samples, fresh_s);
  auto& judgement = std::get<stats::Judgement>(state.test);
  judgement = stats::Judge(state.candidate_samples, state.stable_samples, OptionsOf(compare));
  bool bad = judgement.verdict == stats::Class::kHigh || judgement.verdict == stats::Class::kLow;
  Settle(state, bad, now);
  state.message = StrCat(ToString(judgement.verdict), ": ", judgement.reason, ", shift ",
                         Format("%.4g", judgement.estimate), " in [", Format("%.4g", judgement.low),
                         ", ", Format("%.4g", judgement.high), "]");
}

}  // namespace

CompareQueries QueriesOf(const spec::Compare& compare) {
  if (const auto* proportion = std::get_if<spec::CompareProportion>(&compare.what)) {
    return {proportion->bad.text, proportion->total.text};
  }
  if (const auto* histogram = std::get_if<spec::CompareHistogram>(&compare.what))
    return {histogram->buckets.text, ""};
  return {std::get<spec::CompareMean>(compare.what).query.text, ""};
}

CompareState StartCompare(const spec::Compare& compare) {
  CompareState state;
  if (std::holds_alternative<spec::CompareProportion>(compare.what)) {
    stats::ProportionOptions options;
    options.tolerate = compare.tolerate;
    state.test = stats::ProportionTest(options);
  } else if (std::holds_alternative<spec::CompareHistogram>(compare.what)) {
    state.test = stats::HistogramTest();
  } else {
    state.test = stats::Judgement();
  }
  return state;
}

void StepCompare(const spec::Compare& compare, double alpha, CompareState& state,
                 const CompareSide& candidate, const CompareSide& stable, Time now) {
  if (std::holds_alternative<stats::ProportionTest>(state.test)) {
    StepProportion(compare, alpha, state, candidate, stable, now);
  } else if (std::holds_alternative<stats::HistogramTest>(state.test)) {
    StepHistogram(alpha, state, candidate, stable, now);
  } else {
    StepMean(compare, state, candidate, stable, now);
  }
}

void StepCompareError(CompareState& state, const Error& error) { state.message = error.message; }

Json ToJson(const CompareState& state, double alpha) {
  Json json = Json::Obj({{"alarmed", state.alarmed},
                         {"e", state.e},
                         {"alpha", alpha},
                         {"looks", state.looks},
                         {"skipped", state.skipped},
                         {"message", state.message}});
  if (state.alarmed_at) json.Set("alarmedAt", FormatRfc3339(*state.alarmed_at));
  if (state.candidate_value) json.Set("candidateValue", *state.candidate_value);
  if (state.stable_value) json.Set("stableValue", *state.stable_value);
  if (const auto* test = std::get_if<stats::ProportionTest>(&state.test))
    json.Set("overdispersion", test->overdispersion());
  if (const auto* test = std::get_if<stats::HistogramTest>(&state.test)) {
    auto quantiles = [](const stats::Quantiles& q) {
      return Json::Obj({{"p50", q.p50}, {"p90", q.p90}, {"p99", q.p99}});
    };
    json.Set("candidate", quantiles(test->Candidate())).Set("stable", quantiles(test->Stable()));
    if (auto edge = test->LoudestEdge()) json.Set("edge", *edge);
  }
  if (const auto* judgement = std::get_if<stats::Judgement>(&state.test)) {
    json.Set("class", ToString(judgement->verdict))
        .Set("low", judgement->low)
        .Set("high", judgement->high);
    json.Set("estimate", judgement->estimate);
  }
  return json;
}

}  // namespace rollguard::analysis
