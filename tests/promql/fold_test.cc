// SPDX-License-Identifier: Apache-2.0
// What is folded into what: plans as text.
#include "agent/promql/fold.h"

#include <deque>

#include "agent/base/text.h"
#include "agent/promql/parser.h"
#include "agent/promql/printer.h"
#include "tests/support/catch.h"

namespace rollguard::promql {
namespace {

struct Planned {
  std::deque<Query> queries;
  FoldPlan plan;
};

Planned PlanOf(const std::vector<std::string>& texts, const FoldLimits& limits = {}) {
  Planned out;
  std::vector<const Query*> pointers;
  for (const std::string& text : texts) {
    auto query = ParseQuery(text);
    INFO(text);
    REQUIRE(query.ok());
    out.queries.push_back(*std::move(query));
    pointers.push_back(&out.queries.back());
  }
  out.plan = PlanFold(pointers, limits);
  return out;
}

// The template for members a and b: what is asked, and what is made of it for a.
std::string Folded(const std::string& text) {
  std::vector<std::string> texts;
  for (const char* value : {"a", "b", "c"}) texts.push_back(ReplaceAll(text, "KEY", value));
  Planned planned = PlanOf(texts);
  std::string out;
  for (const FoldRequest& r : planned.plan.requests) out += StrCat(r.expr, "\n");
  out += "= " + Print(*planned.plan.recipes[0].local);
  for (const FoldPart& part : planned.plan.recipes[0].parts)
    out += StrCat(" ", part.request, ".", part.slot);
  return out;
}

}  // namespace

TEST_CASE("every form folds as the algebra says", "[promql][fold]") {
  struct Row {
    const char* text;
    const char* want;
  };
  const Row rows[] = {
      // Selectors, range functions, elementwise functions, constants.
      {R"q(x{k="KEY",l=~"m"})q", "x{k=~\"a|b|c\",l=~\"m\"}\n= <result 0> 0.0"},
      {R"q(rate(x{k="KEY"}[5m] offset 1m))q",
       "rate(x{k=~\"a|b|c\"}[5m] offset 1m)\n= <result 0> 0.0"},
      {R"q(abs(x{k="KEY"} * 2))q", "abs(x{k=~\"a|b|c\"} * 2)\n= <result 0> 0.0"},
      {R"q(max_over_time(sum(x{k="KEY"})[5m:1m]))q",
       "max_over_time(sum by (k) (x{k=~\"a|b|c\"})[5m:1m])\n= <result 0> 0.0"},
      {R"q(x{k="KEY"} @ 100)q", "x{k=~\"a|b|c\"} @ 100\n= <result 0> 0.0"},
      {R"q(x{k="KEY"} > 5)q", "x{k=~\"a|b|c\"} > 5\n= <result 0> 0.0"},
      {R"q(timestamp(x{k="KEY"}))q", "timestamp(x{k=~\"a|b|c\"})\n= <result 0> 0.0"},
      // Aggregations.
      {R"q(sum(x{k="KEY"}))q", "sum by (k) (x{k=~\"a|b|c\"})\n= <result 0> 0.0"},
      {R"q(sum by (l) (x{k="KEY"}))q", "sum by (l, k) (x{k=~\"a|b|c\"})\n= <result 0> 0.0"},
      {R"q(sum by (k) (x{k="KEY"}))q", "sum by (k) (x{k=~\"a|b|c\"})\n= <result 0> 0.0"},
      {R"q(sum without (k, l) (x{k="KEY"}))q",
       "sum without (l) (x{k=~\"a|b|c\"})\n= <result 0> 0.0"},
      {R"q(topk(3, x{k="KEY"}))q", "topk by (k) (3, x{k=~\"a|b|c\"})\n= <result 0> 0.0"},
      {R"q(quantile(0.9, x{k="KEY"}))q",
       "quantile by (k) (0.9, x{k=~\"a|b|c\"})\n= <result 0> 0.0"},
      {R"q(count_values("v", x{k="KEY"}))q",
       "count_values by (k) (\"v\", x{k=~\"a|b|c\"})\n= <result 0> 0.0"},
      {R"q(max(sum by (l) (x{k="KEY"})))q",
       "max by (k) (sum by (l, k) (x{k=~\"a|b|c\"}))\n= <result 0> 0.0"},
      {R"q(histogram_quantile(0.9, sum by (le) (rate(x{k="KEY"}[5m]))))q",
       "histogram_quantile(0.9, sum by (le, k) (rate(x{k=~\"a|b|c\"}[5m])))\n= <result 0> 0.0"},
      // What is above the fold stays here.
      {R"q(sum(x{k="KEY"}) / sum(y{k="KEY"}) > 0.01)q",
       "sum by (k) (x{k=~\"a|b|c\"})\nsum by (k) (y{k=~\"a|b|c\"})\n"
       "= <result 0> / <result 1> > 0.01 0.0 1.0"},
      {R"q(sum(x{k="KEY"}) / sum(x{k="KEY"}))q",
       "sum by (k) (x{k=~\"a|b|c\"})\n= <result 0> / <result 0> 0.0"},
      {R"q(sum(x{k="KEY"}) / sum(y))q",
       "sum by (k) (x{k=~\"a|b|c\"})\nsum(y)\n= <result 0> / <result 1> 0.0 1.0"},
      {R"q(-(sum(x{k="KEY"}) - 1))q", "sum by (k) (x{k=~\"a|b|c\"})\n= -(<result 0> - 1) 0.0"},
      {R"q(ln(sum(x{k="KEY"}) / sum(y{k="KEY"})))q",
       "ln(sum by (k) (x{k=~\"a|b|c\"}) / sum by (k) (y{k=~\"a|b|c\"}))\n= <result 0> 0.0"},
      // Matching inside what is asked.
      {R"q(avg(x{k="KEY"} / y{k="KEY"}))q",
       "avg by (k) (x{k=~\"a|b|c\"} / y{k=~\"a|b|c\"})\n= <result 0> 0.0"},
      {R"q(avg(x{k="KEY"} / on(l) y{k="KEY"}))q",
       "avg by (k) (x{k=~\"a|b|c\"} / on (l, k) y{k=~\"a|b|c\"})\n= <result 0> 0.0"},
      {R"q(avg(x{k="KEY"} / ignoring(l, k) y{k="KEY"}))q",
       "avg by (k) (x{k=~\"a|b|c\"} / ignoring (l) y{k=~\"a|b|c\"})\n= <result 0> 0.0"},
      {R"q(avg(x{k="KEY"} * on(l) group_left(m) y{k="KEY"}))q",
       "avg by (k) (x{k=~\"a|b|c\"} * on (l, k) group_left (m) y{k=~\"a|b|c\"})\n= <result 0> 0.0"},
      {R"q(avg(x{k="KEY"} and on() y{k="KEY"}))q",
       "avg by (k) (x{k=~\"a|b|c\"} and on (k) y{k=~\"a|b|c\"})\n= <result 0> 0.0"},
      {R"q(avg(x{k="KEY"} and on(l) y{m="n"}))q",
       "avg by (k) (x{k=~\"a|b|c\"} and on (l) y{m=\"n\"})\n= <result 0> 0.0"},
      {R"q(abs(sum(x{k="KEY"}) / sum(y)))q",
       "abs(sum by (k) (x{k=~\"a|b|c\"}) / on () group_left () sum(y))\n= <result 0> 0.0"},
      {R"q(abs(sum(y) / sum(x{k="KEY"})))q",
       "abs(sum(y) / on () group_right () sum by (k) (x{k=~\"a|b|c\"}))\n= <result 0> 0.0"},
      // The hard ones.
      {R"q(sum(x{k="KEY"}) or vector(0))q",
       "sum by (k) (x{k=~\"a|b|c\"})\n= <result 0> or vector(0) 0.0"},
      {R"q(absent(x{k="KEY",l="m"}))q",
       "group by (k) (x{k=~\"a|b|c\",l=\"m\"})\n= label_replace(label_replace(absent(<result 0>), "
       "\"k\", \"a\", \"k\", \"\"), \"l\", \"m\", \"l\", \"\") 0.0"},
      {R"q(absent(sum(x{k="KEY"})))q", "sum by (k) (x{k=~\"a|b|c\"})\n= absent(<result 0>) 0.0"},
      {R"q(absent_over_time(x{k="KEY"}[5m]))q",
       "group by (k) (last_over_time(x{k=~\"a|b|c\"}[5m]))\n= label_replace(absent(<result 0>), "
       "\"k\", \"a\", \"k\", \"\") 0.0"},
      {R"q(sum(x{k="KEY"}) / scalar(sum(y{k="KEY"})))q",
       "sum by (k) (x{k=~\"a|b|c\"})\nsum by (k) (y{k=~\"a|b|c\"})\n"
       "= <result 0> / scalar(<result 1>) 0.0 1.0"},
      {R"q(sum(x{k="KEY"}) and on() (sum(y) > 5))q",
       "sum by (k) (x{k=~\"a|b|c\"})\nsum(y) > 5\n= <result 0> and on () <result 1> 0.0 1.0"},
      {R"q(label_replace(x{k="KEY"}, "k", "new", "k", ".*"))q",
       "x{k=~\"a|b|c\"}\n= label_replace(<result 0>, \"k\", \"new\", \"k\", \".*\") 0.0"},
      {R"q(label_replace(sum(x{k="KEY"}), "m", "$1", "k", "(.*)"))q",
       "sum by (k) (x{k=~\"a|b|c\"})\n"
       "= label_replace(<result 0>, \"m\", \"$1\", \"k\", \"(.*)\") 0.0"},
      {R"q(scalar(sum(x{k="KEY"})))q", "sum by (k) (x{k=~\"a|b|c\"})\n= scalar(<result 0>) 0.0"},
      // A key seen on one side only: the folded operator would match what the member's does not.
      {R"q(avg(x{k="KEY"} / sum by (l) (y{k="KEY"})))q",
       "sum by (l, k) (y{k=~\"a|b|c\"})\nx{k=~\"a|b|c\"}\n= avg(<result 0> / <result 1>) 1.0 0.0"},
      // Not folded: asked one by one.
      {R"q(sum(x{k=~"KEY"}))q",
       "sum(x{k=~\"a\"})\nsum(x{k=~\"b\"})\nsum(x{k=~\"c\"})\n= <result 0> 0.0"},
      {R"q(x{k="KEY",k!="z"})q",
       "x{k=\"a\",k!=\"z\"}\nx{k=\"b\",k!=\"z\"}\nx{k=\"c\",k!=\"z\"}\n= <result 0> 0.0"},
      // Pods by the beginning of their names.
      {R"q(sum(rate(x{pod=~"KEY-.*"}[5m])) > 1)q",
       "sum by (rollguard_prefix_of_pod) (label_replace(rate(x{pod=~\"(a|b|c)-.*\"}[5m]), "
       "\"rollguard_prefix_of_pod\", \"$1\", \"pod\", \"(a|b|c)-.*\"))\n"
       "= <result 0> > 1 0.0"},
      {R"q(max(x{pod=~"KEY-.*",l="m"}))q",
       "max by (rollguard_prefix_of_pod) (label_replace(x{pod=~\"(a|b|c)-.*\",l=\"m\"}, "
       "\"rollguard_prefix_of_pod\", \"$1\", \"pod\", \"(a|b|c)-.*\"))\n= <result 0> 0.0"},
      {R"q(timestamp(x{pod=~"KEY-.*"}))q",
       "timestamp(x{pod=~\"a-.*\"})\ntimestamp(x{pod=~\"b-.*\"})\n"
       "timestamp(x{pod=~\"c-.*\"})\n= <result 0> 0.0"},
      {R"q(sum(x{pod=~"KEY.-.*"}))q",
       "sum(x{pod=~\"a.-.*\"})\nsum(x{pod=~\"b.-.*\"})\nsum(x{pod=~\"c.-.*\"})\n"
       "= <result 0> 0.0"},
      {R"q(xKEY)q", "xa\nxb\nxc\n= <result 0> 0.0"},
      {R"q({__name__="xKEY"})q",
       "{__name__=\"xa\"}\n{__name__=\"xb\"}\n{__name__=\"xc\"}\n= <result 0> 0.0"},
      {R"q(x{k="KEY"}[5m])q", "x{k=\"a\"}[5m]\nx{k=\"b\"}[5m]\nx{k=\"c\"}[5m]\n= <result 0> 0.0"},
      {R"q(max_over_time((sum(x{k="KEY"}) or vector(0))[5m:1m]))q",
       "max_over_time((sum(x{k=\"a\"}) or vector(0))[5m:1m])\n"
       "max_over_time((sum(x{k=\"b\"}) or vector(0))[5m:1m])\n"
       "max_over_time((sum(x{k=\"c\"}) or vector(0))[5m:1m])\n= <result 0> 0.0"},
      {R"q(x{l="m"} + 0)q", "x{l=\"m\"} + 0\n= <result 0> 0.0"},
      {R"q(vector(time()))q", "= vector(time())"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    CHECK(Folded(row.text) == row.want);
  }
}

TEST_CASE("equal parts of different rules are asked once", "[promql][fold]") {
  std::vector<std::string> texts;
  for (const char* v : {"a", "b", "c"}) {
    texts.push_back(StrCat("sum(bad{k=\"", v, "\"}) / sum(all{k=\"", v, "\"})"));
    texts.push_back(StrCat("sum(all{k=\"", v, "\"}) > 5"));
  }
  Planned planned = PlanOf(texts);
  REQUIRE(planned.plan.requests.size() == 2);
  CHECK(planned.plan.recipes[1].parts[0].request == planned.plan.recipes[0].parts[1].request);
}

TEST_CASE("quantiles that share their buckets ask for the buckets", "[promql][fold]") {
  std::vector<std::string> texts;
  for (const char* v : {"a", "b", "c"}) {
    for (const char* q : {"0.5", "0.99"}) {
      texts.push_back(StrCat("histogram_quantile(", q, ", sum by (le) (h{k=\"", v, "\"}))"));
    }
  }
  Planned planned = PlanOf(texts);
  REQUIRE(planned.plan.requests.size() == 1);
  CHECK(planned.plan.requests[0].expr == "sum by (le, k) (h{k=~\"a|b|c\"})");
  CHECK(Print(*planned.plan.recipes[1].local) == "histogram_quantile(0.99, <result 0>)");
}

TEST_CASE("values are quoted as regular expressions, then as strings", "[promql][fold]") {
  Planned planned = PlanOf({R"q(sum(x{k="a.b\"|\\c"}))q", R"q(sum(x{k="d"}))q"});
  REQUIRE(planned.plan.requests.size() == 1);
  CHECK(planned.plan.requests[0].expr == R"q(sum by (k) (x{k=~"a\\.b\"\\|\\\\c|d"}))q");
}

