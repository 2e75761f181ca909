// SPDX-License-Identifier: Apache-2.0
// Folded answers against single answers, on the real server: for every form, 200 members and one
// that does not exist, string for string.
#include <algorithm>
#include <cstdio>
#include <deque>

#include "agent/base/json.h"
#include "agent/base/random.h"
#include "agent/base/text.h"
#include "agent/promql/fold.h"
#include "agent/promql/parser.h"
#include "tests/support/catch.h"
#include "tests/support/real_prometheus.h"

namespace rollguard::promql {
namespace {

constexpr int kMembers = 200;
constexpr int64_t kStart = 1700000000;
constexpr int64_t kAt = kStart + 900;

std::string App(int i) { return i == 7 ? "app.7|x\\y" : StrCat("app", i); }

std::string Escaped(const std::string& text) { return ReplaceAll(text, "\\", "\\\\"); }

// Counters, gauges and histograms of 200 applications with one to three pods each.
std::string Data() {
  Random random(3);
  struct Line {
    std::string labels;
    std::string family;
  };
  std::string requests, errors, gauge, buckets, plain;
  auto series = [&](std::string* out, const std::string& name, bool counter) {
    double value = 0;
    double rate = static_cast<double>(random.Below(50)) + random.Uniform();
    for (int64_t t = kStart; t <= kAt; t += 30) {
      if (random.Chance(0.03)) continue;
      value = counter ? (random.Chance(0.02) ? 0 : value + rate * 30 * random.Uniform())
                      : random.Normal() * 100;
      *out += StrCat(name, " ", Format("%.17g", value), " ", t, "\n");
    }
  };
  for (int i = 0; i < kMembers; ++i) {
    for (int pod = 0; pod <= i % 3; ++pod) {
      std::string labels =
          StrCat("app=\"", Escaped(App(i)), "\",pod=\"p", pod, "\",tier=\"t", i % 4, "\"");
      for (const char* code : {"200", "500"}) {
        series(&requests, StrCat("requests_total{", labels, ",code=\"", code, "\"}"), true);
      }
      series(&gauge, StrCat("load{", labels, "}"), false);
      for (const char* le : {"0.1", "0.5", "1", "+Inf"}) {
        series(&buckets, StrCat("latency_bucket{", labels, ",le=\"", le, "\"}"), true);
      }
    }
    if (i % 5 != 0) series(&errors, StrCat("errors_total{app=\"", Escaped(App(i)), "\"}"), true);
  }
  series(&plain, "platform", false);
  return StrCat("# TYPE requests counter\n", requests, "# TYPE errors counter\n", errors,
                "# TYPE load gauge\n", gauge, "# TYPE latency unknown\n", buckets,
                "# TYPE platform gauge\n", plain, "# EOF\n");
}

Labels ReadLabels(const Json& metric) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [name, value] : metric.members()) pairs.emplace_back(name, value.Str());
  return Labels::FromPairs(pairs);
}

double ReadNumber(const std::string& text) {
  if (text == "+Inf") return HUGE_VAL;
  if (text == "-Inf") return -HUGE_VAL;
  if (text == "NaN") return std::nan("");
  return std::strtod(text.c_str(), nullptr);
}

Expected<Value> ReadAnswer(const testing::HttpAnswer& answer) {
  auto json = ParseJson(answer.body);
  if (!json || answer.status != 200) return Error(ErrorCode::kInvalid, answer.body);
  const Json& data = json->At("data");
  auto sample = [](const Json& pair) { return ReadNumber(pair.At(1).Str()); };
  if (data.At("resultType").Str() == "scalar") {
    return Value(Scalar{kAt * 1000, sample(data.At("result"))});
  }
  Vector vector;
  for (const Json& row : data.At("result").items()) {
    vector.push_back({ReadLabels(row.At("metric")), kAt * 1000, sample(row.At("value"))});
  }
  return Value(std::move(vector));
}

// One line per element, in the order of the labels.
std::string Show(const Value& value) {
  if (const auto* scalar = std::get_if<Scalar>(&value)) return FormatValue(scalar->v);
  std::vector<std::string> lines;
  for (const Sample& s : std::get<Vector>(value)) {
    lines.push_back(StrCat(s.labels.ToString(), " ", FormatValue(s.v)));
  }
  std::sort(lines.begin(), lines.end());
  return Join(lines, "\n");
}

