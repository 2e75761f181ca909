// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "agent/analysis/compare_state.h"
#include "agent/analysis/rule_state.h"
#include "agent/analysis/score.h"
#include "agent/analysis/template_text.h"
#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::analysis {
namespace {

using std::chrono::seconds;

spec::Rule RuleWith(int hold, int keep, spec::NoData no_data = spec::NoData::kHold) {
  spec::Rule rule;
  rule.name = "HighErrorRate";
  rule.hold = seconds(hold);
  rule.keep_firing_for = seconds(keep);
  rule.no_data = no_data;
  return rule;
}

// Steps every 15 s with answers: a number, "-" for nothing, "n" for NaN, "e" for an error.
std::string Play(const spec::Rule& rule, std::string_view query,
                 std::initializer_list<std::string_view> answers) {
  RulePlan plan = PlanRule(query);
  RuleState state;
  std::string out;
  Time now{};
  for (std::string_view a : answers) {
    Expected<Answer> answer = Error(ErrorCode::kUnavailable, "down");
    if (a == "-") answer = AnswerFrom(promql::Vector{});
    if (a == "n") answer = AnswerFrom(promql::Vector{{promql::Labels{}, 0, std::nan("")}});
    if (auto number = ParseDouble(a))
      answer = AnswerFrom(promql::Vector{{promql::Labels{{"pod", "p"}}, 0, *number}});
    state = StepRule(rule, plan, spec::NoData::kHold, state, answer, now);
    out += StrCat(out.empty() ? "" : " ", ToString(state.phase));
    now += seconds(15);
  }
  return out;
}

}  // namespace

TEST_CASE("rules: what is asked and what it is held against", "[analysis]") {
  struct Row {
    const char* query;
    const char* ask;
    const char* threshold;
  };
  for (const Row& row :
       {Row{"a / b > 0.01", "a / b", "> 0.01"}, Row{"0.01 < (a / b)", "(a / b)", "> 0.01"},
        Row{"(sum(x) <= -2)", "sum(x)", "<= -2"}, Row{"a > b", "a > b", ""},
        Row{"a > bool 1", "a > bool 1", ""}, Row{"a and b > 1", "a and b > 1", ""},
        Row{"x{a=\"$pods\"} >= 3", "x{a=\"$pods\"}", ">= 3"}, Row{"up == 0", "up", "== 0"},
        Row{"not a query (", "not a query (", ""}}) {
    INFO(row.query);
    RulePlan plan = PlanRule(row.query);
    CHECK(plan.ask == row.ask);
    std::string threshold = plan.threshold ? StrCat(ToString(plan.threshold->op), " ",
                                                    FormatNumber(plan.threshold->value))
                                           : "";
    CHECK(threshold == row.threshold);
  }
}

TEST_CASE("rules: for, keep_firing_for, no data, errors", "[analysis]") {
  CHECK(Play(RuleWith(0, 0), "x > 1", {"0", "2", "0"}) == "inactive firing inactive");
  CHECK(Play(RuleWith(30, 0), "x > 1", {"2", "2", "2", "0"}) == "pending pending firing inactive");
  CHECK(Play(RuleWith(30, 0), "x > 1", {"2", "0", "2", "2", "2"}) ==
        "pending inactive pending pending firing");
  CHECK(Play(RuleWith(0, 30), "x > 1", {"2", "0", "0", "2", "0"}) ==
        "firing firing inactive firing firing");
  // The clock of a pending rule stands still while nothing is known.
  CHECK(Play(RuleWith(30, 0), "x > 1", {"2", "e", "2", "2"}) == "pending pending pending firing");
  CHECK(Play(RuleWith(30, 0), "x > 1", {"2", "n", "2", "2"}) == "pending noData pending firing");
  CHECK(Play(RuleWith(0, 0), "x > 1", {"2", "-", "e", "0"}) == "firing firing firing inactive");
  CHECK(Play(RuleWith(0, 0), "x > 1", {"e", "-", "0"}) == "error noData inactive");
  CHECK(Play(RuleWith(0, 0, spec::NoData::kPass), "x > 1", {"2", "-"}) == "firing inactive");
  CHECK(Play(RuleWith(15, 0, spec::NoData::kFail), "x > 1", {"-", "n"}) == "pending firing");
  // Without a threshold at the top, anything that comes back is bad and nothing is good.
  CHECK(Play(RuleWith(0, 0), "x > y", {"-", "5", "n"}) == "inactive firing firing");
  CHECK(Play(RuleWith(0, 0), "x < 1", {"2", "0.5"}) == "inactive firing");
}

