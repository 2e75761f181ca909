// SPDX-License-Identifier: Apache-2.0
#include "agent/analysis/run.h"

#include "agent/analysis/play.h"
#include "agent/analysis/template_file.h"
#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::analysis {
namespace {

using Args = std::vector<std::pair<std::string, std::string>>;

std::string Template(std::string_view metrics, std::string_view more = {}) {
  return StrCat(
      "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: t}\nspec:\n",
      more, "  metrics:\n", metrics);
}

// One metric whose query does not matter.
std::string Metric(std::string_view fields, std::string_view name = "m") {
  return StrCat("    - {name: ", name, ", ", fields, ", provider: {prometheus: {query: up}}}\n");
}

Expected<Run> Make(std::string_view text, const Args& args = {}) {
  spec::Library library;
  Diagnostics diagnostics;
  spec::LoadText("t.yaml", text, library, diagnostics);
  if (diagnostics.has_errors())
    return Error(ErrorCode::kInvalid, StrCat("load: ", diagnostics.Sorted()[0].message));
  RunOptions options = OfflineOptions(library, "", args);
  options.ns = "shop";
  options.guard = *ParseJson(
      R"({"metadata":{"name":"checkout","labels":{"app.x/y":"lab"}},"spec":{"replicas":3}})");
  options.stable_hash = "aaa";
  options.latest_hash = "bbb";
  return CreateRun(options, Time{});
}

std::string WhyNot(std::string_view text, const Args& args = {}) {
  auto run = Make(text, args);
  return run ? "" : run.error().message;
}

// Plays results for metric m: numbers, or E for an error.
Run PlayMetric(std::string_view fields, std::initializer_list<std::string_view> results) {
  auto run = Make(Template(Metric(fields)));
  REQUIRE(run.ok());
  Script script;
  for (std::string_view r : results) {
    if (r == "E") {
      script["m"].emplace_back(Error(ErrorCode::kUnavailable, "no route"));
    } else {
      script["m"].emplace_back(*ParseJson(r));
    }
  }
  Play(*run, script, {}, nullptr);
  return std::move(*run);
}

std::string Summary(const Run& run) {
  const MetricState& m = run.state.metrics[0];
  return StrCat(ToString(m.phase), " ", m.count, "/", m.successful, "/", m.failed, "/",
                m.inconclusive, "/", m.error, " ", ToString(run.state.phase));
}

}  // namespace