TEST_CASE("limits split requests", "[promql][fold]") {
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i) texts.push_back(StrCat("sum(x{k=\"v", i, "\"})"));
  CHECK(PlanOf(texts).plan.requests.size() == 5);
  FoldLimits limits;
  limits.max_members = [](std::string_view) { return size_t{300}; };
  CHECK(PlanOf(texts, limits).plan.requests.size() == 5);
  limits.max_members = [](std::string_view) { return size_t{50}; };
  CHECK(PlanOf(texts, limits).plan.requests.size() == 20);
  limits.is_off = [](std::string_view) { return true; };
  CHECK(PlanOf(texts, limits).plan.requests.size() == 1000);
}

TEST_CASE("two keys fold without selecting far too much", "[promql][fold]") {
  std::vector<std::string> texts;
  for (int ns = 0; ns < 20; ++ns) {
    for (int i = 0; i < 50; ++i) {
      texts.push_back(StrCat("sum(x{ns=\"n", ns, "\",k=\"v", ns * 50 + i, "\"})"));
    }
  }
  Planned planned = PlanOf(texts);
  CHECK(planned.plan.requests.size() <= 6);
  for (const FoldRequest& r : planned.plan.requests) {
    CHECK(r.expr.starts_with("sum by (k, ns) (x{ns=~\""));
    std::vector<std::string> first, second;
    for (const auto& slot : r.slots) {
      if (std::find(first.begin(), first.end(), slot[0]) == first.end()) first.push_back(slot[0]);
      if (std::find(second.begin(), second.end(), slot[1]) == second.end())
        second.push_back(slot[1]);
    }
    CHECK(first.size() * second.size() <= 4 * r.slots.size());
    CHECK(first.size() <= 200);
  }
}

