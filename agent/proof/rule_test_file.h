// SPDX-License-Identifier: Apache-2.0
// Unit tests of rules, as files in promtool's format hold them, with our additions: `eval_range`
// with `exp_matrix`, `exp_error`, `exact`, and the release part (`release`, `alerts`,
// `decision_test`).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/promql/ast.h"
#include "agent/promql/labels.h"
#include "agent/promql/series_notation.h"
#include "agent/spec/values.h"
#include "agent/yaml/yaml.h"

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

struct RuleTestGroup {
  std::string name;
  SourceSpan span;
  Duration interval{0};
  Time start{};
  std::vector<InputSeries> input;
  std::vector<ExprTest> exprs;
  std::vector<AlertTest> alert_tests;
  spec::StringMap external_labels;
  // For the release engine; as written.
  std::optional<yaml::Node> release;
  std::optional<yaml::Node> alerts;
  std::optional<yaml::Node> decisions;
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
