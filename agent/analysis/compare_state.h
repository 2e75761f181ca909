// SPDX-License-Identifier: Apache-2.0
// Rules that compare the candidate with the stable revision, look by look, with one alpha per
// release. Once a comparison has alarmed it stays alarmed for the release.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "agent/analysis/answer.h"
#include "agent/base/json.h"
#include "agent/base/time.h"
#include "agent/spec/rules.h"
#include "agent/stats/histogram.h"
#include "agent/stats/mann_whitney.h"
#include "agent/stats/sequential.h"

namespace rollguard::analysis {

// The queries of one look, with `$pods` and `$window` still to be bound by the caller for each
// side. For a proportion `bad` and `total`; for a histogram or mean only `first`.
struct CompareQueries {
  std::string first;
  std::string second;  // empty: none
};
CompareQueries QueriesOf(const spec::Compare& compare);

// One side's answers, to the first and (proportion) second query.
struct CompareSide {
  promql::Value first;
  promql::Value second;
};

struct CompareState {
  std::variant<stats::ProportionTest, stats::HistogramTest, stats::Judgement> test;
  std::vector<std::pair<double, double>> stable_looks;  // (bad, total), the last 64: overdispersion
  std::vector<double> candidate_samples;                // mean: the last 240
  std::vector<double> stable_samples;
  bool alarmed = false;
  std::optional<Time> alarmed_at;
  double e = 1;          // evidence: acted on at 1/alpha
  uint64_t looks = 0;    // looks that counted
  uint64_t skipped = 0;  // looks without traffic on one side
  std::string message;   // what it says, in words people read
  bool no_data = true;   // the last look had nothing on one side
  // What the last look that counted compared: shares, 99th percentiles, means.
  std::optional<double> candidate_value;
  std::optional<double> stable_value;
};

CompareState StartCompare(const spec::Compare& compare);

// Takes one look into account. `alpha`: this rule's share of the release's budget.
void StepCompare(const spec::Compare& compare, double alpha, CompareState& state,
                 const CompareSide& candidate, const CompareSide& stable, Time now);
// A look that failed: nothing changes but the message.
void StepCompareError(CompareState& state, const Error& error);

// Evidence for records: looks, e, alpha, quantiles or interval.
Json ToJson(const CompareState& state, double alpha);

}  // namespace rollguard::analysis
