// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode.h"

#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::kube {
namespace {

Expected<Json> Decode(std::string text, Shape shape = Shape::kObject, Projection drop = {{}}) {
  JsonDecoder decoder;
  JsonDecoder::Pad(text);
  ProjectionTree tree(drop);
  return decoder.Decode(text, shape, &tree);
}

TEST_CASE("every kind of value is read as ParseJson reads it") {
  for (const char* text :
       {R"({"a":1,"b":-2.5,"c":"x\n\u00e4\"","d":[],"e":{},"f":[1,[2,{"g":null}]],"h":true})",
        R"({"big":9223372036854775807,"huge":18446744073709551615,"tiny":1e-300,"z":-0.0})",
        "6611111111111111111111111.11116", "[6611111111111111111111111.11116 ]",
        "{\"a\":-0.12345678901234567890123456789e-3}", R"([1,"a",false,null])", R"("text")", "12",
        "-1.5", "true", "false", "null", "[]", "{}", " { \"a\" : [ ] } "}) {
    INFO(text);
    Expected<Json> got = Decode(text);
    REQUIRE(got.ok());
    CHECK(*got == *ParseJson(text));
    CHECK(got->Dump() == ParseJson(text)->Dump());
  }
}

TEST_CASE("what is not one JSON value is refused") {
  struct Row {
    const char* text;
    const char* says;
  };
  std::string deep(200, '[');
  deep += std::string(200, ']');
  std::string many = "{";
  for (int i = 0; i < 40; ++i) many += StrCat("\"k", i, "\":1,");
  many += "\"k7\":2}";
  for (const Row& row : std::vector<Row>{{"", ""},
                                         {"{", ""},
                                         {"{\"a\":}", ""},
                                         {"{\"a\":1}x", ""},
                                         {"{} {}", "more text"},
                                         {"[1,2", ""},
                                         {"nul", ""},
                                         {"nullx", ""},
                                         {"{\"a\":tru}", ""},
                                         {"{\"a\":01}", ""},
                                         {"{\"a\":\"\xff\"}", ""},
                                         {"{\"a\":1,\"a\":2}", "same key twice"},
                                         {many.c_str(), "same key twice"},
                                         {deep.c_str(), "nested too deeply"},
                                         {"<html></html>", ""}}) {
    INFO(row.text);
    Expected<Json> got = Decode(row.text);
    REQUIRE_FALSE(got.ok());
    CHECK(got.error().message.starts_with("not valid JSON: "));
    CHECK(got.error().message.find(row.says) != std::string::npos);
  }
}

TEST_CASE("a text cut anywhere is refused, never read past its end") {
  std::string whole =
      R"({"kind":"Pod","metadata":{"name":"a","labels":{"x":"yy"}},"n":[1,2.5e3,true]})";
  for (size_t length = 0; length < whole.size(); ++length) {
    CHECK_FALSE(Decode(whole.substr(0, length)).ok());
  }
  CHECK(Decode(whole).ok());
}

TEST_CASE("the projection leaves paths out, in objects, lists and watch events") {
  Projection drop{{"metadata.managedFields", "spec.containers.env",
                   "metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]"}};
  std::string object =
      R"({"metadata":{"name":"a","managedFields":[{"x":{"y":1}}],)"
      R"("annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}","keep":"1"}},)"
      R"("spec":{"containers":[{"name":"c","env":[1]},{"env":[]}],"env":"stays"}})";
  std::string want = R"({"metadata":{"name":"a","annotations":{"keep":"1"}},)"
                     R"("spec":{"containers":[{"name":"c"},{}],"env":"stays"}})";
  CHECK(Decode(object, Shape::kObject, drop)->Dump() == want);
  CHECK(Decode(StrCat(R"({"metadata":{"managedFields":1},"items":[)", object, ",", object, "]}"),
               Shape::kList, drop)
            ->Dump() ==
        StrCat(R"({"metadata":{"managedFields":1},"items":[)", want, ",", want, "]}"));
  CHECK(Decode(StrCat(R"({"object":)", object, R"(,"type":"ADDED"})"), Shape::kWatchEvent, drop)
            ->Dump() == StrCat(R"({"object":)", want, R"(,"type":"ADDED"})"));
  Json in_memory = *ParseJson(object);
  ApplyProjection(in_memory, ProjectionTree(drop));
  CHECK(in_memory.Dump() == want);
}

}  // namespace
}  // namespace rollguard::kube
