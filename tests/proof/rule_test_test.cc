// SPDX-License-Identifier: Apache-2.0
// Rule tests: what passes, what fails and how that is said, what is refused.
#include "agent/proof/rule_test.h"

#include <map>

#include "agent/base/text.h"
#include "agent/proof/rule_evaluator.h"
#include "agent/proof/series_file.h"
#include "tests/support/catch.h"

namespace rollguard::proof {
namespace {

const char* const kRules = R"(groups:
  - name: recorded
    interval: 5s
    rules:
      - record: job:requests:rate2m
        expr: sum by (job) (rate(requests_total[2m]))
        labels: {from: rules}
  - name: alerts
    rules:
      - alert: Busy
        expr: job:requests:rate2m > 0.5
        for: 2m
        keep_firing_for: 3m
        labels: {severity: page, team: "{{ $labels.job }}-team"}
        annotations:
          summary: "{{ $labels.job }} has {{ $value | humanize }} requests/s"
      - alert: Down
        expr: up == 0
)";

struct Ran {
  RuleTestReport report;
  std::string problems;
};

Ran RunTests(std::string_view text, const RuleTestOptions& options = {},
             std::map<std::string, std::string> rules = {{"dir/rules.yaml", kRules}}) {
  RuleFiles files{[&](const std::string& path) -> Expected<std::string> {
                    if (!rules.contains(path))
                      return Error(ErrorCode::kNotFound, "there is no " + path.substr(4));
                    return rules.at(path);
                  },
                  [&](const std::string& pattern) {
                    return rules.contains(pattern) ? std::vector{pattern}
                                                   : std::vector<std::string>();
                  }};
  Diagnostics diagnostics;
  std::vector<std::pair<std::string, std::string>> texts;
  Ran ran;
  ran.report = RunRuleTests("dir/some.test.yaml", text, files, options, diagnostics, texts);
  for (const Diagnostic& d : diagnostics.Sorted()) {
    ran.problems += StrCat(d.file, ":", d.span.line, ":", d.span.column, ": ", d.message, "\n");
  }
  return ran;
}

}  // namespace

TEST_CASE("questions and their answers", "[proof][ruletest]") {
  Ran ran = RunTests(R"(
evaluation_interval: 1m
tests:
  - name: all kinds of answers
    interval: 30s
    input_series:
      - {series: 'requests_total{job="a"}', values: '0+30x20'}
      - {series: 'temp{room="x"}', values: '1 NaN Inf stale 5 _ 7'}
    promql_expr_test:
      - {expr: 'rate(requests_total[2m])', eval_time: 5m, exp_samples: [{labels: '{job="a"}', value: 1}]}
      - {expr: '1 / 3', eval_time: 0, exp_samples: [{value: 0.3333333}]}
      - {expr: 'temp', eval_time: 30s, exp_samples: [{labels: 'temp{room="x"}', value: NaN}]}
      - {expr: 'temp', eval_time: 1m, exp_samples: [{labels: 'temp{room="x"}', value: +Inf}]}
      - {expr: 'temp', eval_time: 1m30s}
      - {expr: 'temp', eval_time: 2m30s, exp_samples: [{labels: '{__name__="temp",room="x"}', value: 5}]}
      - expr: 'requests_total > 60'
        eval_range: {start: 0s, end: 2m, step: 30s}
        exp_matrix: [{labels: 'requests_total{job="a"}', values: '_ _ _ 90 120'}]
      - {expr: 'requests_total * on () group_left temp or', exp_error: 'unexpected end of input'}
      - {expr: 'label_replace(temp, "x", "", "y", "(")', exp_error: 'invalid regular expression'}
)");
  CHECK(ran.problems == "");
  CHECK(RenderText({ran.report}) == "9 passed, 0 failed\n");
}

TEST_CASE("failures say where, what was expected, what came and what was seen",
          "[proof][ruletest]") {
  Ran ran = RunTests(R"(tests:
  - name: wrong
    input_series:
      - {series: 'a{i="1"}', values: '1 2 3'}
    promql_expr_test:
      - expr: |
          sum(a)
            + 0
        eval_time: 2m
        exp_samples: [{value: 4}]
      - {expr: 'a', eval_time: 1m, exp_error: 'never'}
      - {expr: '1 / 3', exact: true, exp_samples: [{value: 0.3333333}]}
      - {expr: 'a', eval_range: {end: 1m, step: 1m}, exp_matrix: []}
)");
  CHECK(ran.problems == "");
  CHECK(RenderText({ran.report}) ==
        "dir/some.test.yaml:6: test \"wrong\": sum(a) + 0 at 2m: want {} 4, got {} 3\n"
        "    a{i=\"1\"} => 3 @[120]\n"
        "dir/some.test.yaml:11: test \"wrong\": a at 1m: want a failure that says never, got "
        "a{i=\"1\"} 2\n"
        "dir/some.test.yaml:12: test \"wrong\": 1 / 3 at 0s: want {} 0.3333333, got {} "
        "0.3333333333333333\n"
        "dir/some.test.yaml:13: test \"wrong\": a at 0s..1m: want nothing, got a{i=\"1\"} 1 2\n"
        "    a{i=\"1\"} => 2 @[60]\n"
        "0 passed, 4 failed\n");
  Json json = ToJson(std::vector{ran.report});
  CHECK(json.At("failed").IntOr(0) == 4);
  CHECK(json.At("failures").At(size_t{0}).At("want").Str() == "{} 4");
  CHECK(json.At("failures").At(size_t{0}).At("line").IntOr(0) == 6);
  std::string junit = RenderJunit({ran.report});
  CHECK(junit.find("<testsuite name=\"dir/some.test.yaml\" tests=\"4\" failures=\"4\">") !=
        std::string::npos);
  CHECK(junit.find("a{i=&quot;1&quot;} =&gt; 3 @[120]") != std::string::npos);
}

