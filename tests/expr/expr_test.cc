// SPDX-License-Identifier: Apache-2.0
#include "agent/expr/expr.h"

#include <cmath>

#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::expr {
namespace {

struct Row {
  const char* condition;
  const char* want;  // the value as text, or "error: ..."
  const char* result = "1";
};

std::string Eval(const Row& row) {
  Compiled compiled = Compile(row.condition);
  if (!compiled.ok()) {
    const Problem& p = compiled.problems[0];
    return StrCat("error: ", p.span.line, ":", p.span.column, ": ", p.message);
  }
  auto json = ParseJson(row.result);
  REQUIRE(json.ok());
  Environment env;
  env.result = FromResultJson(*json);
  env.now = *ParseRfc3339("2026-11-02T10:00:00Z");
  auto value = Evaluate(compiled.program, env);
  return value ? value->ToText() : "error: " + value.error().message;
}

void Check(std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    INFO(row.condition << "   on " << row.result);
    CHECK(Eval(row) == row.want);
  }
}

}  // namespace

TEST_CASE("expr: literals", "[expr]") {
  Check({{"42", "42"},
         {"0x2A", "42"},
         {"0o52", "42"},
         {"0b101010", "42"},
         {"1_000", "1000"},
         {".5", "0.5"},
         {"1e-3", "0.001"},
         {"1.5e3", "1500"},
         {"\"a\\n\\x41\\u00e9\"", "a\nA\xC3\xA9"},
         {"'it\\'s'", "it's"},
         {"`a\\n`", "a\\n"},
         {"[1, 2.5, \"x\",]", "[1,2.5,\"x\"]"},
         {"{a: 1, \"b\": 2, 3: 4, (\"c\" + \"d\"): 5}", "{\"a\":1,\"b\":2,\"3\":4,\"cd\":5}"},
         {"nil", "null"},
         {"true /* yes */ // and more", "true"},
         {"9223372036854775807", "9223372036854775807"}});
}

TEST_CASE("expr: precedence and operators", "[expr]") {
  Check({{"1 + 2 * 3", "7"},
         {"(1 + 2) * 3", "9"},
         {"2 ** 3 ** 2", "512"},
         {"2 ^ 3", "8"},
         {"-2 ** 2", "-4"},
         {"-2 * -3", "6"},
         {"7 / 2", "3.5"},
         {"4 / 2", "2"},
         {"type(4 / 2)", "float"},
         {"1 / 0", "+Inf"},
         {"7 % 3", "1"},
         {"-7 % 3", "-1"},
         {"7 % 0", "error: integer divide by zero"},
         {"7.0 % 2", "error: 1:5: invalid operation: % (mismatched types float64 and int)"},
         {"1 + 2 == 3 && 2 > 1", "true"},
         {"true || false && false", "true"},
         {"not true == false", "true"},
         {"!true == false", "true"},
         {"not (1 in [1, 2])", "false"},
         {"3 not in [1, 2]", "true"},
         {"\"abc\" not contains \"b\"", "false"},
         {"1..3", "[1,2,3]"},
         {"3..1", "[]"},
         {"1..2+1", "[1,2,3]"},
         {"2 in 1..3", "true"},
         {"nil ?? 1 ?? 2", "1"},
         {"1 == 1.0", "true"},
         {"[1, 2] == [1.0, 2.0]", "true"},
         {"{a: 1} == {\"a\": 1.0}", "true"},
         {"\"a\" < \"b\"", "true"},
         {"\"a\" + \"b\"", "ab"},
         {"true ? 1 : 2", "1"},
         {"false ? 1 : true ? 2 : 3", "2"},
         {"5 ?: 2", "error: 1:3: non-bool expression (type int) used as condition"},
         {"\"abc\" matches \"^a.c$\"", "true"},
         {"\"abc\" startsWith \"ab\" and \"abc\" endsWith \"bc\"", "true"},
         {"false and (1 / 0 > 2)", "false"},
         {"let x = 2; let y = x * 3; x + y", "8"},
         {"[1, 2, 3] | filter(# > 1) | len()", "2"},
         {"\"a,b\" | split(\",\") | last()", "b"},
         {"true or result[0] > 1", "true", "[]"},
         {"a.b", "error: 1:1: unknown name \"a\""},
         {"1 ?? 2 + 3",
          "error: 1:8: operator \"+\" and ?? cannot be mixed: put parentheses around one"},
         {"1 < 2 < 3", "error: 1:7: invalid operation: < (mismatched types bool and int)"}});
}