Expected<Value> Ask(testing::RealPrometheus& server, const std::string& expr) {
  return ReadAnswer(server.Query(expr, std::to_string(kAt)));
}

struct Asked {
  std::vector<std::string> answers;
  size_t requests = 0;
};

// All members' values by way of a plan.
Asked AskFolded(testing::RealPrometheus& server, const std::vector<std::string>& texts) {
  std::deque<Query> queries;
  std::vector<const Query*> pointers;
  for (const std::string& text : texts) {
    auto query = ParseQuery(text);
    REQUIRE(query.ok());
    queries.push_back(*std::move(query));
    pointers.push_back(&queries.back());
  }
  FoldPlan plan = PlanFold(pointers);
  std::vector<std::vector<Value>> parts;
  for (const FoldRequest& request : plan.requests) {
    auto answer = Ask(server, request.expr);
    INFO(Abbreviate(request.expr, 300) << "\n" << (answer.ok() ? "" : answer.error().message));
    REQUIRE(answer.ok());
    parts.push_back(Unfold(request, *std::move(answer)));
  }
  Asked asked;
  asked.requests = plan.requests.size();
  for (const FoldRecipe& recipe : plan.recipes) {
    std::vector<Value> given;
    for (const FoldPart& part : recipe.parts) given.push_back(parts[part.request][part.slot]);
    auto value = EvaluateRecipe(recipe, given, FromUnixMillis(kAt * 1000));
    asked.answers.push_back(value.ok() ? Show(*value) : "error: " + value.error().message);
  }
  return asked;
}

}  // namespace

