// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/rule_test_file.h"

#include <algorithm>
#include <cmath>

#include "agent/base/text.h"
#include "agent/proof/decision_file.h"
#include "agent/proof/prom_rules.h"
#include "agent/spec/reader.h"

namespace rollguard::proof {
namespace {

using spec::Object;

bool ReadDuration(Object& object, std::string_view key, Duration& out,
                  std::string_view description) {
  std::string text;
  if (!object.Text(key, text, description)) return false;
  return ReadPromDuration(object.context().file, text, object.ValueSpan(key), key, out,
                          object.context().diagnostics);
}

void ReportNotation(Object& object, const yaml::Node& node, const promql::NotationError& error) {
  object.context().Error(yaml::SpanInside(node, error.offset, error.length), error.message);
}

// A scalar of any type, as it is written; null when there is none.
bool ReadScalar(Object& object, std::string_view key, yaml::Node& out,
                std::string_view description) {
  if (!object.Raw(key, out, description)) return false;
  if (out.kind == yaml::Kind::kScalar) return true;
  object.Error(key, StrCat(Quote(key), " must be a text, not ", spec::Describe(out)));
  return false;
}

bool ReadValues(Object& object, std::string_view key, promql::SeriesValues& out) {
  yaml::Node node;
  object.Require(key);
  if (!ReadScalar(object, key, node, "Values in series notation.")) return false;
  std::optional<promql::NotationError> error;
  out = promql::ParseSeriesValues(node.text, error);
  if (error) ReportNotation(object, node, *error);
  return !error;
}

bool ReadName(Object& object, std::string_view key, promql::Labels& out) {
  yaml::Node node;
  if (!ReadScalar(object, key, node, "A metric with labels.")) return false;
  std::string text(Trim(node.text));
  if (text.empty() || text == "{}") return true;
  std::optional<promql::NotationError> error;
  out = promql::ParseSeriesName(node.text, error);
  if (error) ReportNotation(object, node, *error);
  return !error;
}

bool ReadNumber(Object& object, std::string_view key, double& out) {
  yaml::Node node;
  object.Require(key);
  if (!ReadScalar(object, key, node, "A number.")) return false;
  std::string text = ToLower(Trim(node.text));
  if (text.starts_with("+")) text.erase(0, 1);
  if (text == "nan" || text == ".nan") {
    out = std::bit_cast<double>(promql::kNormalNanBits);
  } else if (text == "inf" || text == ".inf" || text == "-inf" || text == "-.inf") {
    out = text[0] == '-' ? -HUGE_VAL : HUGE_VAL;
  } else if (auto value = ParseDouble(text)) {
    out = *value;
  } else {
    object.Error(key, StrCat(Quote(key), " must be a number, not ", Quote(node.text)));
    return false;
  }
  return true;
}

void ReadSamples(Object& object, ExprTest& test) {
  object.List("exp_samples", "The samples that are expected.", [&](Object& inner) {
    ExpectedSample sample;
    bool good = ReadName(inner, "labels", sample.labels) || !inner.Has("labels");
    if (ReadNumber(inner, "value", sample.value) && good) test.samples.push_back(std::move(sample));
  });
  object.List("exp_matrix", "The series that are expected over eval_range.", [&](Object& inner) {
    ExpectedRow row;
    bool good = ReadName(inner, "labels", row.labels) || !inner.Has("labels");
    if (ReadValues(inner, "values", row.values) && good) test.matrix.push_back(std::move(row));
  });
  std::string error;
  if (object.Regex("exp_error", error, "A pattern that the failure's text contains.")) {
    test.error = std::move(error);
  }
  object.AtMostOne({"exp_samples", "exp_matrix", "exp_error"});
}

void ReadExprTest(Object& object, bool exact, RuleTestGroup& group) {
  ExprTest test;
  test.exact = exact;
  test.span = object.span();
  object.Require("expr");
  yaml::Node expr;
  if (ReadScalar(object, "expr", expr, "The question.")) {
    test.expr = std::string(Trim(expr.text));
    test.span = object.KeySpan("expr");
  }
  ReadDuration(object, "eval_time", test.at, "When it is asked.");
  object.Bool("exact", test.exact, "Compare numbers bit for bit.");
  object.Obj("eval_range", "Ask over a range.", [&](Object& inner) {
    ExprTest::Range range;
    ReadDuration(inner, "start", range.start, "From.");
    inner.Require("end");
    ReadDuration(inner, "end", range.end, "To.");
    inner.Require("step");
    ReadDuration(inner, "step", range.step, "Step.");
    if (inner.Has("step") && range.step.count() <= 0)
      inner.Error("step", "the step must be positive");
    if (range.end < range.start) inner.Error("end", "the end lies before the start");
    test.range = range;
  });
  object.AtMostOne({"eval_time", "eval_range"});
  if (object.Has("exp_matrix") && !test.range) {
    object.Error("exp_matrix", "\"exp_matrix\" needs \"eval_range\"");
  }
  if (object.Has("exp_samples") && test.range) {
    object.Error("exp_samples", "a question over \"eval_range\" expects \"exp_matrix\"");
  }
  ReadSamples(object, test);
  if (expr.kind != yaml::Kind::kScalar) return;
  // A test may expect that the question itself is refused.
  if (!test.error)
    test.query = ReadPromExpr(object.context().file, expr, object.context().diagnostics);
  group.exprs.push_back(std::move(test));
}

void ReadAlertTest(Object& object, RuleTestGroup& group) {
  AlertTest test;
  test.span = object.span();
  ReadDuration(object, "eval_time", test.at, "When it is looked at.");
  object.Require("alertname");
  object.Str("alertname", test.alert, "The alert.");
  if (object.Has("alertname")) test.span = object.KeySpan("alertname");
  object.Str("groupname", test.group, "The rule group, when several have such an alert.");
  object.List("exp_alerts", "The alerts that fire.", [&](Object& inner) {
    ExpectedAlert& alert = test.alerts.emplace_back();
    inner.Map("exp_labels", alert.labels, "Labels without alertname.");
    inner.Map("exp_annotations", alert.annotations, "Annotations after templates.");
  });
  group.alert_tests.push_back(std::move(test));
}

void ReadStart(Object& object, Time& start) {
  std::string text;
  if (!object.Text("start_timestamp", text, "Unix seconds or RFC 3339.")) return;
  if (auto seconds = ParseDouble(text); seconds && std::abs(*seconds) < 1e12) {
    start = FromUnixMillis(static_cast<int64_t>(std::llround(*seconds * 1000)));
  } else if (auto time = ParseRfc3339(text)) {
    start = *time;
  } else {
    object.Error("start_timestamp", "must be Unix seconds or a time like 2026-11-02T10:00:00Z");
  }
}

void ReadData(Object& object, RuleTestGroup& group) {
  ReadDuration(object, "interval", group.interval, "Between two values of a series.");
  if (group.interval.count() <= 0) object.Error("interval", "the interval must be positive");
  ReadStart(object, group.start);
  object.List("input_series", "What was measured.", [&](Object& inner) {
    InputSeries series;
    inner.Require("series");
    bool good = ReadName(inner, "series", series.labels);
    if (ReadValues(inner, "values", series.values) && good)
      group.input.push_back(std::move(series));
  });
}

void ReadGroup(Object& object, bool exact, RuleTestFile& file) {
  RuleTestGroup group;
  group.span = object.span();
  group.interval = file.evaluation_interval;
  object.Str("name", group.name, "What is tested.");
  if (group.name.empty()) group.name = StrCat("test ", file.groups.size() + 1);
  object.Bool("exact", exact, "Compare numbers bit for bit.");
  ReadData(object, group);
  object.List("promql_expr_test", "Questions and answers.",
              [&](Object& inner) { ReadExprTest(inner, exact, group); });
  object.List("alert_rule_test", "Alerts that fire.",
              [&](Object& inner) { ReadAlertTest(inner, group); });
  object.Map("external_labels", group.external_labels, "The server's own labels.");
  object.Ignore("external_url");
  ReadDecisionPart(object, group);
  file.groups.push_back(std::move(group));
}

}  // namespace

RuleTestFile ParseRuleTestFile(std::string_view file, std::string_view text,
                               Diagnostics& diagnostics) {
  RuleTestFile out;
  out.file = std::string(file);
  spec::Context context{file, diagnostics};
  std::vector<yaml::Node> roots = yaml::Parse(file, text, diagnostics);
  if (roots.size() != 1 || !roots[0].is_mapping()) {
    if (!diagnostics.has_errors()) {
      diagnostics.Error(file, {}, "expected one document with \"tests\"");
    }
    return out;
  }
  Object object(context, roots[0], roots[0].span);
  object.Strings("rule_files", out.rule_files,
                 "Rule files, relative to this file; * may stand in.");
  if (const yaml::Node* files = roots[0].Find("rule_files")) {
    for (const yaml::Node& item : files->items) out.rule_file_spans.push_back(item.span);
  }
  out.rule_file_spans.resize(out.rule_files.size());
  ReadDuration(object, "evaluation_interval", out.evaluation_interval, "Between evaluations.");
  if (out.evaluation_interval.count() <= 0) {
    object.Error("evaluation_interval", "the interval must be positive");
    out.evaluation_interval = std::chrono::minutes(1);
  }
  object.Strings("group_eval_order", out.group_order, "Groups in order of evaluation.");
  object.Ignore("fuzzy_compare");  // numbers are always compared with a tolerance, unless `exact`
  bool exact = false;
  object.Bool("exact", exact, "Compare numbers bit for bit.");
  object.Require("tests");
  object.List("tests", "The tests.", [&](Object& inner) { ReadGroup(inner, exact, out); });
  return out;
}

RuleTestGroup ParseSeriesGroup(std::string_view file, std::string_view text,
                               Diagnostics& diagnostics) {
  RuleTestGroup group;
  group.interval = std::chrono::minutes(1);
  std::vector<yaml::Node> roots = yaml::Parse(file, text, diagnostics);
  if (roots.size() != 1 || !roots[0].is_mapping()) {
    if (!diagnostics.has_errors()) {
      diagnostics.Error(file, {}, "expected one document with \"input_series\"");
    }
    return group;
  }
  spec::Context context{file, diagnostics};
  Object object(context, roots[0], roots[0].span);
  object.Require("input_series");
  ReadData(object, group);
  return group;
}

}  // namespace rollguard::proof