TEST_CASE("recording and alerting rules", "[proof][ruletest]") {
  Ran ran = RunTests(R"(
rule_files: [rules.yaml]
evaluation_interval: 1m
group_eval_order: [recorded, alerts]
tests:
  - name: busy
    interval: 1m
    input_series:
      - {series: 'requests_total{job="a"}', values: '0+60x5 300x10'}
      - {series: 'up{job="a"}', values: '1x4 0 0 1x10'}
    promql_expr_test:
      - expr: job:requests:rate2m
        eval_time: 4m
        exp_samples: [{labels: 'job:requests:rate2m{job="a", from="rules"}', value: 1}]
      - expr: ALERTS
        eval_time: 2m
        exp_samples:
          - {labels: 'ALERTS{alertname="Busy", alertstate="pending", job="a", from="rules", severity="page", team="a-team"}', value: 1}
      - expr: 'count(ALERTS{alertname="Down"})'
        eval_time: 5m
        exp_samples: [{value: 1}]
      - {expr: 'ALERTS{alertname="Down"}', eval_time: 7m}
    alert_rule_test:
      - {eval_time: 2m, alertname: Busy}
      - eval_time: 4m
        alertname: Busy
        exp_alerts:
          - exp_labels: {job: a, from: rules, severity: page, team: a-team}
            exp_annotations: {summary: a has 1 requests/s}
      - {eval_time: 5m30s, alertname: Down, exp_alerts: [{exp_labels: {job: a}}]}
      - {eval_time: 7m, alertname: Down}
      - eval_time: 8m
        alertname: Busy
        groupname: alerts
        exp_alerts:
          - exp_labels: {job: a, from: rules, severity: page, team: a-team}
            exp_annotations: {summary: a has 1 requests/s}
      - {eval_time: 12m, alertname: Busy}
)");
  CHECK(ran.problems == "");
  CHECK(RenderText({ran.report}) == "10 passed, 0 failed\n");
}

TEST_CASE("an alert that does not match shows the rule and what it saw", "[proof][ruletest]") {
  Ran ran = RunTests(R"(rule_files: [rules.yaml]
tests:
  - name: down
    input_series: [{series: 'up{job="a"}', values: '0 0'}]
    alert_rule_test:
      - {eval_time: 1m, alertname: Down, exp_alerts: [{exp_labels: {job: b}}]}
)");
  CHECK(
      RenderText({ran.report}) ==
      "dir/some.test.yaml:6: test \"down\": Down at 1m: want {alertname=\"Down\", job=\"b\"}, got "
      "{alertname=\"Down\", job=\"a\"}\n"
      "    rule: up == 0\n"
      "    up{job=\"a\"} => 0 @[60]\n"
      "0 passed, 1 failed\n");
}

