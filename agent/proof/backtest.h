// SPDX-License-Identifier: Apache-2.0
// What rules would have done in the past: each release is tried on its samples by the code the
// agent runs, and what comes of it is held against what really was the case.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/base/json.h"
#include "agent/proof/past_release.h"
#include "agent/proof/trial.h"

namespace rollguard::proof {

struct BacktestRules {
  const spec::Library* library = nullptr;  // the groups to try, and what the guard refers to
  const spec::Guard* guard = nullptr;      // whose limits and variables count; null: none
};

// How far one rule got.
struct RuleCourse {
  std::string group;
  std::string rule;
  spec::TriggerAction action = spec::TriggerAction::kRollback;
  analysis::RulePhase worst = analysis::RulePhase::kInactive;
  std::optional<Time> fired;
  size_t looks = 0;
  size_t without_data = 0;
  double peak = 0;  // the value furthest into the bad; NaN: none
  std::optional<double> threshold;
  std::string text;  // what it said when it got that far
};

struct BacktestVerdict {
  enum class Outcome { kPassed, kHeld, kRolledBack };
  PastRelease release;
  Outcome outcome = Outcome::kPassed;
  std::optional<Time> at;
  std::string rule;    // behind it
  std::string reason;  // in one sentence
  size_t looks = 0;    // instants at which rules were evaluated
  std::vector<RuleCourse> rules;
  std::vector<RuleLook> course;  // every evaluation, for charts
  std::string problem;           // not empty: it could not be judged, and why
};
const char* ToString(BacktestVerdict::Outcome outcome);

// `samples` covers the release and what its questions look back to.
BacktestVerdict TryRelease(const BacktestRules& rules, const PastRelease& release,
                           const promql::Querier& samples);

// Labelled releases only; a release that was rolled back is a positive.
struct BacktestSummary {
  size_t rolled_back = 0, held = 0, passed = 0;
  size_t true_positives = 0, false_positives = 0, false_negatives = 0, true_negatives = 0;
  std::optional<double> precision;  // absent: nothing labelled was rolled back
  std::optional<double> recall;     // absent: nothing is labelled bad
  std::optional<double> median_seconds;
};
BacktestSummary Summarize(const std::vector<BacktestVerdict>& verdicts);

Json ToJson(const std::vector<BacktestVerdict>& verdicts);
// A line per release and the summary.
std::string BacktestText(const std::vector<BacktestVerdict>& verdicts);
// The rule behind a verdict against its threshold, drawn in characters; empty without one.
std::string BacktestPlot(const BacktestVerdict& verdict, size_t width);
// A self-contained page: no script or style from elsewhere.
std::string BacktestHtml(const std::vector<BacktestVerdict>& verdicts, std::string_view title);

}  // namespace rollguard::proof
