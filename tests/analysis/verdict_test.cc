// SPDX-License-Identifier: Apache-2.0
#include "agent/analysis/verdict.h"

#include "agent/analysis/answer.h"
#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::analysis {
namespace {

struct Row {
  const char* result;
  const char* success;
  const char* failure;
  const char* want;
  std::optional<spec::NoData> no_data = std::nullopt;
};

std::string Of(const Row& row) {
  Conditions conditions;
  if (*row.success != '\0') conditions.success = expr::Compile(row.success).program;
  if (*row.failure != '\0') conditions.failure = expr::Compile(row.failure).program;
  conditions.no_data = row.no_data;
  Verdict verdict = Judge(AnswerFromResult(*ParseJson(row.result)), conditions, Time{});
  return StrCat(ToString(verdict.phase), verdict.message.empty() ? "" : ": ", verdict.message);
}

}  // namespace

TEST_CASE("verdicts of measurements", "[analysis]") {
  for (const Row& row : {
           Row{"1", "", "", "Successful"},
           Row{"1", "result > 0", "", "Successful"},
           Row{"0", "result > 0", "", "Failed"},
           Row{"1", "", "result > 0", "Failed"},
           Row{"0", "", "result > 0", "Successful"},
           Row{"1", "result > 0", "result > 0", "Failed"},
           Row{"1", "result > 0", "result > 5", "Successful"},
           Row{"1", "result > 3", "result > 5", "Inconclusive"},
           Row{"\"NaN\"", "result >= 0.95", "", "Failed"},
           Row{"\"NaN\"", "result >= 0.95", "result < 0.95", "Inconclusive"},
           Row{"\"+Inf\"", "result >= 0.95", "", "Successful"},
           Row{"[]", "result[0] >= 0.95", "", "Error: metric result is nil or empty"},
           Row{"[]", "len(result) == 0 || result[0] > 1", "", "Successful"},
           Row{"[0.99]", "result[0] >= 0.95", "", "Successful"},
           Row{"7", "1 + 1", "", "Error: expected bool, but got int"},
           Row{"7", "result > 1", "result", "Error: expected bool, but got float64"},
           Row{"[]", "result[0] > 1", "", "Inconclusive: no data ([]): hold", spec::NoData::kHold},
           Row{"[]", "result[0] > 1", "", "Successful: no data ([]): pass", spec::NoData::kPass},
           Row{"\"NaN\"", "result > 1", "", "Failed: no data (NaN): fail", spec::NoData::kFail},
           Row{"[\"NaN\"]", "result[0] > 1", "", "Successful: no data ([NaN]): pass",
               spec::NoData::kPass},
           Row{"[\"NaN\",2]", "any(result, # > 1)", "", "Successful", spec::NoData::kFail},
       }) {
    INFO(row.result << " " << row.success << " " << row.failure);
    CHECK(Of(row) == row.want);
  }
}

TEST_CASE("answers of Prometheus", "[analysis]") {
  CHECK(AnswerFrom(promql::Scalar{0, 10})->shown == "10");
  CHECK_FALSE(AnswerFrom(promql::StringValue{0, "x"}).ok());
  promql::Vector vector = {{promql::Labels{{"pod", "a"}}, 0, 10},
                           {promql::Labels{{"pod", "b"}}, 0, 11}};
  auto answer = AnswerFrom(vector);
  CHECK(answer->shown == "[10,11]");
  CHECK(answer->series.ToText() == R"([{"pod":"a"},{"pod":"b"}])");
  CHECK(AnswerFrom(promql::Vector{})->shown == "[]");
  promql::Matrix matrix = {{promql::Labels{}, {{0, 1}, {1, 2}}}, {promql::Labels{}, {{0, 3}}}};
  CHECK(AnswerFrom(matrix)->shown == "[1,2,3]");
  Conditions conditions;
  conditions.success = expr::Compile("series[1].pod == \"b\" && result[1] == 11").program;
  CHECK(Judge(*answer, conditions, Time{}).phase == Phase::kSuccessful);
}

TEST_CASE("answers of the web", "[analysis]") {
  const char* body =
      R"({"data":{"ok":true,"n":[1,2],"list":[{"name":"a","v":1},{"name":"b","v":2}],"odd key":"x"}})";
  struct Row {
    const char* path;
    const char* want;
  };
  for (const Row& row :
       {Row{"{$.data.ok}", "true"}, Row{"{.data.n}", "[1,2]"}, Row{"$.data.n[-1]", "2"},
        Row{"{$.data.list[?(@.name==\"b\")].v}", "2"}, Row{"{$.data.list[*].name}", "\"a\""},
        Row{"{$['data']['odd key']}", "\"x\""}, Row{"{$.data.list[?(@.v>1)].name}", "\"b\""},
        Row{"", body}}) {
    INFO(row.path);
    auto answer = AnswerFromWeb(body, row.path);
    REQUIRE(answer.ok());
    CHECK(answer->shown == row.want);
  }
  for (const char* path :
       {"{$.none}", "{$.data.n[7]}", "{$..ok}", "{$.data[", "{$.data.list[?(@.v>9)]}"}) {
    INFO(path);
    CHECK_FALSE(AnswerFromWeb(body, path).ok());
  }
  CHECK_FALSE(AnswerFromWeb("<html>", "{$.a}").ok());
}

}  // namespace rollguard::analysis
