// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/bind.h"

#include "agent/base/random.h"
#include "agent/base/text.h"
#include "agent/promql/printer.h"
#include "agent/promql/regex.h"
#include "tests/support/catch.h"

namespace rollguard::promql {
namespace {

Bindings Values() {
  return {{"ns", VariableValue::Text("shop")},
          {"odd", VariableValue::Text("a.b\"} or up{x=\"|c")},
          {"pods", VariableValue::Pattern("checkout-7d9f-.*|extra")},
          {"list", VariableValue::Alternatives({"a.1", "b"})},
          {"one", VariableValue::Alternatives({"only"})},
          {"none", VariableValue::Alternatives({})},
          {"empty", VariableValue::Text("")},
          {"window", VariableValue::OfDuration(120000)},
          {"span", VariableValue::Text("1h30m")},
          {"broken", VariableValue::Pattern("a)|(b")}};
}

// The bound query, or every error.
std::string Bound(const std::string& text, const Bindings& values) {
  ParseResult parsed = Parse(text, {.variables = true});
  std::string out;
  for (const ParseError& e : parsed.errors) out += ToString(e) + "\n";
  if (!parsed.ok()) return out;
  ParseResult bound = Bind(parsed.query, text, values);
  for (const ParseError& e : bound.errors) out += ToString(e) + "\n";
  return bound.ok() ? Print(bound.query) : out;
}

}  // namespace

TEST_CASE("variables are bound in the tree", "[promql][bind]") {
  struct Row {
    const char* text;
    const char* want;
  };
  const Row rows[] = {
      {R"q(x{a="$ns"})q", R"q(x{a="shop"})q"},
      {R"q(x{a="pre-$ns-post",b="${ns}x$ns"})q", R"q(x{a="pre-shop-post",b="shopxshop"})q"},
      {R"q(x{a="$odd"})q", R"q(x{a="a.b\"} or up{x=\"|c"})q"},
      {R"q(x{a=~"$odd"})q", R"q(x{a=~"a\\.b\"\\} or up\\{x=\"\\|c"})q"},
      {R"q(x{a=~"$ns"})q", R"q(x{a=~"shop"})q"},
      {R"q(x{a=~"$ns-.*"})q", R"q(x{a=~"shop-.*"})q"},
      {R"q(x{a=~"${ns}+"})q", R"q(x{a=~"(?:shop)+"})q"},
      {R"q(x{a=~"\\0$ns"})q", R"q(x{a=~"\\0(?:shop)"})q"},
      {R"q(x{a=~"$pods"})q", R"q(x{a=~"checkout-7d9f-.*|extra"})q"},
      {R"q(x{a!~"$pods|z"})q", R"q(x{a!~"(?:checkout-7d9f-.*|extra)|z"})q"},
      {R"q(x{a=~"$list"})q", R"q(x{a=~"a\\.1|b"})q"},
      {R"q(x{a=~"p-$list"})q", R"q(x{a=~"p-(?:a\\.1|b)"})q"},
      {R"q(x{a="$one"})q", R"q(x{a="only"})q"},
      {R"q(x{a=~"$none"})q", R"q(x{a=~"[^\\x00-\\x{10FFFF}]"})q"},
      {R"q(x{a="$empty"})q", R"q(x{a=""})q"},
      {R"q(x{a="$window"})q", R"q(x{a="2m"})q"},
      {R"q(rate(x[$window]))q", "rate(x[2m])"},
      {R"q(rate(x[${span}] offset $window))q", "rate(x[1h30m] offset 2m)"},
      {R"q(max_over_time(x[$span:$window] offset -$window))q",
       "max_over_time(x[1h30m:2m] offset -2m)"},
      {R"q(x{a="5$",b="$$ns",c=~"a$",d=~"\\$ns",e=~"$$ns"})q",
       R"q(x{a="5$",b="$ns",c=~"a$",d=~"\\$ns",e=~"\\$ns"})q"},
      {R"q(label_replace(x, "a", "$1", "b", "(.*)"))q",
       R"q(label_replace(x, "a", "$1", "b", "(.*)"))q"},
      {R"q(x{a="\"$ns\""})q", R"q(x{a="\"shop\""})q"},
      {R"q(sum by (a) (x{a="$ns",b=~"$pods"} @ 5 offset $window) / x)q",
       R"q(sum by (a) (x{a="shop",b=~"checkout-7d9f-.*|extra"} @ 5.000 offset 2m) / x)q"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    std::string want = ReplaceAll(row.want, "@ 5.000", "@ 5");
    CHECK(Bound(row.text, Values()) == want);
  }
}