TEST_CASE("expr: members, indexes, slices", "[expr]") {
  const char* web = R"({"data":{"ok":true,"items":[{"n":1},{"n":2}],"name":"x"},"none":null})";
  Check({{"result.data.ok", "true", web},
         {"result[\"data\"][\"name\"]", "x", web},
         {"result.data.items[-1].n", "2", web},
         {"result.missing", "null", web},
         {"result.missing.deeper", "error: cannot fetch deeper from nil", web},
         {"result.missing?.deeper.still", "null", web},
         {"result?.none?.x ?? \"d\"", "d", web},
         {"result.missing?.[0]", "null", web},
         {"\"data\" in result", "true", web},
         {"result.data.items[0:1]", "[{\"n\":1}]", web},
         {"map(result.data.items, .n)", "[1,2]", web},
         {"all(result.data.items, {.n > 0})", "true", web},
         {"sum(map(result.data.items, #.n))", "3", web},
         {"$env.result.data.ok", "true", web},
         {"result[1:]", "[2,3]", "[1,2,3]"},
         {"result[:-1]", "[1,2]", "[1,2,3]"},
         {"result[-2:]", "[2,3]", "[1,2,3]"},
         {"result[:]", "[1,2,3]", "[1,2,3]"},
         {"result[2:1]", "[]", "[1,2,3]"},
         {"result[0:99]", "[1,2,3]", "[1,2,3]"},
         {"\"hello\"[1:3]", "el"},
         {"result[-1]", "3", "[1,2,3]"},
         {"result[3]", "error: index out of range: 3 (array length is 3)", "[1,2,3]"},
         {"result[-4]", "error: index out of range: -4 (array length is 3)", "[1,2,3]"},
         {"result[1.0]",
          "error: array elements can only be selected using an integer (got float64)", "[1,2,3]"},
         {"result[0]", "error: metric result is nil or empty", "[]"},
         {"result[0] > 0.5", "error: metric result is nil or empty", "[]"},
         {"len(result) == 0 || result[0] > 0.5", "true", "[]"},
         {"result > 1", "error: metric result is nil or empty", "null"},
         {"result[0]", "error: type float64[int] is undefined", "1"}});
}

TEST_CASE("expr: closures", "[expr]") {
  const char* list = "[1,2,3,4]";
  Check({{"all(result, # > 0)", "true", list},
         {"all(result, {# > 1})", "false", list},
         {"all([], # > 1)", "true"},
         {"none(result, # > 4)", "true", list},
         {"any(result, # == 3)", "true", list},
         {"one(result, # == 3)", "true", list},
         {"one(result, # > 2)", "false", list},
         {"filter(result, # > 2)", "[3,4]", list},
         {"map(result, # * 2)", "[2,4,6,8]", list},
         {"map(result, #index)", "[0,1,2,3]", list},
         {"find(result, # > 2)", "3", list},
         {"find(result, # > 9)", "null", list},
         {"findIndex(result, # > 2)", "2", list},
         {"findLast(result, # < 3)", "2", list},
         {"findLastIndex(result, # < 3)", "1", list},
         {"count(result, # > 1)", "3", list},
         {"count([true, false, true])", "2"},
         {"sum(result)", "10", list},
         {"sum(result, # * 2)", "20", list},
         {"sum([])", "0"},
         {"groupBy([1, 2, 3], # % 2)", "{\"1\":[1,3],\"0\":[2]}"},
         {"sortBy([{n: 2}, {n: 1}], .n)", "[{\"n\":1},{\"n\":2}]"},
         {"sortBy([{n: 1}, {n: 2}], \"n\", \"desc\")", "[{\"n\":2},{\"n\":1}]"},
         {"reduce(1..4, #acc + #)", "10"},
         {"reduce(1..4, #acc * #, 2)", "48"},
         {"reduce([], #acc + #)", "error: reduce of an empty array with no initial value"},
         {"all(result, any([10, 20], # > 15) and # > 0)", "true", list},
         {"all(result, #)", "error: predicate should return boolean (got float64)", list},
         {"all(result, # > \"x\")",
          "error: invalid operation: > (mismatched types float64 and string)", list},
         {"all(result, # > 1)", "error: builtin all takes only array (got float64)", "1"},
         {"# > 1",
          "error: 1:1: \"#\" stands for an element and is only known inside a function like "
          "all(list, ...)"},
         {"all(result)", "error: 1:1: not enough arguments to call all (needs 2, got 1)", list}});
}

