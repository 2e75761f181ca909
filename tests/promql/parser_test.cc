// SPDX-License-Identifier: Apache-2.0
// The parser against a table of expressions, the table against the real server, and both against
// mutilated expressions.
#include "agent/promql/parser.h"

#include <cstdio>

#include "agent/base/json.h"
#include "agent/base/random.h"
#include "agent/base/text.h"
#include "agent/promql/printer.h"
#include "tests/promql/expression_table.h"
#include "tests/support/catch.h"
#include "tests/support/real_prometheus.h"

namespace rollguard::promql {
namespace {

std::string FirstError(const ParseResult& result) {
  return result.ok() ? "" : ToString(result.errors.front());
}

// The server's own rendering of its tree; "" when it refuses.
std::string ServersTree(testing::RealPrometheus& server, const std::string& text) {
  auto answer = server.http().Post("/api/v1/format_query", {{"query", text}});
  if (answer.status != 200) return "";
  auto json = ParseJson(answer.body);
  return json ? json->At("data").Str() : "";
}

std::string Mutilate(const std::string& text, Random& random) {
  static const char* kPieces[] = {
      "(",       ")",    "{",     "}",         "[",   "]",     ",",     "\"",         "-",      "+",
      "^",       "==",   "=",     "=~",        "!=",  "by",    "on",    "bool",       "offset", "@",
      "5m",      "5",    ":",     "x",         "sum", "and",   "or",    "group_left", "(a)",    " ",
      "start()", "[5m]", "[5m:]", "{a=\"b\"}", "1",   "\"s\"", "atan2", "inf",        "."};
  std::string out = text;
  for (uint64_t n = 1 + random.Below(3); n > 0; --n) {
    size_t at = random.Below(out.size() + 1);
    switch (random.Below(3)) {
      case 0: out.insert(at, StrCat(" ", kPieces[random.Below(std::size(kPieces))], " ")); break;
      case 1: out.erase(at, 1 + random.Below(3)); break;
      default: out.insert(at, out.substr(random.Below(out.size() + 1), random.Below(8))); break;
    }
  }
  return out;
}

}  // namespace

TEST_CASE("the parser takes what PromQL takes and refuses what it refuses", "[promql][parser]") {
  CHECK(ExpressionTable().size() >= 300);
  for (const ExpressionRow& row : ExpressionTable()) {
    ParseResult result = Parse(row.text);
    INFO(row.text << "\n" << FirstError(result));
    CHECK(result.ok() == row.accepted);
  }
}

TEST_CASE("print, parse, print is stable", "[promql][printer]") {
  for (const ExpressionRow& row : ExpressionTable()) {
    if (!row.accepted) continue;
    ParseResult first = Parse(row.text);
    REQUIRE(first.ok());
    std::string printed = Print(first.query);
    ParseResult second = Parse(printed);
    INFO(row.text << "\n" << printed << "\n" << FirstError(second));
    REQUIRE(second.ok());
    CHECK(SameTree(first.query, first.query.root, second.query, second.query.root));
    CHECK(Print(second.query) == printed);
    std::string canonical = PrintCanonical(first.query, first.query.root);
    ParseResult third = Parse(canonical);
    INFO(canonical << "\n" << FirstError(third));
    REQUIRE(third.ok());
    CHECK(SameTree(first.query, first.query.root, third.query, third.query.root));
    CHECK(PrintCanonical(third.query, third.query.root) == canonical);
  }
}

TEST_CASE("the real server agrees with every row", "[promql][parser][real]") {
  auto server = testing::RealPrometheus::Start();
  REQUIRE(server != nullptr);
  for (const ExpressionRow& row : ExpressionTable()) {
    INFO(row.text);
    std::string tree = ServersTree(*server, row.text);
    CHECK(!tree.empty() == row.accepted);
    if (row.accepted) CHECK(ServersTree(*server, Print(Parse(row.text).query)) == tree);
  }
}

TEST_CASE("the real server agrees on mutilated expressions", "[promql][parser][real]") {
  auto server = testing::RealPrometheus::Start();
  REQUIRE(server != nullptr);
  Random random(20260401);
  int accepted = 0;
  for (int i = 0; i < 4000; ++i) {
    const ExpressionRow& row = ExpressionTable()[random.Below(ExpressionTable().size())];
    std::string text = Mutilate(row.text, random);
    ParseResult ours = Parse(text);
    std::string tree = ServersTree(*server, text);
    INFO(text << "\nours: " << FirstError(ours) << "\ntheirs: " << tree);
    CHECK(ours.ok() == !tree.empty());
    if (!ours.ok() || tree.empty()) continue;
    ++accepted;
    CHECK(ServersTree(*server, Print(ours.query)) == tree);
  }
  CHECK(accepted > 300);
}

TEST_CASE("errors say what and where", "[promql][parser]") {
  struct Row {
    const char* text;
    const char* error;
  };
  const Row rows[] = {
      {"sum(rat(x[5m]))",
       "1:5: parse error: unknown function with name \"rat\" (did you mean \"rate\"?)"},
      {"sum(x", "1:6: parse error: unclosed left parenthesis"},
      {"sum by (a)", "1:11: parse error: unexpected end of input in aggregation, expected \"(\""},
      {"x +\n  y{a=b}",
       "2:7: parse error: unexpected identifier \"b\" in label matching, expected string"},
      {"rate(x)",
       "1:6: parse error: expected type range vector in call to function \"rate\", got instant "
       "vector; add a range, e.g. [5m]"},
      {"rate(sum(x))",
       "1:6: parse error: expected type range vector in call to function \"rate\", got instant "
       "vector; add a subquery, e.g. [5m:]"},
      {"{a=\"\"}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
      {"1 == 2", "1:3: parse error: comparisons between scalars must use BOOL modifier"},
      {"x{a=~\"(\"}", "1:6: parse error: error parsing regexp: missing ): ("},
      {"x{a=\"é\"} + bool y",
       "1:10: parse error: bool modifier can only be used on comparison operators"},
      {"x{a=\"b", "1:5: parse error: unterminated quoted string"},
      {"x offset 1m offset 2m", "1:13: parse error: offset may not be set multiple times"},
      {"topk(x)",
       "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, "
       "got 1"},
      {"rate(x[5m], 2)", "1:1: parse error: expected 1 argument(s) in call to \"rate\", got 2"},
      {"x and on(a) group_left y", "1:3: parse error: no grouping allowed for \"and\" operation"},
      {"", "1:1: parse error: no expression found in input"},
      {"x[5]", "1:3: parse error: missing unit character in duration"},
      {"x{a=\"\\q\"}",
       "1:5: parse error: unknown escape sequence 'q'; write \\\\ for a backslash, or use `...` "
       "around the text"},
      {"x # c\n)", "2:1: parse error: unexpected right parenthesis ')'"},
      {"x ? y", "1:3: parse error: unexpected character: '?'"},
  };
  for (const Row& row : rows) CHECK(FirstError(Parse(row.text)) == row.error);
}

TEST_CASE("every error of an expression is reported, in order", "[promql][parser]") {
  ParseResult result = Parse("rat(x[5m]) + sum(1) + topk(x) / x{a=~\"[\"}");
  std::string all;
  for (const ParseError& e : result.errors) all += ToString(e) + "\n";
  CHECK(all ==
        "1:1: parse error: unknown function with name \"rat\" (did you mean \"rate\"?)\n"
        "1:18: parse error: expected type instant vector in aggregation expression, got scalar\n"
        "1:23: parse error: wrong number of arguments for aggregate expression provided, expected "
        "2, got 1\n"
        "1:38: parse error: error parsing regexp: missing ]: [\n");
}

TEST_CASE("hostile expressions end in a clear error", "[promql][parser]") {
  auto repeat = [](const char* piece, size_t times) {
    std::string out;
    for (size_t i = 0; i < times; ++i) out += piece;
    return out;
  };
  struct Row {
    std::string text;
    const char* error;
  };
  const Row rows[] = {
      {repeat("(", 10000) + "x" + repeat(")", 10000), "nested too deeply"},
      {repeat("-", 100000) + "x", "nested too deeply"},
      {repeat("abs(", 10000) + "x" + repeat(")", 10000), "nested too deeply"},
      {"1" + repeat("+x", 20000), "nested too deeply"},
      {"1" + repeat("^1", 20000), "nested too deeply"},
      {"x" + repeat("[5m:]", 10000), "nested too deeply"},
      {repeat("sum(", 40000), "nested too deeply"},
      {repeat("x", 1U << 20), "too long"},
      {"x{a=\"" + repeat("y", 1U << 20), "too long"},
      {"\"" + repeat("y", 200000), "unterminated quoted string"},
      {"x{a=~\"" + repeat("(", 100000) + "\"}", "error parsing regexp"},
  };
  for (const Row& row : rows) {
    ParseResult result = Parse(row.text);
    REQUIRE_FALSE(result.ok());
    INFO(FirstError(result));
    CHECK(FirstError(result).find(row.error) != std::string::npos);
    CHECK(FirstError(result).size() < 400);
    CHECK(result.errors.size() < 10);
  }
}

}  // namespace rollguard::promql