TEST_CASE("rules: the worst sample is shown, and states survive", "[analysis]") {
  spec::Rule rule = RuleWith(0, 0);
  rule.annotations = {{"summary", "{{ $value | humanizePercentage }} on {{ $labels.pod }}"},
                      {"bad", "{{ nope }}"}};
  RulePlan plan = PlanRule("x > 0.01");
  auto answer = AnswerFrom(promql::Vector{{promql::Labels{{"pod", "a"}}, 0, 0.02},
                                          {promql::Labels{{"pod", "b"}}, 0, 0.034},
                                          {promql::Labels{{"pod", "c"}}, 0, 0.001}});
  RuleState state = StepRule(rule, plan, spec::NoData::kHold, {}, answer, Time{});
  CHECK(state.value == 0.034);
  auto annotations = RenderAnnotations(rule, state);
  CHECK(annotations[0].second == "3.4% on b");
  CHECK(annotations[1].second.find("not defined") != std::string::npos);
  CHECK(Describe(rule, plan, state) == "HighErrorRate: 0.034 > 0.01 for 0ms");
  RuleState again = RuleStateFromJson(*ParseJson(ToJson(state).Dump()));
  CHECK(ToJson(again) == ToJson(state));
}

TEST_CASE("annotation templates", "[analysis]") {
  TemplateData data{0.1234, {{"pod", "p-1"}, {"zone", "eu"}}, {{"guard", "checkout"}}};
  struct Row {
    const char* text;
    const char* want;
  };
  for (const Row& row : {
           Row{"plain", "plain"},
           Row{"{{ $value }}", "0.1234"},
           Row{"{{ $value | humanizePercentage }}", "12.34%"},
           Row{"{{ printf \"%.2f\" $value }}", "0.12"},
           Row{"{{ $value | printf \"%.1f!\" }}", "0.1!"},
           Row{"{{ printf \"%s/%s %d%%\" $labels.pod .Labels.zone 3 }}", "p-1/eu 3%"},
           Row{"{{ $labels.none }}x", "x"},
           Row{"{{ $guard | toUpper }}", "CHECKOUT"},
           Row{"{{ if gt $value 0.5 }}high{{ else if gt $value 0.1 }}mid{{ else }}low{{ end }}",
               "mid"},
           Row{"{{ if and (gt $value 0.1) (eq $labels.zone \"eu\") }}yes{{ end }}", "yes"},
           Row{"{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}", "pod=p-1;zone=eu;"},
           Row{"a {{- \" b \" -}} c", "a b c"},
           Row{"{{/* nothing */}}x", "x"},
           Row{"{{ $x := 3 }}{{ $x }}", "3"},
           Row{"{{ index $labels \"zone\" }}", "eu"},
           Row{"{{ 1234567 | humanize }} {{ 2048 | humanize1024 }} {{ 3723 | humanizeDuration }}",
               "1.235M 2ki 1h 2m 3s"},
           Row{"{{ 0 | humanizeTimestamp }}", "1970-01-01T00:00:00Z"},
           Row{"{{ nope }}", "template: function \"nope\" not defined"},
           Row{"{{ $nope }}", "template: undefined variable \"$nope\""},
           Row{"{{ if true }}x", "template: {{if}} has no {{end}}"},
           Row{"{{ end }}", "template: unexpected {{end}}"},
           Row{"{{ $value", "template: {{ is never closed with }}"},
           Row{"{{ printf \"%d\" }}", "template: printf: too few arguments for the format"},
           Row{"{{ printf \"%n\" 1 }}",
               "template: printf: %n is not supported (use %s %v %q %d %f %e %g)"},
       }) {
    INFO(row.text);
    auto rendered = RenderTemplate(row.text, data);
    CHECK((rendered ? *rendered : rendered.error().message) == row.want);
  }
  CHECK(HumanizeDuration(0.0042) == "4.2ms");
  CHECK(HumanizeDuration(-90061) == "-1d 1h 1m 1s");
  CHECK(Humanize(0.00123) == "1.23m");
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "{{if true}}";
  CHECK_FALSE(RenderTemplate(deep, data).ok());
}

namespace {

spec::Query Ask(const char* text) {
  spec::Query query;
  query.text = text;
  return query;
}

promql::Vector One(double v) { return {{promql::Labels{}, 0, v}}; }

promql::Vector Buckets(double fast, double slow) {
  return {{promql::Labels{{"le", "0.1"}}, 0, fast},
          {promql::Labels{{"le", "0.5"}}, 0, fast + slow / 2},
          {promql::Labels{{"le", "+Inf"}}, 0, fast + slow}};
}

}  // namespace