TEST_CASE("counters and phases", "[analysis]") {
  struct Row {
    const char* fields;
    std::vector<std::string_view> results;
    const char* want;
  };
  const std::string good = "successCondition: 'result > 0', ";
  for (const Row& row : std::vector<Row>{
           {"successCondition: 'result > 0'", {"1"}, "Successful 1/1/0/0/0 Successful"},
           {"successCondition: 'result > 0'", {"0"}, "Failed 1/0/1/0/0 Failed"},
           {"successCondition: 'result > 0', interval: 1m, count: 5, failureLimit: 3",
            {"0", "0", "0", "1", "1"},
            "Successful 5/2/3/0/0 Successful"},
           {"successCondition: 'result > 0', interval: 1m, count: 5, failureLimit: 3",
            {"0", "0", "0", "0", "1"},
            "Failed 4/0/4/0/0 Failed"},
           {"successCondition: 'result > 5', failureCondition: 'result < 1'",
            {"3"},
            "Inconclusive 1/0/0/1/0 Inconclusive"},
           {"successCondition: 'result > 5', failureCondition: 'result < 1', inconclusiveLimit: 2, "
            "count: 3, interval: 1m",
            {"3", "3", "9"},
            "Successful 3/1/0/2/0 Successful"},
           {"successCondition: 'result > 0'",
            {"E", "E", "E", "E", "1"},
            "Successful 1/1/0/0/4 Successful"},
           {"successCondition: 'result > 0'",
            {"E", "E", "E", "E", "E", "1"},
            "Error 0/0/0/0/5 Error"},
           {"successCondition: 'result > 0', interval: 1m, count: 10, consecutiveErrorLimit: 1",
            {"E", "1", "E", "1", "E", "E"},
            "Error 2/2/0/0/4 Error"},
           {"successCondition: 'result > 0', interval: 1m, consecutiveSuccessLimit: 3, "
            "failureLimit: 5",
            {"1", "1", "0", "1", "1", "1"},
            "Successful 6/5/1/0/0 Successful"},
           {"successCondition: 'result > 0', interval: 1m, count: 8, consecutiveSuccessLimit: 3, "
            "failureLimit: 5",
            {"1", "1", "0", "1", "1", "0", "1", "1"},
            "Inconclusive 8/6/2/0/0 Inconclusive"},
           {"successCondition: 'result > 0', interval: 1m, count: 3, consecutiveSuccessLimit: 2, "
            "failureLimit: -1",
            {"1", "0", "1"},
            "Failed 3/2/1/0/0 Failed"},
           {"successCondition: 'result > 0', interval: 1m, consecutiveSuccessLimit: 2, "
            "failureLimit: -1",
            {"0", "0", "0", "1", "1"},
            "Successful 5/2/3/0/0 Successful"},
           {"successCondition: 'result > 0', interval: 1m",
            {"1", "1"},
            "Running 2/2/0/0/0 Running"},
           {"interval: 1m, count: 2", {"5", "[]"}, "Successful 2/2/0/0/0 Successful"},
           {"successCondition: 'result', count: 1",
            {"E", "1", "1", "1", "1"},
            "Error 0/0/0/0/5 Error"}}) {
    INFO(row.fields);
    auto run = Make(Template(Metric(row.fields)));
    REQUIRE(run.ok());
    Script script;
    for (std::string_view r : row.results) {
      if (r == "E") {
        script["m"].emplace_back(Error(ErrorCode::kUnavailable, "no route"));
      } else {
        script["m"].emplace_back(*ParseJson(r));
      }
    }
    Play(*run, script, {}, nullptr);
    CHECK(Summary(*run) == row.want);
  }
}

TEST_CASE("messages name metric, phase, counter, limit and the last error", "[analysis]") {
  CHECK(PlayMetric("successCondition: 'result > 0'", {"0"}).state.message ==
        "Metric \"m\" assessed Failed due to failed (1) > failureLimit (0)");
  CHECK(PlayMetric("successCondition: 'result > 0'", {"E", "E", "E", "E", "E"}).state.message ==
        "Metric \"m\" assessed Error due to consecutiveErrors (5) > consecutiveErrorLimit (4): "
        "\"Error Message: no route\"");
  CHECK(PlayMetric("successCondition: 'result > 9', failureCondition: 'result < 0'", {"1"})
            .state.message ==
        "Metric \"m\" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0)");
}

TEST_CASE("when metrics are measured", "[analysis]") {
  auto at = [](const Run& run) {
    std::string out;
    for (const Measurement& m : run.state.metrics[0].measurements) {
      out += StrCat(out.empty() ? "" : " ", (m.finished - run.state.started).count() / 1000);
    }
    return out;
  };
  CHECK(at(PlayMetric("interval: 30s, count: 3", {"1", "1", "1"})) == "0 30 60");
  CHECK(at(PlayMetric("interval: 30s, count: 2, initialDelay: 1m", {"1", "1"})) == "60 90");
  CHECK(at(PlayMetric("interval: 10m, count: 2", {"E", "1", "E", "1"})) == "0 10 610 620");
  CHECK(at(PlayMetric("interval: 1s, count: 2", {"E", "1", "1"})) == "0 10 11");
  CHECK(at(PlayMetric("count: 1", {"E", "1"})) == "0 10");
}