TEST_CASE("what cannot be bound is named with its place", "[promql][bind]") {
  struct Row {
    const char* text;
    const char* want;
  };
  const Row rows[] = {
      {R"q(x{a="b",c="x-$nss"})q",
       "1:14: parse error: unknown variable \"$nss\" (did you mean \"ns\"?)\n"},
      {R"q(rate(x[$zzzzzz]))q", "1:8: parse error: unknown variable \"$zzzzzz\"\n"},
      {R"q(x{a="$pods"})q",
       "1:6: parse error: \"$pods\" is a regular expression; match it with =~ or !~\n"},
      {R"q(x{a!="$list"})q",
       "1:7: parse error: \"$list\" stands for 2 values; match it with =~ or !~\n"},
      {R"q(x{a=~"[$ns]"})q",
       "1:8: parse error: a variable cannot stand inside [...] or \\Q...\\E of a regular "
       "expression\n"},
      {R"q(x{a=~"[]$ns]"})q",
       "1:9: parse error: a variable cannot stand inside [...] or \\Q...\\E of a regular "
       "expression\n"},
      {R"q(x{a=~`\Q$ns\E`})q",
       "1:9: parse error: a variable cannot stand inside [...] or \\Q...\\E of a regular "
       "expression\n"},
      {R"q(rate(x[$ns]))q",
       "1:8: parse error: the value of \"$ns\" is not a duration such as 5m\n"},
      {R"q(x{a=~"$broken"})q",
       "1:7: parse error: the value of \"$broken\": error parsing regexp: "},
      {R"q({a="$empty"})q",
       "1:1: parse error: vector selector must contain at least one non-empty matcher\n"},
      {R"q($ns)q",
       "1:1: parse error: unexpected variable \"$ns\" in expression, expected a variable only "
       "inside "
       "a quoted label value or as a duration\n"},
      {R"q(x{$ns="a"})q", "1:3: parse error: unexpected character inside braces: '$'\n"},
      {R"q(count_values("$ns", x))q",
       "1:14: parse error: variables stand only inside quoted label values of a selector or as "
       "durations\n"},
      {R"q(x{a=~"\\p{$ns}"})q", "1:6: parse error: error parsing regexp: "},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    std::string got = Bound(row.text, Values());
    CHECK(got.substr(0, std::string_view(row.want).size()) == row.want);
  }
}

TEST_CASE("no value changes what a query means", "[promql][bind]") {
  // Whatever the value, the bound tree is the template's tree with one text in it, and in a regular
  // expression exactly the value matches.
  const char* kPieces[] = {"\"",  "\\", "}",        "{", "]", "[",   "(",   ")", "|",
                           ".*",  "+",  "?",        "^", "$", "\\E", "\\Q", "a", "1",
                           "$ns", "\n", "\xc3\xa9", "'", "`", "#",   "-"};
  const char* kTemplates[] = {R"q(x{v="$v"})q",   R"q(x{v=~"$v"})q",         R"q(x{v=~"a${v}b"})q",
                              R"q(x{v=~"$v+"})q", R"q(x{v=~"(q|${v}) ?"})q", R"q(x{v=~"\\0$v"})q"};
  Random random(11);
  for (size_t round = 0; round < 3000; ++round) {
    std::string value;
    for (uint64_t n = random.Below(6); n > 0; --n)
      value += kPieces[random.Below(std::size(kPieces))];
    const char* text = kTemplates[round % std::size(kTemplates)];
    ParseResult parsed = Parse(text, {.variables = true});
    REQUIRE(parsed.ok());
    ParseResult bound = Bind(parsed.query, text, {{"v", VariableValue::Text(value)}});
    INFO(text << "  value " << Quote(value));
    REQUIRE(bound.ok());
    ParseResult again = Parse(Print(bound.query));
    REQUIRE(again.ok());
    REQUIRE(SameTree(again.query, again.query.root, bound.query, bound.query.root));
    const auto* selector = again.query.As<SelectorNode>(again.query.root);
    REQUIRE(selector != nullptr);
    REQUIRE(selector->matchers.size() == 1);
    const std::string& got = selector->matchers[0].value;
    switch (round % std::size(kTemplates)) {
      case 0: CHECK(got == value); break;
      case 1: CHECK(RegexMatches(got, value)); break;
      case 2: CHECK(RegexMatches(got, "a" + value + "b")); break;
      case 3: CHECK(RegexMatches(got, value + value + value)); break;
      case 4: CHECK((RegexMatches(got, value + " ") && RegexMatches(got, "q"))); break;
      default: CHECK(RegexMatches(got, std::string(1, '\0') + value)); break;
    }
    if (round % std::size(kTemplates) != 0) CHECK_FALSE(RegexMatches(got, value + "!" + value));
  }
}

TEST_CASE("a template lists its variables and prints as it is written", "[promql][bind]") {
  std::string text = R"q(rate(x{a="$ns",b=~"$pods.*$ns"}[$window:$step] offset -$window))q";
  ParseResult parsed = Parse(text, {.variables = true});
  REQUIRE(parsed.ok());
  CHECK(VariableNames(parsed.query) == std::vector<std::string>{"ns", "pods", "window", "step"});
  CHECK(Print(parsed.query) == text);
}

}  // namespace rollguard::promql