TEST_CASE("a namespace for each service folds over its pods", "[promql][fold]") {
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i)
    texts.push_back(StrCat("sum(rate(x{ns=\"n", i, "\",pod=~\"v", i, "-7f-.*\"}[2m]))"));
  CHECK(PlanOf(texts).plan.requests.size() == 5);
}

TEST_CASE("three labels that vary are parted until two do", "[promql][fold]") {
  std::vector<std::string> texts;
  for (const char* c : {"c1", "c2"}) {
    for (int i = 0; i < 6; ++i) {
      texts.push_back(StrCat("sum(x{c=\"", c, "\",ns=\"n", i / 3, "\",k=\"v", i, "\"})"));
    }
  }
  Planned planned = PlanOf(texts);
  REQUIRE(planned.plan.requests.size() == 2);
  CHECK(planned.plan.requests[0].expr ==
        R"(sum by (k, ns) (x{c="c1",ns=~"n0|n1",k=~"v0|v1|v2|v3|v4|v5"}))");
}

TEST_CASE("a label with two values in one query is no key", "[promql][fold]") {
  std::vector<std::string> texts;
  for (const char* v : {"a", "b", "c"}) {
    texts.push_back(StrCat(R"(sum(x{k=")", v, R"(",rev="1"}) / sum(x{k=")", v, R"(",rev="2"}))"));
  }
  Planned planned = PlanOf(texts);
  REQUIRE(planned.plan.requests.size() == 2);
  CHECK(planned.plan.requests[0].expr == R"(sum by (k) (x{k=~"a|b|c",rev="1"}))");
}

