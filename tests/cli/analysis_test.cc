// SPDX-License-Identifier: Apache-2.0
// `rollguard analysis judge|run` and `rollguard compare` from the outside: texts, JSON, exit codes.
#include <string>
#include <vector>

#include "agent/base/json.h"
#include "agent/cli/command.h"
#include "tests/cli/call.h"
#include "tests/support/catch.h"

namespace rollguard::cli {
namespace {

std::string Source(const std::string& path) {
  return std::string(ROLLGUARD_SOURCE_DIR) + "/" + path;
}

}  // namespace

TEST_CASE("analysis judge prints the verdict and the message", "[cli]") {
  struct Row {
    std::vector<std::string> args;
    const char* out;
  };
  for (const Row& row :
       {Row{{"--result", "[0.97]", "--success", "result[0] >= 0.95"}, "Successful\n"},
        Row{{"--result", "[0.9]", "--success", "result[0] >= 0.95"}, "Failed\n"},
        Row{{"--result=3", "--success=result > 5", "--failure=result < 1"}, "Inconclusive\n"},
        Row{{"--result", "7", "--success", "1 + 1"}, "Error: expected bool, but got int\n"},
        Row{{"--result", "[]", "--success", "result[0] > 0"},
            "Error: metric result is nil or empty\n"},
        Row{{"--result", "\"NaN\"", "--failure", "result > 1"}, "Successful\n"},
        Row{{"--result", "1", "--success", "reslt > 0"},
            "Error: unknown name \"reslt\" (did you mean \"result\"?)\n"}}) {
    std::vector<std::string> args = {"analysis", "judge"};
    args.insert(args.end(), row.args.begin(), row.args.end());
    Outcome outcome = Call(args);
    CHECK(outcome.out == row.out);
    CHECK(outcome.code == kOk);
  }
  CHECK(
      Call({"analysis", "judge", "--result", "0", "--success", "result > 1", "--exit-code"}).code ==
      kFound);
  CHECK(Call({"analysis", "judge", "--result", "{"}).code == kUsage);
  CHECK(Call({"analysis", "judge", "--success", "true"}).code == kUsage);
}

TEST_CASE("analysis run plays a template", "[cli]") {
  TempFile results(
      "{\"metric\":\"success-rate\",\"result\":[0.5]}\n{\"metric\":\"success-rate\",\"error\":"
      "\"down\"}\n"
      "{\"metric\":\"success-rate\",\"result\":[0.5]}\n{\"metric\":\"success-rate\",\"result\":[0."
      "5]}\n");
  std::vector<std::string> args = {"analysis",   "run",
                                   "--template", Source("rules/templates/success-rate.yaml"),
                                   "--arg",      "service-name=x",
                                   "--arg",      "namespace=y",
                                   "--results",  results.path()};
  Outcome text = Call(args);
  CHECK(text.code == kOk);
  CHECK(text.out.find("run: Failed: Metric \"success-rate\" assessed Failed due to failed (3) > "
                      "failureLimit (2)\n") != std::string::npos);
  args.insert(args.end(), {"-o", "json"});
  auto json = ParseJson(Call(args).out);
  REQUIRE(json.ok());
  CHECK(json->At("run", "phase").Str() == "Failed");
  const Json& metric = json->At("metrics").At(size_t{0});
  CHECK(metric.At("error").IntOr(0) == 1);
  CHECK(metric.At("measurements").At(size_t{2}).Dump() ==
        R"({"phase":"Failed","value":"[0.5]","at":40})");

  Outcome unresolved =
      Call({"analysis", "run", "--template", Source("rules/templates/success-rate.yaml"),
            "--results", results.path()});
  CHECK(unresolved.code == kFound);
  CHECK(unresolved.out == "run: Error: args.service-name was not resolved\n");
  CHECK(Call({"analysis", "run", "--results", results.path()}).code == kUsage);
}

TEST_CASE("compare: sequential", "[cli]") {
  TempFile looks(
      "{\"kc\":0,\"nc\":150,\"kb\":7,\"nb\":1350}\n{\"kc\":3,\"nc\":150,\"kb\":6,\"nb\":1350}\n"
      "{\"kc\":6,\"nc\":150,\"kb\":7,\"nb\":1350}\n{\"kc\":5,\"nc\":150,\"kb\":8,\"nb\":1350}\n");
  Outcome plain =
      Call({"compare", "--test", "sequential", "--looks", looks.path(), "--form", "plain"});
  CHECK(plain.out ==
        "look 1: E 0.229937\nlook 2: E 0.765208\nlook 3: E 37.480959\nlook 4: E 1034.451227 ALARM\n"
        "alarm at look 4: the candidate is worse (E >= 100)\n");
  auto json = ParseJson(
      Call({"compare", "--test", "sequential", "--looks", looks.path(), "-o", "json"}).out);
  REQUIRE(json.ok());
  CHECK(json->At("looks").size() == 4);
  CHECK(json->At("alarm").BoolOr(false));
  CHECK_FALSE(json->At("looks").At(size_t{2}).At("alarm").BoolOr(true));
  TempFile bad("{\"kc\":1}\n");
  CHECK(Call({"compare", "--test", "sequential", "--looks", bad.path()}).code == kUsage);
}

TEST_CASE("compare: mann-whitney", "[cli]") {
  std::vector<std::string> args = {
      "compare",  "--test",         "mann-whitney", "--candidate", "31,30,33,35,29",
      "--stable", "20,22,19,21,20", "-o",           "json"};
  auto json = ParseJson(Call(args).out);
  REQUIRE(json.ok());
  CHECK(json->At("class").Str() == "High");
  CHECK(json->At("low").DoubleOr(0) == Approx(7).margin(1e-3));
  CHECK(json->At("estimate").DoubleOr(0) == Approx(11).margin(1e-3));
  CHECK(Call({"compare", "--test", "mann-whitney", "--candidate", "1,x", "--stable", "2"}).code ==
        kUsage);
  CHECK(Call({"compare", "--test", "t"}).code == kUsage);
  CHECK(Call({"compare"}).code == kUsage);
}

}  // namespace rollguard::cli