TEST_CASE("retention keeps the last measurements", "[analysis]") {
  std::initializer_list<std::string_view> twelve = {"1", "1", "1", "1", "1", "1",
                                                    "1", "1", "1", "1", "1", "2"};
  Run run = PlayMetric("interval: 1s, count: 12", twelve);
  CHECK(run.state.metrics[0].measurements.size() == 10);
  CHECK(run.state.metrics[0].measurements.back().value == "2");
  CHECK(run.state.metrics[0].count == 12);
  auto two = Make(Template(Metric("interval: 1s, count: 12"),
                           "  measurementRetention: [{metricName: 'm.*', limit: 2}]\n"));
  REQUIRE(two.ok());
  CHECK(two->spec.metrics[0].retention == 2);
  auto zero =
      Make(Template(Metric("count: 1"), "  measurementRetention: [{metricName: m, limit: 0}]\n"));
  REQUIRE(zero.ok());
  CHECK(zero->spec.metrics[0].retention == 10);
}

TEST_CASE("a run ends with the first metric that is lost; dry runs do not count", "[analysis]") {
  std::string two =
      Metric("successCondition: 'result > 0', interval: 1m, count: 3", "a") +
      Metric("successCondition: 'result > 0', interval: 30s, count: 9, failureLimit: 1", "b");
  auto run = Make(Template(two));
  REQUIRE(run.ok());
  Script script;
  for (const char* r : {"1", "1", "1"}) script["a"].emplace_back(*ParseJson(r));
  for (const char* r : {"0", "1", "0", "1"}) script["b"].emplace_back(*ParseJson(r));
  Play(*run, script, {}, nullptr);
  CHECK(run->state.phase == Phase::kFailed);
  CHECK(run->state.metrics[0].phase == Phase::kSuccessful);  // the run was ending
  CHECK(run->state.metrics[0].count == 2);
  CHECK(run->state.metrics[1].count == 3);
  CHECK(OutcomeOf(*run) == Outcome::kRollBack);

  auto dry = Make(Template(two, "  dryRun: [{metricName: 'b|nothing'}]\n"));
  REQUIRE(dry.ok());
  Play(*dry, script, {}, nullptr);
  CHECK(dry->state.phase == Phase::kSuccessful);
  CHECK(dry->state.metrics[1].phase == Phase::kFailed);

  auto all_dry = Make(Template(two, "  dryRun: [{metricName: .*}]\n"));
  REQUIRE(all_dry.ok());
  script["a"][0] = *ParseJson("0");
  Play(*all_dry, script, {}, nullptr);
  CHECK(all_dry->state.phase == Phase::kSuccessful);
}

TEST_CASE("the worst phase is the run's", "[analysis]") {
  std::string metrics =
      Metric("successCondition: 'result > 5', failureCondition: 'result < 1'", "a") +
      Metric("successCondition: 'result > 0', consecutiveErrorLimit: 0", "b") +
      Metric("successCondition: 'result > 0'", "c");
  auto run = Make(Template(metrics));
  REQUIRE(run.ok());
  Script script;
  script["a"].emplace_back(*ParseJson("3"));
  script["b"].emplace_back(Error(ErrorCode::kTimeout, "slow"));
  script["c"].emplace_back(*ParseJson("0"));
  Play(*run, script, {}, nullptr);
  CHECK(run->state.phase == Phase::kFailed);
  script["c"][0] = *ParseJson("1");
  auto again = Make(Template(metrics));
  Play(*again, script, {}, nullptr);
  CHECK(again->state.phase == Phase::kError);
}

TEST_CASE("asking a run to end", "[analysis]") {
  auto run =
      Make(Template(Metric("interval: 1m", "a") + Metric("interval: 1m, initialDelay: 1h", "b")));
  REQUIRE(run.ok());
  Time now{};
  CHECK(DueMetrics(*run, now) == std::vector<size_t>{0});
  Begin(*run, 0, now);
  CHECK(run->state.metrics[0].phase == Phase::kRunning);
  CHECK(run->state.metrics[1].phase == Phase::kPending);
  CHECK(NextDue(*run) == now + std::chrono::hours(1));
  Finish(*run, 0, AnswerFromResult(Json(1)), now);
  CHECK(NextDue(*run) == now + std::chrono::minutes(1));
  Terminate(*run, now + std::chrono::seconds(5));
  CHECK(run->state.phase == Phase::kSuccessful);
  CHECK(run->state.metrics[1].phase == Phase::kSuccessful);
  CHECK(DueMetrics(*run, now + std::chrono::hours(2)).empty());
  CHECK_FALSE(NextDue(*run).has_value());
  CHECK(OutcomeOf(*run) == Outcome::kContinue);
}