TEST_CASE("expr: functions", "[expr]") {
  Check(
      {{"len(\"h\xC3\xA9llo\")", "5"},
       {"len({a: 1})", "1"},
       {"abs(-5)", "5"},
       {"abs(-5.5)", "5.5"},
       {"ceil(1.2)", "2"},
       {"floor(-1.2)", "-2"},
       {"round(1.5)", "2"},
       {"round(-1.5)", "-2"},
       {"min(3, 1.5, 2)", "1.5"},
       {"max([1, 9, 3])", "9"},
       {"max([1], 5, [7, 2])", "7"},
       {"mean([1, 2, 3])", "2"},
       {"median([3, 1, 2, 10])", "2.5"},
       {"int(3.9)", "3"},
       {"int(\"12\")", "12"},
       {"float(\"1.5\")", "1.5"},
       {"string(1.0)", "1"},
       {"trim(\"  a \")", "a"},
       {"trim(\"__a_\", \"_\")", "a"},
       {"trimPrefix(\"abc\", \"a\") + trimSuffix(\"abc\", \"c\")", "bcab"},
       {"upper(\"aB\") + lower(\"aB\")", "ABab"},
       {"split(\"a,b,c\", \",\")", "[\"a\",\"b\",\"c\"]"},
       {"split(\"a,b,c\", \",\", 2)", "[\"a\",\"b,c\"]"},
       {"replace(\"aaa\", \"a\", \"b\")", "bbb"},
       {"replace(\"aaa\", \"a\", \"b\", 1)", "baa"},
       {"repeat(\"ab\", 3)", "ababab"},
       {"join([\"a\", \"b\"], \"-\")", "a-b"},
       {"indexOf(\"apple pie\", \"pie\")", "6"},
       {"indexOf(\"a\", \"z\")", "-1"},
       {"lastIndexOf(\"aba\", \"a\")", "2"},
       {"hasPrefix(\"ab\", \"a\") and hasSuffix(\"ab\", \"b\")", "true"},
       {"first([1, 2])", "1"},
       {"last([])", "null"},
       {"get([1, 2], 5)", "null"},
       {"get({a: 1}, \"a\")", "1"},
       {"take([1, 2, 3], 2)", "[1,2]"},
       {"keys({a: 1, b: 2})", "[\"a\",\"b\"]"},
       {"values({a: 1, b: 2})", "[1,2]"},
       {"reverse([1, 2])", "[2,1]"},
       {"uniq([1, 2, 1.0, 2])", "[1,2]"},
       {"concat([1], [2, 3])", "[1,2,3]"},
       {"flatten([1, [2, [3]]])", "[1,2,3]"},
       {"sort([3, 1, 2])", "[1,2,3]"},
       {"sort([3, 1, 2], \"desc\")", "[3,2,1]"},
       {"type(nil) + type(1) + type(1.0) + type([]) + type({}) + type(true)",
        "nilintfloatarraymapbool"},
       {"fromJSON(\"{\\\"a\\\": [1]}\").a[0]", "1"},
       {"fromJSON(toJSON({a: [1, \"x\"]})) == {a: [1, \"x\"]}", "true"},
       {"now().Year()", "2026"},
       {"now() - duration(\"1h\") < now()", "true"},
       {"(now() - date(\"2026-11-02\")).Hours()", "10"},
       {"duration(\"1h30m\").Minutes()", "90"},
       {"date(\"2026-11-02 10:00:00\") == now()", "true"},
       {"date(\"02 Nov 26 10:00 UTC\") == now()", "true"},
       {"date(\"Monday, 02-Nov-26 10:00:00 UTC\") == now()", "true"},
       {"date(\"Mon, 02 Nov 2026 10:00:00 GMT\") == now()", "true"},
       {"date(\"2026-11-02T11:00:00.5+01:00\").UnixMilli() - now().UnixMilli()", "500"},
       {"date(\"15:04:05\").Hour()", "15"},
       {"date(\"02.11.2026 10:00\", \"02.01.2006 15:04\") == now()", "true"},
       {"date(\"2.11.26 11:00\", \"2.1.06 15:04\", \"+01:00\") == now()", "true"},
       {"date(\"Nov 2\", \"2006\")", "error: the date \"Nov 2\" does not fit the layout \"2006\""},
       {"date(\"2026-02-30\", \"2006-01-02\")",
        "error: the date \"2026-02-30\" does not fit the layout \"2006-01-02\""},
       {"date(\"2026-11-02\", \"2006-01-02\", \"Mars/Olympus\")",
        "error: unknown time zone \"Mars/Olympus\" (write UTC or an offset like +01:00)"},
       {"date(\"yesterday\")", "error: invalid date \"yesterday\" (write 2026-11-02T10:00:00Z)"},
       {"date(\"Nov  2 10:00AM 2026\", \"Jan _2 3:04PM 2006\") == now()", "true"},
       {"date(\"12:30 am\", \"3:04 pm\").Hour()", "0"},
       {"date(\"12:30\", \"3:04\").Hour()", "12"},
       {"date(\"20261102100000-0000\", \"20060102150405-0700\") == now()", "true"},
       {"date(\"26 10:00:00.25\", \"06 15:04:05.00\").UnixMilli() % 1000", "250"},
       {"now() - date(\"1013-01-01\") > duration(\"4m\")", "true"},
       {"duration(\"2500000h\") + duration(\"2500000h\") < duration(\"1s\")", "true"},
       {"(date(\"9999-01-01\") - now()).Hours() > 1", "true"},
       {"duration(\"1x\")", "error: invalid duration \"1x\""},
       {"len(1)", "error: 1:1: invalid argument for len (type int)"},
       {"upper(1)", "error: invalid argument for upper (type int)"},
       {"lenn(result)", "error: 1:1: unknown function \"lenn\" (did you mean \"len\"?)"}});
}