TEST_CASE("folded answers equal single answers string for string", "[promql][fold][real]") {
  testing::PrometheusOptions options;
  options.openmetrics = Data();
  auto server = testing::RealPrometheus::Start(options);
  REQUIRE(server != nullptr);

  const char* forms[] = {
      R"q(requests_total{app="KEY",code="500"})q",
      R"q(requests_total{app="KEY"} offset 2m)q",
      R"q(load{app="KEY"} @ 1700000600)q",
      R"q(rate(requests_total{app="KEY"}[5m]))q",
      R"q(abs(ceil(load{app="KEY"})) * 2 + 1)q",
      R"q(load{app="KEY"} > bool 10)q",
      R"q(-load{app="KEY"})q",
      R"q(timestamp(load{app="KEY"}))q",
      R"q(stddev_over_time(load{app="KEY"}[5m]))q",
      R"q(predict_linear(load{app="KEY"}[5m], 600))q",
      R"q(max_over_time(sum(load{app="KEY"})[5m:30s]))q",
      R"q(sum(rate(requests_total{app="KEY"}[5m])))q",
      R"q(sum by (pod) (load{app="KEY"}))q",
      R"q(sum by (app, tier) (load{app="KEY"}))q",
      R"q(sum without (pod) (load{app="KEY"}))q",
      R"q(sum without (pod, app) (load{app="KEY"}))q",
      R"q(avg(load{app="KEY"}))q",
      R"q(stdvar by (tier) (load{app="KEY"}))q",
      R"q(count(load{app="KEY"} > 0))q",
      R"q(group by (tier) (load{app="KEY"}))q",
      R"q(quantile(0.3, load{app="KEY"}))q",
      R"q(count_values("v", floor(load{app="KEY"} / 100)))q",
      R"q(topk(1, load{app="KEY"}))q",
      R"q(bottomk by (tier) (1, load{app="KEY"}))q",
      R"q(max(sum by (pod) (rate(requests_total{app="KEY"}[5m]))))q",
      R"q(histogram_quantile(0.9, sum by (le) (rate(latency_bucket{app="KEY"}[5m]))))q",
      R"q(histogram_quantile(0.9, rate(latency_bucket{app="KEY"}[5m])))q",
      R"q(sum(rate(requests_total{app="KEY",code="500"}[5m])) / sum(rate(requests_total{app="KEY"}[5m])) > 0.01)q",
      R"q(sum by (pod) (load{app="KEY"}) / on (pod) group_left (tier) sum by (pod, tier) (load{app="KEY"}))q",
      R"q(avg(load{app="KEY"} / ignoring (code) requests_total{app="KEY",code="200"}))q",
      R"q(sum(load{app="KEY"} * on (pod) group_right (tier) requests_total{app="KEY"}))q",
      R"q(load{app="KEY"} and on (pod) requests_total{app="KEY",code="500"})q",
      R"q(load{app="KEY"} unless load{app="KEY"} > 0)q",
      R"q(load{app="KEY"} or requests_total{app="KEY"})q",
      R"q(exp(sum(load{app="KEY"}) / 1000) ^ 0.3)q",
      R"q(label_replace(load{app="KEY"}, "name", "$1-x", "pod", "p(.*)"))q",
      R"q(label_join(sum by (pod) (load{app="KEY"}), "both", "-", "pod", "app"))q",
      R"q(sort_desc(load{app="KEY"}))q",
      // The eight hard ones.
      R"q(sum(errors_total{app="KEY"}) or vector(0))q",
      R"q(absent(errors_total{app="KEY",pod=~".*"}))q",
      R"q(topk(2, rate(requests_total{app="KEY"}[5m])))q",
      R"q(sum(load{app="KEY"}) / scalar(sum(load{app="KEY"} > 0)))q",
      R"q(sum(load{app="KEY"}) and on () (platform > -1000))q",
      R"q(sum(load{app="KEY"}) / sum(load))q",
      R"q(label_replace(load{app="KEY"}, "app", "was-$1", "app", "(.*)"))q",
      R"q(quantile by (le) (0.5, latency_bucket{app="KEY"}))q",
      // And their kin.
      R"q(absent(sum(errors_total{app="KEY"})))q",
      R"q(absent_over_time(errors_total{app="KEY"}[2m]))q",
      R"q(sum(errors_total{app="KEY"} or load{app="KEY"} * 0))q",
      R"q(abs(sum(load{app="KEY"}) - sum(load)))q",
      R"q(scalar(sum(load{app="KEY"})))q",
      R"q(vector(scalar(sum(load{app="KEY"}))) * time())q",
      R"q(load{app="KEY"} / on () group_left () platform)q",
      R"q(avg(load{app="KEY"} / ignoring (pod, tier) group_left () errors_total{app="KEY"}))q",
      R"q(sum(rate(requests_total{app="KEY"}[5m])) by (code) / ignoring (code) group_left () sum(rate(requests_total{app="KEY"}[5m])))q",
      R"q((sum(load{app="KEY"}) > 0) or on () (sum(load{app="KEY"}) * -1))q",
      R"q(sum(load{app=~"KEY"}))q",
      R"q(sum(load{app="KEY",app!="nothing"}))q",
  };
  std::vector<std::string> names;
  for (int i = 0; i < kMembers; ++i) names.push_back(App(i));
  names.push_back("does-not-exist");
  size_t filled = 0, folded_forms = 0;
  for (const char* form : forms) {
    INFO(form);
    std::vector<std::string> texts;
    for (const std::string& name : names) {
      bool pattern = std::string_view(form).find("=~\"KEY") != std::string_view::npos;
      texts.push_back(
          ReplaceAll(form, "KEY", Escaped(pattern ? ReplaceAll(name, "\\", "\\\\") : name)));
    }
    Asked asked = AskFolded(*server, texts);
    folded_forms += asked.requests <= 4 ? 1 : 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      auto single = Ask(*server, texts[i]);
      std::string want = single.ok() ? Show(*single) : "error";
      filled += want.empty() ? 0 : 1;
      if (asked.answers[i] == want) continue;
      INFO(texts[i]);
      CHECK(asked.answers[i] == want);
    }
  }
  CHECK(filled > std::size(forms) * kMembers / 2);
  CHECK(folded_forms == std::size(forms) - 2);
}

TEST_CASE("two keys fold and agree, too", "[promql][fold][real]") {
  testing::PrometheusOptions options;
  options.openmetrics = Data();
  auto server = testing::RealPrometheus::Start(options);
  REQUIRE(server != nullptr);
  std::vector<std::string> texts;
  for (int i = 0; i < kMembers; ++i) {
    std::string labels = StrCat("app=\"", Escaped(App(i)), "\",tier=\"t", i % 4, "\"");
    texts.push_back(StrCat("sum(load{", labels, "}) / count(load{", labels, "})"));
  }
  Asked asked = AskFolded(*server, texts);
  CHECK(asked.requests <= 4);
  for (size_t i = 0; i < texts.size(); ++i)
    CHECK(asked.answers[i] == Show(*Ask(*server, texts[i])));
}

}  // namespace rollguard::promql
