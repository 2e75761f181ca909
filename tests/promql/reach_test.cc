// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/reach.h"

#include "agent/base/text.h"
#include "agent/promql/bind.h"
#include "agent/promql/printer.h"
#include "tests/support/catch.h"

namespace rollguard::promql {
namespace {

constexpr std::string_view kPods[] = {"pods"};

}  // namespace

TEST_CASE("ranges over certain series reach no further than they may", "[promql]") {
  struct Row {
    const char* text;
    int64_t reach_s;
    const char* want;  // limited to 20 s
  };
  const Row rows[] = {
      {R"q(rate(x{p=~"$pods"}[1m]))q", 60, R"q(rate(x{p=~"a"}[20s]))q"},
      {R"q(rate(x{p=~"$pods"}[$window]))q", 120, R"q(rate(x{p=~"a"}[20s]))q"},
      {R"q(rate(x{p=~"$pods"}[10s]))q", 10, R"q(rate(x{p=~"a"}[10s]))q"},
      {R"q(x{p=~"$pods"})q", 0, R"q(x{p=~"a"})q"},
      {R"q(rate(x{q="$other"}[1m]))q", 0, R"q(rate(x{q="b"}[1m]))q"},
      {R"q(rate(x{p=~"$pods"}[1m]) / rate(x[1m]))q", 60, R"q(rate(x{p=~"a"}[20s]) / rate(x[1m]))q"},
      // The past is asked for in so many words.
      {R"q(rate(x{p=~"$pods"}[1m] offset 1h))q", 0, R"q(rate(x{p=~"a"}[1m] offset 1h))q"},
      {R"q(rate(x{p=~"$pods"}[1m] @ 1000))q", 0, R"q(rate(x{p=~"a"}[1m] @ 1000))q"},
      {R"q(max_over_time(rate(x{p=~"$pods"}[1m])[5m:10s] offset 1h))q", 0,
       R"q(max_over_time(rate(x{p=~"a"}[1m])[5m:10s] offset 1h))q"},
      {R"q(max_over_time(rate(x{p=~"$pods"}[1m])[5m:10s]))q", 360,
       R"q(max_over_time(rate(x{p=~"a"}[10s])[10s:10s]))q"},
      {R"q(max_over_time(rate(x{p=~"$pods"}[5s])[5m:5s]))q", 305,
       R"q(max_over_time(rate(x{p=~"a"}[5s])[15s:5s]))q"},
      {R"q(max_over_time(x{p=~"$pods"}[5m:5s]))q", 300, R"q(max_over_time(x{p=~"a"}[20s:5s]))q"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    ParseResult parsed = Parse(row.text, {.variables = true});
    REQUIRE(parsed.ok());
    const std::vector<NodeId> selectors = SelectorsOf(parsed.query, kPods);
    ParseResult bound = Bind(parsed.query, row.text,
                             {{"pods", VariableValue::Pattern("a")},
                              {"other", VariableValue::Text("b")},
                              {"window", VariableValue::OfDuration(120'000)}});
    REQUIRE(bound.ok());
    CHECK(ReachOf(bound.query, selectors) == row.reach_s * 1000);
    const std::string whole = Print(bound.query);
    LimitReach(bound.query, selectors, row.reach_s * 1000);
    CHECK(Print(bound.query) == whole);
    LimitReach(bound.query, selectors, 20'000);
    CHECK(Print(bound.query) == row.want);
    // Whatever is asked stays a query.
    LimitReach(bound.query, selectors, 0);
    CHECK(Parse(Print(bound.query), {}).ok());
  }
}

}  // namespace rollguard::promql