TEST_CASE("expr: functions of Argo", "[expr]") {
  Check({{"isNaN(result)", "true", "\"NaN\""},
         {"isInf(result)", "true", "\"-Inf\""},
         {"isNaN(result[1]) and isInf(result[0])", "true", "[\"+Inf\",\"NaN\"]"},
         {"isNaN(\"x\")", "error: 1:1: cannot use string as argument (type float64) to call isNaN"},
         {"asInt(1.9)", "1"},
         {"asInt(\"12\")", "12"},
         {"asInt(\"1.1\")", "error: parsing \"1.1\" as an integer: invalid syntax"},
         {"asFloat(\"1.5\")", "1.5"},
         {"asFloat(2) / 4", "0.5"},
         {"asInt(result[0]) % 2", "1", "[7.5]"},
         {"isNil(result)", "true", "null"},
         {"isNil(result)", "false", "[]"},
         {"isNil(nil)", "false", "1"},
         {"default(result, 0) == 0", "true", "null"},
         {"default(result[0], 3)", "error: metric result is nil or empty", "[]"},
         {"default(1, 2)", "7", "7"},
         {"result >= 0.95", "false", "\"NaN\""},
         {"result == result", "false", "\"NaN\""},
         {"result >= 0.95", "true", "\"+Inf\""}});
}

TEST_CASE("expr: types come from the result", "[expr]") {
  Check(
      {{"true || result > \"x\"",
        "error: invalid operation: > (mismatched types float64 and string)", "1"},
       {"result == \"x\"", "error: invalid operation: == (mismatched types float64 and string)",
        "1"},
       {"result[0] == \"x\"", "error: invalid operation: == (mismatched types float64 and string)",
        "[1]"},
       {"result == 1", "error: invalid operation: == (mismatched types string and int)", "\"abc\""},
       {"result.a == 1", "false", R"({"a":"x"})"},
       {"result.a > 1", "error: invalid operation: > (mismatched types string and int)",
        R"({"a":"x"})"},
       {"result > 0.5", "error: invalid operation: > (mismatched types []float64 and float64)",
        "[1]"},
       {"result.x", "error: type float64 has no field x", "1"},
       {"!result", "error: invalid operation: ! (mismatched type float64)", "1"},
       {"result && true", "error: invalid operation: && (mismatched types float64 and bool)", "1"},
       {"len(result)", "error: invalid argument for len (type float64)", "1"}});
  Environment env;
  env.result = Value(7.0);
  CHECK(EvaluateCondition(Compile("1 + 1").program, env).error().message ==
        "expected bool, but got int");
  CHECK(EvaluateCondition(Compile("result").program, env).error().message ==
        "expected bool, but got float64");
  CHECK(EvaluateCondition(Compile("nil").program, env).error().message ==
        "expected bool, but got nil");
  env.result = FromJson(*ParseJson(R"([1,"a"])"));
  env.untyped = true;
  CHECK(Evaluate(Compile("result[0] == \"x\"").program, env)->AsBool() == false);
}

