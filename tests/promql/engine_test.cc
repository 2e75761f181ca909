// SPDX-License-Identifier: Apache-2.0
// The engine on small hand-made data: one row, one rule of the language. The differential test
// covers the breadth; these rows say what the rules are, and what a failure says.
#include "agent/promql/engine.h"

#include "agent/base/text.h"
#include "agent/promql/parser.h"
#include "agent/promql/series_notation.h"
#include "tests/support/catch.h"

namespace rollguard::promql {
namespace {

constexpr Millis kMinute = 60'000;

struct Line {
  const char* series;
  const char* values;
};

MemoryStore Load(std::initializer_list<Line> lines, Millis interval = kMinute) {
  MemoryStore store;
  for (const Line& line : lines) {
    std::optional<NotationError> error;
    Labels labels = ParseSeriesName(line.series, error);
    SeriesValues values = ParseSeriesValues(line.values, error);
    REQUIRE_FALSE(error);
    REQUIRE(AppendSeries(store, labels, values, 0, interval));
  }
  return store;
}

std::string Ask(const MemoryStore& store, std::string_view expr, Millis at,
                const EngineOptions& options = {}) {
  auto query = ParseQuery(expr);
  if (!query) return query.error().message;
  auto value = Engine(store, options).Instant(*query, FromUnixMillis(at));
  return value ? ToString(*value) : "error: " + value.error().message;
}

std::string AskRange(const MemoryStore& store, std::string_view expr, Millis start, Millis end,
                     Millis step, const EngineOptions& options = {}) {
  auto query = ParseQuery(expr);
  if (!query) return query.error().message;
  auto value = Engine(store, options)
                   .Range(*query, FromUnixMillis(start), FromUnixMillis(end), Duration(step));
  return value ? ToString(*value) : "error: " + value.error().message;
}

const std::initializer_list<Line> kRequests = {
    {"req{job=\"a\",code=\"200\"}", "0+60x20"},
    {"req{job=\"a\",code=\"500\"}", "0+6x20"},
    {"req{job=\"b\",code=\"200\"}", "0+30x10 0+30x9"},
    {"limit{job=\"a\"}", "5x20"},
    {"limit{job=\"b\"}", "7 _x19 9"},
    {"gone{job=\"a\"}", "1x5 stale"},
    {"strange", "NaN Inf -Inf 1 2"},
};

}  // namespace

TEST_CASE("instant queries", "[promql][engine]") {
  MemoryStore store = Load(kRequests);
  const struct {
    const char* expr;
    Millis minute;
    const char* want;
  } rows[] = {
      {"1 + 2 * 3 ^ 2", 0, "scalar: 19 @[0]\n"},
      {"\"text\"", 0, "\"text\"\n"},
      {"limit", 4, "limit{job=\"a\"} => 5 @[240]\nlimit{job=\"b\"} => 7 @[240]\n"},
      {"limit", 5, "limit{job=\"a\"} => 5 @[300]\nlimit{job=\"b\"} => 7 @[300]\n"},
      {"limit", 6, "limit{job=\"a\"} => 5 @[360]\n"},
      {"gone", 5, "gone{job=\"a\"} => 1 @[300]\n"},
      {"gone", 6, ""},
      {"count_over_time(gone[10m])", 7, "{job=\"a\"} => 6 @[420]\n"},
      {"rate(req{code=\"500\"}[5m])", 10, "{code=\"500\", job=\"a\"} => 0.1 @[600]\n"},
      {"increase(req{job=\"b\"}[5m])", 13, "{code=\"200\", job=\"b\"} => 120 @[780]\n"},
      {"sum by (job) (rate(req[5m]))", 10,
       "{job=\"a\"} => 1.1 @[600]\n{job=\"b\"} => 0.5 @[600]\n"},
      {"rate(req{code=\"500\"}[5m]) / on (job) group_left rate(req{code=\"200\",job=\"a\"}[5m])",
       10, "{code=\"500\", job=\"a\"} => 0.1 @[600]\n"},
      {"topk(1, req)", 10, "req{code=\"200\", job=\"a\"} => 600 @[600]\n"},
      {"absent(nothing{job=\"x\",code=~\"5..\"})", 1, "{job=\"x\"} => 1 @[60]\n"},
      {"absent(limit)", 1, ""},
      {"limit > 6", 1, "limit{job=\"b\"} => 7 @[60]\n"},
      {"limit > bool 6", 1, "{job=\"a\"} => 0 @[60]\n{job=\"b\"} => 1 @[60]\n"},
      {"6 < limit", 1, "limit{job=\"b\"} => 7 @[60]\n"},
      {"limit @ 1200", 0, "limit{job=\"a\"} => 5 @[0]\nlimit{job=\"b\"} => 9 @[0]\n"},
      {"limit offset 20m", 20, "limit{job=\"a\"} => 5 @[1200]\nlimit{job=\"b\"} => 7 @[1200]\n"},
      {"max_over_time(limit{job=\"b\"}[20m])", 20, "{job=\"b\"} => 9 @[1200]\n"},
      {"max_over_time(strange[10m])", 4, "{} => +Inf @[240]\n"},
      {"scalar(limit)", 1, "scalar: NaN @[60]\n"},
      {"label_replace(limit, \"j\", \"$1-x\", \"job\", \"(.)\")", 1,
       "limit{j=\"a-x\", job=\"a\"} => 5 @[60]\nlimit{j=\"b-x\", job=\"b\"} => 7 @[60]\n"},
      {"count_values(\"v\", limit)", 1, "{v=\"5\"} => 1 @[60]\n{v=\"7\"} => 1 @[60]\n"},
      {"limit or on (job) req{code=\"200\"}", 6,
       "limit{job=\"a\"} => 5 @[360]\nreq{code=\"200\", job=\"b\"} => 180 @[360]\n"},
      {"limit unless limit > 6", 1, "limit{job=\"a\"} => 5 @[60]\n"},
      {"year(vector(1700000000)) + month(vector(1700000000)) / 100", 0, "{} => 2023.11 @[0]\n"},
      {"limit{job=\"a\"}[2m]", 3, "limit{job=\"a\"} =>\n5 @[60]\n5 @[120]\n5 @[180]\n"},
      {"(limit{job=\"a\"} * 2)[2m:1m]", 3, "{job=\"a\"} =>\n10 @[60]\n10 @[120]\n10 @[180]\n"},
  };
  for (const auto& row : rows) {
    INFO(row.expr << " at minute " << row.minute);
    CHECK(Ask(store, row.expr, row.minute * kMinute) == row.want);
  }
}

TEST_CASE("what data can do wrong is said in Prometheus' words", "[promql][engine]") {
  MemoryStore store = Load(kRequests);
  const struct {
    const char* expr;
    const char* want;
  } rows[] = {
      {"limit * on (job) req",
       "error: found duplicate series for the match group {job=\"a\"} on the right hand-side of "
       "the "
       "operation: [req{code=\"500\", job=\"a\"}, req{code=\"200\", job=\"a\"}];many-to-many "
       "matching not allowed: matching labels must be unique on one side"},
      {"req * on (job) limit",
       "error: multiple matches for labels: many-to-one matching must be explicit "
       "(group_left/group_right)"},
      {"req * on (job) group_left (code) label_replace(limit, \"code\", \"x\", \"\", \"\")",
       "error: multiple matches for labels: grouping labels must ensure unique matches"},
      {"rate({__name__=~\"limit|gone\"}[10m])",
       "error: vector cannot contain metrics with the same labelset"},
      {"label_replace(limit, \"job\", \"x\", \"\", \"\")",
       "error: vector cannot contain metrics with the same labelset"},
      {"label_replace(limit, \"job\", \"x\", \"job\", \"(\")",
       "error: invalid regular expression in label_replace(): ("},
      {"label_join(limit, \"bad-name\", \"\")",
       "error: invalid destination label name in label_join(): bad-name"},
      {"count_values(\"bad-name\", limit)", "error: invalid label name \"bad-name\""},
      {"topk(NaN, limit)", "error: Scalar value NaN overflows int64"},
      {"holt_winters(limit[5m], 1, 0.5)",
       "error: invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000"},
  };
  for (const auto& row : rows) {
    INFO(row.expr);
    CHECK(Ask(store, row.expr, 2 * kMinute) == row.want);
  }
}

TEST_CASE("range queries", "[promql][engine]") {
  MemoryStore store = Load(kRequests);
  CHECK(AskRange(store, "limit{job=\"b\"}", 0, 20 * kMinute, 5 * kMinute) ==
        "limit{job=\"b\"} =>\n7 @[0]\n7 @[300]\n9 @[1200]\n");
  CHECK(AskRange(store, "time()", 0, 120'000, kMinute) == "{} =>\n0 @[0]\n60 @[60]\n120 @[120]\n");
  CHECK(AskRange(store, "sum(limit @ end())", 0, 1'200'000, 600'000) ==
        "{} =>\n14 @[0]\n14 @[600]\n14 @[1200]\n");
  CHECK(AskRange(store, "absent(limit{job=\"b\"})", 0, 1'200'000, 600'000) ==
        "{job=\"b\"} =>\n1 @[600]\n");
  CHECK(AskRange(store, "limit[5m]", 0, 1, 1) ==
        "error: invalid expression type \"range vector\" for range query, must be Scalar or "
        "instant Vector");
}

TEST_CASE("version 3 leaves out the left end of windows", "[promql][engine]") {
  MemoryStore store = Load(kRequests);
  EngineOptions v3;
  v3.version3 = true;
  CHECK(Ask(store, "limit{job=\"b\"}", 5 * kMinute, v3) == "");
  CHECK(Ask(store, "count_over_time(limit{job=\"a\"}[5m])", 10 * kMinute) ==
        "{job=\"a\"} => 6 @[600]\n");
  CHECK(Ask(store, "count_over_time(limit{job=\"a\"}[5m])", 10 * kMinute, v3) ==
        "{job=\"a\"} => 5 @[600]\n");
  CHECK(Ask(store, "count_over_time((limit{job=\"a\"})[5m:1m])", 10 * kMinute, v3) ==
        "{job=\"a\"} => 5 @[600]\n");
  CHECK(Ask(store, "stddev(strange)", 0) == "{} => 0 @[0]\n");
  CHECK(Ask(store, "stddev(strange)", 0, v3) == "{} => NaN @[0]\n");
}

TEST_CASE("limits hold before memory or time is spent", "[promql][engine]") {
  MemoryStore store = Load(kRequests);
  const std::string too_many =
      "error: query processing would load too many samples into memory in query execution";
  CHECK(AskRange(store, "limit", 0, 1'000'000'000'000, 1) == too_many);
  CHECK(Ask(store, "count_over_time(vector(1)[1y:1ms])", 0) == too_many);
  CHECK(Ask(store, "limit[1y:1ms]", 0) == too_many);
  EngineOptions small;
  small.max_work = 1000;
  CHECK(Ask(store, "max_over_time(max_over_time(limit[1h:1s])[1h:1s])", 0, small) ==
        "error: query exceeds the limit of work");
  EngineOptions late;
  int asked = 0;
  late.expired = [&] { return ++asked > 2; };
  CHECK(Ask(store, "max_over_time(max_over_time(vector(1)[1d:1s])[1d:1s])", kMinute, late) ==
        "error: query timed out in expression evaluation");
  CHECK(asked == 3);
}

TEST_CASE("a value from elsewhere stands in for a part of the query", "[promql][engine]") {
  MemoryStore store = Load(kRequests);
  auto query = ParseQuery("limit + 0");
  REQUIRE(query);
  // limit + 0 -> limit + placeholder
  for (Node& node : query->nodes) {
    if (std::holds_alternative<NumberNode>(node.is)) {
      node.is = PlaceholderNode{0, ValueType::kVector};
      node.type = ValueType::kVector;
    }
  }
  const Value given[] = {Vector{{Labels({{"job", "a"}}), 0, 10}}};
  auto value = Engine(store).Instant(*query, FromUnixMillis(0), given);
  REQUIRE(value);
  CHECK(ToString(*value) == "{job=\"a\"} => 15 @[0]\n");
}

}  // namespace rollguard::promql
