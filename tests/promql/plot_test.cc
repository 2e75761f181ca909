// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/plot.h"

#include <cmath>

#include "agent/promql/fold_report.h"
#include "agent/promql/parser.h"
#include "tests/support/catch.h"

namespace rollguard::promql {

TEST_CASE("a range is drawn with its axis and its series", "[promql][plot]") {
  Series rising{Labels({{"a", "b"}}), {}};
  for (int i = 0; i <= 20; ++i) rising.points.push_back({1'700'000'000'000 + i * 1000, i * 1.0});
  PlotSize size;
  size.width = 30;
  size.height = 4;
  CHECK(Plot({rising}, size) ==
        "      20 |               \xe2\xa2\x80\xe2\xa2\xa0\xe2\xa0\xb0\xe2\xa0\x90\xe2\xa0\x98\n"
        "         |          "
        "\xe2\xa3\x80\xe2\xa2\xa0\xe2\xa0\xb0\xe2\xa0\x98\xe2\xa0\x88\xe2\xa0\x88\n"
        "         |     \xe2\xa1\x80\xe2\xa1\x84\xe2\xa0\x84\xe2\xa0\x86\xe2\xa0\x83\xe2\xa0\x81\n"
        "       0 |\xe2\xa1\x80\xe2\xa1\x84\xe2\xa0\x86\xe2\xa0\x82\xe2\xa0\x83\xe2\xa0\x81\n"
        "          22:13:20    22:13:40\n"
        "  {a=\"b\"}  20\n");
}

TEST_CASE("odd matrices are drawn, too", "[promql][plot]") {
  CHECK(Plot({}) == "no values to draw\n");
  Series nan{Labels({{"a", "b"}}), {{0, std::nan("")}, {1000, HUGE_VAL}}};
  CHECK(Plot({nan}) == "no values to draw\n  {a=\"b\"}  +Inf\n");
  Matrix many;
  for (int i = 0; i < 10; ++i) many.push_back({Labels(), {{0, 1}}});
  std::string picture = Plot(many, {1, 1});
  CHECK(picture.find("  and 2 more\n") != std::string::npos);
}

TEST_CASE("a plan is told in words", "[promql][fold]") {
  Query a = *ParseQuery(R"(sum(x{k="a"}) > 1)"), b = *ParseQuery(R"(sum(x{k="b"}) > 1)");
  const Query* queries[] = {&a, &b};
  FoldPlan plan = PlanFold(queries);
  CHECK(DescribePlan(plan) ==
        "2 queries, 1 request\n"
        "\nrequest 1, folds 2 members by k\n  sum by (k) (x{k=~\"a|b\"})\n"
        "\nquery 1\n  <result 0> > 1\n  <result 0> is request 1 {k=\"a\"}\n"
        "\nquery 2\n  <result 0> > 1\n  <result 0> is request 1 {k=\"b\"}\n");
  Json json = PlanToJson(plan);
  CHECK(json.At("requests").At(0).At("query").Str() == "sum by (k) (x{k=~\"a|b\"})");
  CHECK(json.At("requests").At(0).At("members").Dump() == R"([["a"],["b"]])");
  CHECK(json.At("queries").At(1).Dump() == R"q({"local":"<result 0> > 1","parts":[[0,1]]})q");
}

}  // namespace rollguard::promql