TEST_CASE("comparing rules", "[analysis]") {
  spec::Compare proportion;
  proportion.what = spec::CompareProportion{Ask("bad"), Ask("total")};
  CHECK(QueriesOf(proportion).second == "total");
  CompareState state = StartCompare(proportion);
  StepCompare(proportion, 0.01, state, {promql::Vector{}, promql::Vector{}}, {One(1), One(900)},
              Time{});
  CHECK(state.no_data);
  CHECK(state.message == "no traffic on the candidate");
  for (int i = 0; i < 20; ++i) {
    StepCompare(proportion, 0.01, state, {promql::Vector{}, One(100)}, {One(9), One(900)},
                Time{} + seconds(i));
  }
  CHECK_FALSE(state.alarmed);
  for (int i = 0; i < 60; ++i) {
    StepCompare(proportion, 0.01, state, {One(6), One(100)}, {One(9), One(900)},
                Time{} + seconds(100 + i));
  }
  CHECK(state.alarmed);
  CHECK(state.alarmed_at < Time{} + seconds(125));
  CHECK(ToJson(state, 0.01).At("alarmed").BoolOr(false));

  spec::Compare histogram;
  histogram.what = spec::CompareHistogram{Ask("h")};
  state = StartCompare(histogram);
  for (int i = 0; i < 30; ++i)
    StepCompare(histogram, 0.01, state, {Buckets(60, 40), {}}, {Buckets(900, 100), {}}, Time{});
  CHECK(state.alarmed);
  CHECK(state.message.find("p99") != std::string::npos);

  spec::Compare mean;
  mean.what = spec::CompareMean{Ask("g")};
  state = StartCompare(mean);
  for (int i = 0; i < 4; ++i)
    StepCompare(mean, 0.01, state, {One(30 + i), {}}, {One(10 + i), {}}, Time{});
  CHECK_FALSE(state.alarmed);  // too few to tell
  for (int i = 0; i < 8; ++i)
    StepCompare(mean, 0.01, state, {One(30 + i), {}}, {One(10 + i), {}}, Time{});
  CHECK(state.alarmed);
}

TEST_CASE("health score", "[analysis]") {
  std::vector<CheckScore> checks = {{"a", 1, 1.0, false, false, ""},
                                    {"b", 3, 0.8, false, false, ""},
                                    {"c", 9, {}, false, false, ""}};
  CHECK(ScoreHealth(checks).score == Approx(0.85));
  CHECK(ScoreHealth(checks).health == Health::kDegraded);
  checks[1].score = 1.0;
  CHECK(ScoreHealth(checks).health == Health::kHealthy);
  checks[2] = {"c", 1, 1.0, true, true, ""};
  CHECK(ScoreHealth(checks).health == Health::kUnhealthy);
  CHECK(ScoreHealth(checks).critical_check == "c");
  CHECK(ScoreHealth({}).health == Health::kUnknown);
  CHECK(ScoreHealth(std::vector<CheckScore>{{"x", 1, 0.9, false, false, ""}}).health ==
        Health::kHealthy);
  CHECK(ScoreHealth(std::vector<CheckScore>{{"x", 1, 0.69, false, false, ""}}).health ==
        Health::kUnhealthy);
}

TEST_CASE("confidence", "[analysis]") {
  spec::Confidence settings;
  ConfidenceResult bad = WeighConfidence(settings, {0.0, {1, 0.8, 0.6, 0.4, 0.2, 0.0}, 1.0, 0});
  CHECK(bad.value == Approx(1.0));
  CHECK(bad.advice == Advice::kInvestigate);  // the first look of two
  CHECK(WeighConfidence(settings, {0.0, {1, 0.8, 0.6, 0.4, 0.2, 0.0}, 1.0, 1}).advice ==
        Advice::kRollBack);
  ConfidenceResult calm = WeighConfidence(settings, {0.95, {0.95, 0.95, 0.95, 0.95}, 0, 3});
  CHECK(calm.value == Approx(0.02));
  CHECK(calm.consecutive == 0);
  CHECK(calm.advice == Advice::kMonitor);
  // 0.4 * 0.5 + 0.3 * 0 + 0.3 * 1 = 0.5: above 0.7 of the threshold.
  ConfidenceResult middle = WeighConfidence(settings, {0.5, {0.5, 0.5, 0.5}, 1.0, 0});
  CHECK(middle.value == Approx(0.5));
  CHECK(middle.advice == Advice::kInvestigate);
  CHECK(TrendPart({-0.06, 1, 6}) == Approx(0.6));
  CHECK(TrendPart({-0.05, 1, 6}) == 0);
  CHECK(TrendPart({-0.5, 1, 6}) == 1);
  settings.health = 4;
  settings.trend = settings.severity = 3;
  CHECK(WeighConfidence(settings, {0.5, {0.5, 0.5, 0.5}, 1.0, 0}).value == Approx(0.5));
}

}  // namespace rollguard::analysis