TEST_CASE("arguments", "[analysis]") {
  const std::string text = Template(
      "    - name: \"{{ args.name }}\"\n      count: \"{{args.count}}\"\n      interval: "
      "'{{args.every}}'\n"
      "      successCondition: result[0] > {{args.limit}}\n      failureLimit: \"{{ args.fails "
      "}}\"\n"
      "      provider: {prometheus: {query: 'up{job=\"{{args.job}}\"}'}}\n",
      "  args:\n    - {name: name, value: dflt}\n    - {name: count, value: '5'}\n    - {name: "
      "every, value: 30s}\n"
      "    - {name: limit}\n    - {name: fails, value: '2'}\n    - {name: job, valueFrom: "
      "{fieldRef: {fieldPath: "
      "\"metadata.labels['app.x/y']\"}}}\n");
  auto run = Make(text, {{"limit", "0.5"}, {"count", "7"}, {"stranger", "x"}});
  REQUIRE(run.ok());
  const spec::Metric& m = run->spec.metrics[0].metric;
  CHECK(m.name == "dflt");
  CHECK(m.count == 7);
  CHECK(m.failure_limit == 2);
  CHECK(m.interval == std::chrono::seconds(30));
  CHECK(m.success_condition.text == "result[0] > 0.5");
  auto request = MakeRequest(*run, 0, {}, Time{});
  REQUIRE(request.ok());
  CHECK(std::get<PrometheusQuery>(*request).query == "up{job=\"lab\"}");
  CHECK(WhyNot(text) == "args.limit was not resolved");
}

TEST_CASE("what makes a run an error", "[analysis]") {
  auto with = [](std::string_view fields) { return WhyNot(Template(Metric(fields))); };
  CHECK(WhyNot(Template(Metric("count: '{{args.n}}'"))).find("failed to resolve {{args.n}}") !=
        std::string::npos);
  CHECK(WhyNot(Template(Metric("successCondition: 'result > {{args.x'"))).find("never closed") !=
        std::string::npos);
  CHECK(with("count: 2").find("interval") != std::string::npos);
  CHECK(with("count: 2, interval: 1m, failureLimit: 3").find("failureLimit") != std::string::npos);
  CHECK(with("failureLimit: -1").find("both off") != std::string::npos);
  CHECK(with("failureLimit: -2").find("failureLimit") != std::string::npos);
  CHECK(with("count: 2, interval: 1m, inconclusiveLimit: 3").find("inconclusiveLimit") !=
        std::string::npos);
  CHECK(WhyNot(Template(Metric("count: 1", "a") + Metric("count: 1", "a"))).find("\"a\"") !=
        std::string::npos);
  CHECK(WhyNot(Template(Metric("count: 1"), "  dryRun: [{metricName: other}]\n")).find("other") !=
        std::string::npos);
  const char* args = "  args: [{name: c, value: '2'}]\n";
  CHECK(WhyNot(Template(Metric("count: '{{args.c}}'"), args)).find("interval") !=
        std::string::npos);
  CHECK(WhyNot(Template(Metric("successCondition: 'result >'"))).find("unexpected end") !=
        std::string::npos);
  std::string endless = Template(Metric("interval: 1m"));
  spec::Library library;
  Diagnostics diagnostics;
  spec::LoadText("t.yaml", endless, library, diagnostics);
  RunOptions options = OfflineOptions(library, "", {});
  options.must_end = true;
  CHECK(CreateRun(options, Time{}).error().message.find("without end") != std::string::npos);
}

