// SPDX-License-Identifier: Apache-2.0
#include "agent/base/json.h"

#include <cmath>

#include "agent/base/json_patch.h"
#include "tests/support/catch.h"

namespace rollguard {

TEST_CASE("JSON: what is read is what is printed", "[base][json]") {
  for (const char* text :
       {"null", "true", "0", "-12", "1.5", "\"a\\nb\"", "[]", "{}", "[1,[2,{\"a\":null}]]",
        "{\"b\":1,\"a\":[true,false]}", "9007199254740993"}) {
    INFO(text);
    auto value = ParseJson(text);
    REQUIRE(value.ok());
    CHECK(value->Dump() == text);
  }
  CHECK(ParseJson("\"\\u00e9\\ud83d\\ude00\"")->Str() == "\xC3\xA9\xF0\x9F\x98\x80");
  CHECK(ParseJson("{\"b\":1,\"a\":2}")->Canonical() == "{\"a\":2,\"b\":1}");
  CHECK(ParseJson("[-0.0, -0, 0]")->Canonical() == "[0,0,0]");  // equal, so of one text
}

TEST_CASE("JSON: what is not JSON is refused with its place", "[base][json]") {
  for (const char* text :
       {"",      "{",        "[1,]",     "{\"a\":1,}",  "01",    "1.",
        "nul",   "\"a",      "\"\\x\"",  "\"\\ud800\"", "1 2",   "{\"a\":1,\"a\":2}",
        "{a:1}", "\"\x01\"", "\"\xff\"", "'a'",         "[1 2]", "+1",
        ".5",    "1e",       "1e309",    "-9e99999"}) {
    INFO(text);
    CHECK_FALSE(ParseJson(text).ok());
  }
  CHECK(ParseJson("{\n  \"a\" 1}").error().message == "invalid JSON at 2:7: expected ':'");
  CHECK_FALSE(ParseJson(std::string(100'000, '[')).ok());
  const size_t most = JsonLimits{}.max_depth;
  const auto inside = [](size_t levels) {  // a value that so many lists are around
    return std::string(levels, '[') + "1" + std::string(levels, ']');
  };
  CHECK(ParseJson(inside(most)).ok());
  CHECK_FALSE(ParseJson(inside(most + 1)).ok());
  CHECK(ParseJson(std::string(100, 'x'), {.max_depth = 4, .max_bytes = 10}).error().code ==
        ErrorCode::kTooLarge);
}

TEST_CASE("JSON: numbers that JSON has no words for", "[base][json]") {
  CHECK(Json(std::nan("")).Dump() == "\"NaN\"");
  CHECK(Json(HUGE_VAL).Dump() == "\"+Inf\"");
  CHECK(Json(1) == Json(1.0));
  CHECK(Json("\xff").Dump() == "\"\xEF\xBF\xBD\"");
}

TEST_CASE("merge patches", "[base][json]") {
  Json target = *ParseJson(R"({"a":{"b":1,"c":2},"d":[1,2]})");
  Json goal = *ParseJson(R"({"a":{"b":1,"e":3},"d":[2]})");
  Json patch = MakeMergePatch(target, goal);
  CHECK(patch.Dump() == R"({"a":{"c":null,"e":3},"d":[2]})");
  ApplyMergePatch(target, patch);
  CHECK(target == goal);
  CHECK(MakeMergePatch(goal, goal).Dump() == "{}");
}

TEST_CASE("JSON patches are all or nothing", "[base][json]") {
  Json target = *ParseJson(R"({"a":[1,2,3],"x/y":{"~":1}})");
  CHECK(
      ApplyJsonPatch(
          target, *ParseJson(R"([{"op":"add","path":"/a/1","value":9},{"op":"remove","path":"/a/0"},
      {"op":"test","path":"/x~1y/~0","value":1},{"op":"move","from":"/a/0","path":"/b"},
      {"op":"add","path":"/a/-","value":4},{"op":"copy","from":"/b","path":"/c"}])"))
          .ok());
  CHECK(target.Canonical() == R"({"a":[2,3,4],"b":9,"c":9,"x/y":{"~":1}})");
  Json before = target;
  CHECK_FALSE(
      ApplyJsonPatch(
          target,
          *ParseJson(R"([{"op":"remove","path":"/b"},{"op":"test","path":"/a/0","value":7}])"))
          .ok());
  CHECK(target == before);
}

TEST_CASE("JSON: a value of another type is made what is written into it") {
  for (const char* text : {"null", "true", "7", "1.5", "\"a\"", "[1]", "{\"b\":1}"}) {
    CAPTURE(text);
    const Json value = *ParseJson(text);
    Json object = value, array = value;
    object.Set("a", 1);
    CHECK(object.At("a").IntOr(0) == 1);
    CHECK(object.size() == (value.is_object() ? 2U : 1U));
    array.Push(2);
    CHECK(array.size() == (value.is_array() ? 2U : 1U));
  }
}

}  // namespace rollguard
