// SPDX-License-Identifier: Apache-2.0
// Server-side apply: who owns which field.
#include "tests/conformance/api.h"
#include "tests/support/catch.h"

namespace rollguard::conformance {
namespace {

TEST_CASE("apply creates what is not there") {
  const Space space;
  const Expected<Json> made = space.Apply(ConfigMaps(), ConfigMap("a", "1"), "one");
  REQUIRE(Outcome(made) == "ok");
  CHECK(space.MustGet(ConfigMaps(), "a").At("data", "key").Str() == "1");
}

TEST_CASE("apply records its manager and its fields") {
  const Space space;
  REQUIRE(Outcome(space.Apply(ConfigMaps(), ConfigMap("a", "1"), "one")) == "ok");
  const Json managed = space.MustGet(ConfigMaps(), "a").At("metadata", "managedFields");
  REQUIRE(managed.size() == 1);
  CHECK(managed.At(0).At("manager").Str() == "one");
  CHECK(managed.At(0).At("operation").Str() == "Apply");
  CHECK(managed.At(0).At("apiVersion").Str() == "v1");
  CHECK(managed.At(0).At("fieldsType").Str() == "FieldsV1");
  CHECK(managed.At(0).At("fieldsV1", "f:data", "f:key").is_object());
}

TEST_CASE("apply of another's field is a conflict that names the other") {
  const Space space;
  REQUIRE(Outcome(space.Apply(ConfigMaps(), ConfigMap("a", "1"), "one")) == "ok");
  const Expected<Json> got = space.Apply(ConfigMaps(), ConfigMap("a", "2"), "two");
  REQUIRE(Outcome(got) == "conflict");
  CHECK(got.error().message.find("one") != std::string::npos);
  CHECK(space.MustGet(ConfigMaps(), "a").At("data", "key").Str() == "1");
}

TEST_CASE("a forced apply takes the field over") {
  const Space space;
  REQUIRE(Outcome(space.Apply(ConfigMaps(), ConfigMap("a", "1"), "one")) == "ok");
  REQUIRE(Outcome(space.Apply(ConfigMaps(), ConfigMap("a", "2"), "two", true)) == "ok");
  CHECK(space.MustGet(ConfigMaps(), "a").At("data", "key").Str() == "2");
  CHECK(Outcome(space.Apply(ConfigMaps(), ConfigMap("a", "3"), "one")) == "conflict");
}

TEST_CASE("two managers may own the same value") {
  const Space space;
  REQUIRE(Outcome(space.Apply(ConfigMaps(), ConfigMap("a", "1"), "one")) == "ok");
  REQUIRE(Outcome(space.Apply(ConfigMaps(), ConfigMap("a", "1"), "two")) == "ok");
  CHECK(Outcome(space.Apply(ConfigMaps(), ConfigMap("a", "2"), "one")) == "conflict");
}

TEST_CASE("a field that is no longer applied is removed") {
  const Space space;
  Json body = ConfigMap("a", "1");
  body["data"]["second"] = "2";
  REQUIRE(Outcome(space.Apply(ConfigMaps(), body, "one")) == "ok");
  REQUIRE(Outcome(space.Apply(ConfigMaps(), ConfigMap("a", "1"), "one")) == "ok");
  CHECK(space.MustGet(ConfigMaps(), "a").At("data") == J("{'key': '1'}"));
}

TEST_CASE("a field that another owns too stays when one lets it go") {
  const Space space;
  Json body = ConfigMap("a", "1");
  body["data"]["second"] = "2";
  REQUIRE(Outcome(space.Apply(ConfigMaps(), body, "one")) == "ok");
  REQUIRE(Outcome(space.Apply(ConfigMaps(), body, "two")) == "ok");
  REQUIRE(Outcome(space.Apply(ConfigMaps(), ConfigMap("a", "1"), "one")) == "ok");
  CHECK(space.MustGet(ConfigMaps(), "a").At("data", "second").Str() == "2");
}

TEST_CASE("what others wrote stays beside what is applied") {
  const Space space;
  REQUIRE(Outcome(space.Apply(ConfigMaps(), ConfigMap("a", "1"), "one")) == "ok");
  space.MustPatch(ConfigMaps(), "a", PatchKind::kMerge, J("{'data': {'foreign': 'x'}}"));
  REQUIRE(Outcome(space.Apply(ConfigMaps(), ConfigMap("a", "2"), "one")) == "ok");
  CHECK(space.MustGet(ConfigMaps(), "a").At("data") == J("{'key': '2', 'foreign': 'x'}"));
}

TEST_CASE("a plain patch takes an applied field over, and the applier then conflicts") {
  const Space space;
  REQUIRE(Outcome(space.Apply(ConfigMaps(), ConfigMap("a", "1"), "one")) == "ok");
  space.MustPatch(ConfigMaps(), "a", PatchKind::kMerge, J("{'data': {'key': 'edited'}}"));
  CHECK(Outcome(space.Apply(ConfigMaps(), ConfigMap("a", "1"), "one")) == "conflict");
}

TEST_CASE("apply merges containers by name") {
  const Space space;
  REQUIRE(Outcome(space.Apply(Deployments(), Deployment("shop", "shop:v1", 0), "one")) == "ok");
  const Json side = J(R"({'metadata': {'name': 'shop'}, 'spec': {'template': {'spec': {
    'containers': [{'name': 'side', 'image': 'side:v1'}]}}}})");
  REQUIRE(Outcome(space.Apply(Deployments(), side, "two")) == "ok");
  CHECK(space.MustGet(Deployments(), "shop").At("spec", "template", "spec", "containers").size() ==
        2);
  Json updated = Deployment("shop", "shop:v2", 0);
  REQUIRE(Outcome(space.Apply(Deployments(), updated, "one")) == "ok");
  const Json containers =
      space.MustGet(Deployments(), "shop").At("spec", "template", "spec", "containers");
  REQUIRE(containers.size() == 2);
  CHECK(containers.At(0).At("image").Str() == "shop:v2");
}

TEST_CASE("applying the same again changes nothing") {
  const Space space;
  const Expected<Json> first = space.Apply(Deployments(), Deployment("shop", "shop:v1", 0), "one");
  REQUIRE(first.ok());
  const Expected<Json> again = space.Apply(Deployments(), Deployment("shop", "shop:v1", 0), "one");
  REQUIRE(again.ok());
  CHECK(again.value().At("metadata", "generation").IntOr(0) == 1);
}

TEST_CASE("an apply that says who manages fields is refused") {
  const Space space;
  REQUIRE(Outcome(space.Apply(ConfigMaps(), ConfigMap("a"), "one")) == "ok");
  Json body = ConfigMap("a");
  body["metadata"]["managedFields"] =
      J("[{'manager': 'x', 'operation': 'Apply', 'apiVersion': 'v1', 'fieldsType': 'FieldsV1', "
        "'fieldsV1': {}}]");
  CHECK(Outcome(space.Apply(ConfigMaps(), body, "one")) == "invalid");
}

TEST_CASE("an apply with an old version is a conflict") {
  const Space space;
  const Expected<Json> first = space.Apply(ConfigMaps(), ConfigMap("a", "1"), "one");
  REQUIRE(first.ok());
  REQUIRE(Outcome(space.Apply(ConfigMaps(), ConfigMap("a", "2"), "one")) == "ok");
  Json late = ConfigMap("a", "3");
  late["metadata"]["resourceVersion"] = VersionOf(first.value());
  CHECK(Outcome(space.Apply(ConfigMaps(), late, "one")) == "conflict");
}

}  // namespace
}  // namespace rollguard::conformance