TEST_CASE("secrets are filled in late and never shown", "[analysis]") {
  const std::string text = Template(
      "    - name: web\n      successCondition: result.ok\n      provider:\n        web:\n         "
      " url: "
      "https://x/{{args.path}}?k={{args.token}}\n          headers: [{key: Authorization, value: "
      "'Bearer "
      "{{args.token}}'}]\n          jsonPath: '{$.data}'\n",
      "  args:\n    - {name: path, value: status}\n    - {name: token, valueFrom: {secretKeyRef: "
      "{name: s, key: k}}}\n");
  auto run = Make(text, {{"token", "from-the-caller"}});
  REQUIRE(run.ok());
  REQUIRE(run->spec.secrets.size() == 1);
  CHECK(run->spec.secrets[0].ref.name == "s");
  CHECK(MakeRequest(*run, 0, {}, Time{}).error().message ==
        "args.token was not resolved: secret \"s\" has no key \"k\"");
  SecretValues secrets = {{"token", "pa55{{args.token}}"}};
  auto request = MakeRequest(*run, 0, secrets, Time{});
  REQUIRE(request.ok());
  CHECK(std::get<WebRequest>(*request).url == "https://x/status?k=pa55{{args.token}}");
  CHECK(std::get<WebRequest>(*request).headers[0].second == "Bearer pa55{{args.token}}");
  Begin(*run, 0, Time{});
  Finish(*run, 0, Error(ErrorCode::kUnavailable, "GET https://x?k=pa55{{args.token}} failed"),
         Time{}, secrets);
  CHECK(run->state.metrics[0].measurements[0].message == "GET https://x?k=*** failed");
  CHECK(ToJson(run->spec).Dump().find("pa55") == std::string::npos);
  FailRun(*run, "secret is gone", Time{});
  CHECK(run->state.phase == Phase::kError);
  Finish(*run, 0, AnswerFromResult(Json(1)), Time{});
  CHECK(run->state.phase == Phase::kError);
}

TEST_CASE("a run goes on from its saved form", "[analysis]") {
  auto run = Make(
      Template(Metric("interval: 1m, count: 3, failureLimit: 1, successCondition: 'result > 0'")));
  REQUIRE(run.ok());
  Begin(*run, 0, Time{});
  Finish(*run, 0, AnswerFromResult(Json(0)), Time{});
  auto spec = RunSpecFromJson(*ParseJson(ToJson(run->spec).Dump()));
  REQUIRE(spec.ok());
  Run again{*spec, RunStateFromJson(*ParseJson(ToJson(run->state).Dump()))};
  CHECK(ToJson(again.state) == ToJson(run->state));
  CHECK(NextDue(again) == Time{} + std::chrono::minutes(1));
  Time later = *NextDue(again);
  Begin(again, 0, later);
  Finish(again, 0, AnswerFromResult(Json(0)), later);
  CHECK(again.state.phase == Phase::kFailed);
}

TEST_CASE("ranges are evaluated when asked", "[analysis]") {
  auto run = Make(
      Template("    - name: r\n      successCondition: 'all(result, # < 5)'\n      provider:\n  "
               "      prometheus:\n"
               "          query: up\n          rangeQuery: {start: 'now() - "
               "duration(\"1h\")', end: now(), step: "
               "1m}\n"));
  REQUIRE(run.ok());
  Time now = *ParseRfc3339("2026-11-02T10:00:00Z");
  auto request = MakeRequest(*run, 0, {}, now);
  REQUIRE(request.ok());
  const auto& range = std::get<PrometheusQuery>(*request).range;
  REQUIRE(range.has_value());
  CHECK(range->start == now - std::chrono::hours(1));
  CHECK(range->end == now);
  CHECK(range->step == std::chrono::minutes(1));
}

TEST_CASE("jobs", "[analysis]") {
  auto run = Make(Template(
      "    - name: j\n      provider: {job: {spec: {template: {spec: {containers: []}}}}}\n"));
  REQUIRE(run.ok());
  CHECK(std::holds_alternative<JobRequest>(*MakeRequest(*run, 0, {}, Time{})));
  Begin(*run, 0, Time{});
  FinishJob(*run, 0, false, "", Time{});
  CHECK(run->state.phase == Phase::kFailed);
}

}  // namespace rollguard::analysis