TEST_CASE("annotations may use the server's own labels", "[proof][ruletest]") {
  Ran ran = RunTests(R"(rule_files: [r.yaml]
tests:
  - external_labels: {cluster: eu}
    input_series: [{series: 'up{job="a"}', values: '0 0'}]
    alert_rule_test:
      - eval_time: 1m
        alertname: Down
        exp_alerts:
          - exp_labels: {job: a, at: eu}
            exp_annotations: {where: "eu eu  a"}
)",
                     {}, {{"dir/r.yaml", R"(groups:
  - name: g
    rules:
      - alert: Down
        expr: up == 0
        labels: {at: "{{ $externalLabels.cluster }}"}
        annotations:
          where: "{{ $externalLabels.cluster }} {{ .ExternalLabels.cluster }} {{ $externalLabels.no }} {{ .Labels.job }}"
)"}});
  CHECK(ran.problems == "");
  CHECK(RenderText({ran.report}) == "1 passed, 0 failed\n");
}

TEST_CASE("what is wrong with a test file is said at its place", "[proof][ruletest]") {
  const struct {
    const char* text;
    const char* want;
  } rows[] = {
      {"tests:\n  - input_series: [{series: 'a{', values: '1'}]\n", "dir/some.test.yaml:2:"},
      {"tests:\n  - input_series: [{series: 'a', values: '1 2x'}]\n",
       "dir/some.test.yaml:2:47: expected the number of repetitions"},
      {"tests:\n  - promql_expr_test: [{expr: 'rat(a[5m])'}]\n", "unknown function"},
      {"tests:\n  - promql_expr_test: [{expr: a, exp_sample: []}]\n", "exp_sample"},
      {"tests:\n  - promql_expr_test: [{expr: a, eval_time: soon}]\n",
       "\"eval_time\" must be a duration like 30s, 5m or 1h30m, not \"soon\""},
      {"tests:\n  - promql_expr_test: [{expr: a, exp_matrix: []}]\n",
       "\"exp_matrix\" needs \"eval_range\""},
      {"rule_files: [other.yaml]\ntests: []\n",
       "dir/some.test.yaml:1:14: no rule file matches \"dir/other.yaml\""},
      {"rule_files: [rules.yaml]\ngroup_eval_order: [nobody]\ntests: []\n",
       "group_eval_order names \"nobody\""},
      {"test: []\n", "\"tests\""},
      {"tests:\n  - input_series: [{series: a, values: 1}, {series: a, values: 2}]\n",
       "a is given twice in one test"},
      {"tests:\n  - {interval: 0s}\n", "the interval must be positive"},
      {"tests:\n  - alerts: [{at: 1m, labels: {alertname: A}}]\n",
       "\"alerts\" changes nothing here: add \"decision_test\""},
      {"tests:\n  - release: {at: 1m}\n", "\"release\" changes nothing here"},
      {"tests:\n  - decision_test: [{at: 1m, expect: {action: rolback}}]\n",
       "unknown action \"rolback\" (did you mean \"rollback\"?)"},
      {"tests:\n  - decision_test: [{at: 1m, expect: {}}]\n", "expect at least one of action"},
      {"tests:\n  - decision_test: [{at: 1m, expect: {states: {A: fireing}}}]\n",
       "unknown state of A \"fireing\" (did you mean \"firing\"?)"},
      {"tests:\n  - decision_test: [{at: 1m, expect: {rule: A}}]\n",
       "there is no rule \"A\" in the rule files"},
      {"tests:\n  - {release: {guard: no.yaml}, decision_test: [{at: 1m, expect: {weight: 0}}]}\n",
       "there is no no.yaml"},
      {"- 1\n", "expected one document"},
  };
  for (const auto& row : rows) {
    INFO(row.text);
    Ran ran = RunTests(row.text);
    CHECK(ran.problems.find(row.want) != std::string::npos);
    INFO(ran.problems);
    CHECK(ran.report.cases.empty());
  }
}

TEST_CASE("a rule that fails at evaluation fails the test", "[proof][ruletest]") {
  Ran ran = RunTests(
      "rule_files: [r.yaml]\ntests: [{name: x, input_series: [{series: 'a{i=\"1\"}', "
      "values: 1}, {series: 'a{i=\"2\"}', values: 1}]}]\n",
      {}, {{"dir/r.yaml", "groups: [{name: g, rules: [{record: b, expr: a / on () a}]}]\n"}});
  CHECK(ran.problems == "");
  REQUIRE(ran.report.failures.size() == 1);
  CHECK(ran.report.failures[0].got.find("dir/r.yaml:1: rule \"b\": found duplicate series") !=
        std::string::npos);
}

TEST_CASE("only the tests that are asked for", "[proof][ruletest]") {
  RuleTestOptions options;
  options.only = "two";
  Ran ran = RunTests(
      "tests:\n  - {name: one, promql_expr_test: [{expr: '1'}]}\n"
      "  - {name: two, promql_expr_test: [{expr: 'vector(1)', exp_samples: [{value: 1}]}]}\n",
      options);
  CHECK(RenderText({ran.report}) == "1 passed, 0 failed\n");
}

TEST_CASE("series files", "[proof][ruletest]") {
  Diagnostics problems;
  SeriesFile notation = LoadSeriesFile(
      "s.yaml", "interval: 10s\nstart_timestamp: 100\ninput_series: [{series: a, values: '1 2'}]\n",
      Time(), problems);
  CHECK(problems.empty());
  CHECK(notation.interval == std::chrono::seconds(10));
  CHECK(notation.store.TimeRange() == std::pair<promql::Millis, promql::Millis>(100'000, 110'000));
  SeriesFile page = LoadSeriesFile("-", "a 1\nb{x=\"y\"} 2 5000\n", FromUnixMillis(77), problems);
  CHECK(problems.empty());
  CHECK(page.store.TimeRange() == std::pair<promql::Millis, promql::Millis>(77, 5000));
  LoadSeriesFile("bad", "a{ 1\n", Time(), problems);
  CHECK(problems.has_errors());
}

}  // namespace rollguard::proof
