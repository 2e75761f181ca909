// SPDX-License-Identifier: Apache-2.0
// Unit tests of rules, as files in promtool's format hold them, with our additions: `eval_range`
// with `exp_matrix`, `exp_error`, `exact`, and the release part (`release`, `alerts`,
// `decision_test`).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/alerts/alert.h"
#include "agent/base/diagnostic.h"
#include "agent/promql/ast.h"
#include "agent/promql/labels.h"
#include "agent/promql/series_notation.h"
#include "agent/spec/values.h"

namespace rollguard::proof {

struct InputSeries {
  promql::Labels labels;
  promql::SeriesValues values;
};

struct ExpectedSample {
  promql::Labels labels;
  double value = 0;
};

struct ExpectedRow {
  promql::Labels labels;
  promql::SeriesValues values;  // one per step; nothing where no point is expected
};

// One question and its answer. Exactly one of samples, matrix and error is expected; samples when
// nothing else is said.
struct ExprTest {
  std::string expr;
  promql::Query query;
  SourceSpan span;
  Duration at{0};
  struct Range {
    Duration start{0};
    Duration end{0};
    Duration step{0};
  };
  std::optional<Range> range;
  std::vector<ExpectedSample> samples;
  std::vector<ExpectedRow> matrix;
  std::optional<std::string> error;  // a regular expression
  bool exact = false;
};

struct ExpectedAlert {
  spec::StringMap labels;
  spec::StringMap annotations;
};

struct AlertTest {
  Duration at{0};
  std::string alert;
  std::string group;  // optional
  std::vector<ExpectedAlert> alerts;
  SourceSpan span;
};

// Which release the rules judge. Without a guard one is made up, and what is not said is read from
// the series where they leave no doubt.
struct ReleaseSetup {
  std::string guard;  // a file, relative to the test file
  SourceSpan guard_span;
  Duration at{0};
  std::string ns, workload, service;  // without a guard
  spec::StringMap vars;               // win over the guard's
  std::string candidate_pods;         // empty: WORKLOAD-candidate-.*
  std::string stable_pods;            // empty: WORKLOAD-stable-.*
  SourceSpan span;
};

struct AlertEvent {
  Duration at{0};
  alerts::Alert alert;  // starts_at counts from the epoch; the test's start is added
};

// How the release must stand at a time. What is absent is not looked at.
struct DecisionTest {
  Duration at{0};
  std::string action;  // rollback, pause, hold, observe, promote, reject, none
  std::string rule;    // behind the action; with none: a rule that does not fire
  std::string alert;
  std::optional<int64_t> weight;
  std::string phase;
  std::string reason;      // a regular expression
  spec::StringMap states;  // rule -> inactive, pending, firing, noData, error
  SourceSpan span;
};

struct RuleTestGroup {
  std::string name;
  SourceSpan span;
  Duration interval{0};
  Time start{};
  std::vector<InputSeries> input;
  std::vector<ExprTest> exprs;
  std::vector<AlertTest> alert_tests;
  spec::StringMap external_labels;
  std::optional<ReleaseSetup> release;  // absent: one begins at 0
  std::vector<AlertEvent> alert_events;
  std::vector<DecisionTest> decisions;
};

struct RuleTestFile {
  std::string file;
  std::vector<std::string> rule_files;  // patterns as written, relative to the file
  std::vector<SourceSpan> rule_file_spans;
  std::vector<std::string> group_order;
  Duration evaluation_interval = std::chrono::minutes(1);
  std::vector<RuleTestGroup> groups;
};

// Every problem is reported; the value is usable only without errors.
RuleTestFile ParseRuleTestFile(std::string_view file, std::string_view text,
                               Diagnostics& diagnostics);

// A document that is only the data of a test: `input_series`, `interval`, `start_timestamp`.
RuleTestGroup ParseSeriesGroup(std::string_view file, std::string_view text,
                               Diagnostics& diagnostics);

}  // namespace rollguard::proof