TEST_CASE("expr: syntax errors say where and what", "[expr]") {
  Check({{"", "error: 1:1: unexpected end of the condition"},
         {"1 +", "error: 1:4: unexpected end of the condition"},
         {"(1", "error: 1:3: unexpected end of the condition: \")\" is missing"},
         {"result = 1", "error: 1:8: unexpected \"=\" (did you mean \"==\"?)"},
         {"1 & 2", "error: 1:3: unexpected \"&\" (did you mean \"&&\"?)"},
         {"1 2", "error: 1:3: unexpected \"2\""},
         {"\"a", "error: 1:1: the string is never closed (\"\\\"\" is missing)"},
         {"12ab", "error: 1:1: bad number \"12ab\""},
         {"reslt > 1", "error: 1:1: unknown name \"reslt\" (did you mean \"result\"?)"},
         {"result[0] >\n  reslt", "error: 2:3: unknown name \"reslt\" (did you mean \"result\"?)"},
         {"\"a\" matches \"(\"", "error: 1:13: bad regular expression: missing ): ("},
         {"len", "error: 1:1: unknown name \"len\" (it is a function: write len(...))"},
         {"result.", "error: 1:8: unexpected end of the condition"},
         {"{a b}", "error: 1:4: unexpected \"b\""},
         {"99999999999999999999", "error: 1:1: bad number \"99999999999999999999\""},
         {"let result = 1; result", "error: 1:5: cannot redeclare \"result\""}});
  auto compiled = Compile("a + b + lenn(c)");
  CHECK(compiled.problems.size() == 4);
}

TEST_CASE("expr: bounds", "[expr]") {
  auto repeat = [](std::string_view piece, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += piece;
    return out;
  };
  auto message = [](const std::string& text) { return Eval({text.c_str(), ""}); };
  CHECK(message(repeat("(", 99) + "1" + repeat(")", 99)) == "1");
  CHECK(message(repeat("(", 101) + "1" + repeat(")", 101)) ==
        "error: 1:101: the condition is nested too deeply: more than 100 levels");
  CHECK(message(repeat("!", 100'000) + "true").find("nested too deeply") != std::string::npos);
  CHECK(message(repeat("[", 100'000)).find("nested too deeply") != std::string::npos);
  CHECK(message("true" + repeat("?1:true", 50'000)).find("nested too deeply") != std::string::npos);
  CHECK(message("1" + repeat("+1", 4'999)) == "5000");
  CHECK(message("1" + repeat("+1", 5'001)) ==
        "error: 1:10000: the condition is too long: more than 10,000 nodes");
  CHECK(message("len(1..1000001)").find("memory budget exceeded") != std::string::npos);
  CHECK(message("1..9223372036854775807").find("memory budget exceeded") != std::string::npos);
  CHECK(message("len(reduce(1..100, #acc + #acc, \"xxxxxxxxxxxxxxxx\"))")
            .find("memory budget exceeded") != std::string::npos);
  CHECK(message("repeat(\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\", 999999)")
            .find("memory budget exceeded") != std::string::npos);
  CHECK(message("let a = 1..999; all(a, all(a, all(a, # > 0)))").find("takes too long") !=
        std::string::npos);
}

TEST_CASE("expr: shown values", "[expr]") {
  CHECK(FormatSample(10) == "10");
  CHECK(FormatSample(1e30) == "1000000000000000019884624838656");
  CHECK(FormatSample(0.1) == "0.1");
  CHECK(FormatSample(-HUGE_VAL) == "-Inf");
  CHECK(Value::Floats({10, 11, std::nan("")}).ToText() == "[10,11,NaN]");
  CHECK(Value::Floats({}).ToText() == "[]");
}

}  // namespace rollguard::expr
