// SPDX-License-Identifier: Apache-2.0
// `rollguard promql parse|format|eval|fold` as a person calls them: what is printed, and where,
// when it is right and when it is not.
#include <cstdlib>
#include <string>
#include <vector>

#include "agent/cli/command.h"
#include "tests/cli/call.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::cli {
namespace {

constexpr const char* kSeries = R"(interval: 1m
input_series:
  - series: 'requests_total{job="a"}'
    values: '0+60x10'
  - series: 'requests_total{job="b"}'
    values: '0+120x10'
)";

constexpr const char* kQueries = R"(# two guards
sum(rate(x{app="a"}[5m])) > 1
sum(rate(x{app="b"}[5m])) > 1
)";

struct Row {
  std::vector<std::string> args;
  int code;
  const char* text;  // of both outputs
};

void Check(const Row& row) {
  const char* binary = std::getenv("ROLLGUARD_BIN");
  REQUIRE(binary != nullptr);
  std::vector<std::string> command = {binary, "promql"};
  command.insert(command.end(), row.args.begin(), row.args.end());
  const testing::RunResult run = testing::Run(command);
  INFO(row.args.front() << " " << row.args.back());
  CHECK(run.code == row.code);
  CHECK(run.out + run.err == row.text);
}

TEST_CASE("promql parse shows the tree, or the place of the mistake") {
  Check({{"parse", "rate(x[5m]) > 1"},
         kOk,
         "binary >  : instant vector 0-15\n  call rate  : instant vector 0-11\n"
         "    range x{}[300000ms]  : range vector 5-10\n  number 1  : scalar 14-15\n"});
  Check({{"parse", "sum(rate(x[5m])"},
         kFound,
         "expression:1:16: error: unclosed left parenthesis\n    1 | sum(rate(x[5m])\n"
         "      |                ^\n"});
}

TEST_CASE("promql format prints the canonical form") {
  Check({{"format", "sum( rate (x[5m])) by (job)"}, kOk, "sum by (job) (rate(x[5m]))\n"});
  Check({{"format", "rate(x)"},
         kFound,
         "expression:1:6: error: expected type range vector in call to function \"rate\", got "
         "instant vector; add a range, e.g. [5m]\n    1 | rate(x)\n      |      ^\n"});
}

TEST_CASE("promql eval evaluates on a file of series, or on none") {
  TempFile series(kSeries);
  Check({{"eval", "0.5 * 3 ^ 2"}, kOk, "scalar: 4.5 @[0]\n"});
  Check({{"eval", "1 + x"}, kOk, ""});
  Check({{"eval", "--series", series.path(), "--at", "5m", "rate(requests_total[2m])"},
         kOk,
         "{job=\"a\"} => 1 @[300]\n{job=\"b\"} => 2 @[300]\n"});
  Check({{"eval", "--start", "0", "--end", "2m", "--step", "1m", "time()"},
         kOk,
         "{} =>\n0 @[0]\n60 @[60]\n120 @[120]\n"});
  Check({{"eval", "rat(x[5m])"},
         kFound,
         "expression:1:1: error: unknown function with name \"rat\" (did you mean \"rate\"?)\n"
         "    1 | rat(x[5m])\n      | ^~~\n"});
  Check({{"eval", "--series", "/nowhere.yaml", "1"},
         kFound,
         "rollguard promql eval: cannot read /nowhere.yaml\n"});
  Check({{"eval", "--at", "yesterday", "1"},
         kUsage,
         "rollguard promql eval: --at must be a duration, Unix seconds or RFC 3339\n"
         "`rollguard promql eval --help` explains it.\n"});
}

TEST_CASE("promql fold shows which queries go together") {
  TempFile queries(kQueries);
  Check({{"fold", queries.path()},
         kOk,
         "2 queries, 1 request\n\nrequest 1, folds 2 members by app\n"
         "  sum by (app) (rate(x{app=~\"a|b\"}[5m]))\n\nquery 1\n  <result 0> > 1\n"
         "  <result 0> is request 1 {app=\"a\"}\n\nquery 2\n  <result 0> > 1\n"
         "  <result 0> is request 1 {app=\"b\"}\n"});
}

}  // namespace
}  // namespace rollguard::cli