TEST_CASE("answers are cut by key; strangers are dropped, the missing are empty",
          "[promql][fold]") {
  Planned planned = PlanOf({R"(sum by (l) (x{k="a"}))", R"(sum by (l) (x{k="b"}))"});
  const FoldRequest& request = planned.plan.requests.at(0);
  Vector answer;
  answer.push_back({Labels({{"k", "a"}, {"l", "1"}}), 5, 1});
  answer.push_back({Labels({{"k", "z"}, {"l", "1"}}), 5, 2});
  answer.push_back({Labels({{"k", "a"}, {"l", "2"}}), 5, 3});
  answer.push_back({Labels({{"l", "2"}}), 5, 4});
  std::vector<Value> parts = Unfold(request, Value(answer));
  REQUIRE(parts.size() == 2);
  CHECK(ToString(parts[0]) ==
        ToString(Value(Vector{{Labels({{"l", "1"}}), 5, 1}, {Labels({{"l", "2"}}), 5, 3}})));
  CHECK(std::get<Vector>(parts[1]).empty());
}

TEST_CASE("a narrowed request asks one member as it wrote it", "[promql][fold]") {
  Planned planned = PlanOf({R"(sum(x{k="a"}))", R"(sum(x{k="b"}))", R"(sum(x{k="c"}))"});
  const FoldRequest& request = planned.plan.requests.at(0);
  std::vector<uint32_t> two = {0, 2}, one = {1};
  CHECK(Narrow(request, two).expr == R"(sum by (k) (x{k=~"a|c"}))");
  CHECK(Narrow(request, one).expr == R"(sum(x{k="b"}))");
  CHECK_FALSE(Narrow(request, one).folded());
}

}  // namespace rollguard::promql
