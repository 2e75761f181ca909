// SPDX-License-Identifier: Apache-2.0
// The four kinds of patch, and the scale subresource.
#include "agent/base/text.h"
#include "tests/conformance/api.h"
#include "tests/support/catch.h"

namespace rollguard::conformance {
namespace {

const Json& Pod(const Json& deployment) { return deployment.At("spec", "template", "spec"); }

Json TwoContainers() {
  Json body = Deployment("shop", "shop:v1", 0);
  body["spec"]["template"]["spec"]["containers"] = J(R"([
    {'name': 'main', 'image': 'shop:v1', 'env': [{'name': 'A', 'value': '1'}, {'name': 'B', 'value': '2'}],
     'ports': [{'containerPort': 80, 'protocol': 'TCP'}]},
    {'name': 'side', 'image': 'side:v1'}])");
  return body;
}

TEST_CASE("a merge patch sets, removes with null, and replaces lists") {
  const Space space;
  Json body = ConfigMap("a", "1");
  body["data"]["gone"] = "x";
  body["metadata"]["finalizers"] = Json::Arr({"rollguard.test/one", "rollguard.test/two"});
  space.MustCreate(ConfigMaps(), body);
  const Json got = space.MustPatch(ConfigMaps(), "a", PatchKind::kMerge, J(R"({
    'metadata': {'finalizers': ['rollguard.test/three']},
    'data': {'key': '2', 'gone': null, 'new': 'y'}})"));
  CHECK(got.At("data") == J("{'key': '2', 'new': 'y'}"));
  CHECK(got.At("metadata", "finalizers") == J("['rollguard.test/three']"));
  space.MustPatch(ConfigMaps(), "a", PatchKind::kMerge, J("{'metadata': {'finalizers': null}}"));
}

TEST_CASE("a patch that names an old version is a conflict") {
  const Space space;
  const std::string old = VersionOf(space.MustCreate(ConfigMaps(), ConfigMap("a")));
  space.MustPatch(ConfigMaps(), "a", PatchKind::kMerge, J("{'data': {'key': '2'}}"));
  const Json late =
      J(StrCat("{'metadata': {'resourceVersion': '", old, "'}, 'data': {'key': '3'}}"));
  CHECK(Outcome(space.Patch(ConfigMaps(), "a", PatchKind::kMerge, late)) == "conflict");
}

TEST_CASE("a patch of an absent object is not found") {
  const Space space;
  for (const PatchKind kind : {PatchKind::kMerge, PatchKind::kStrategic}) {
    CHECK(Outcome(space.Patch(ConfigMaps(), "a", kind, J("{'data': {'k': 'v'}}"))) == "not found");
  }
}

TEST_CASE("a patch that makes the object invalid is refused") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop", "shop:v1", 0));
  CHECK(Outcome(space.Patch(Deployments(), "shop", PatchKind::kMerge,
                            J("{'spec': {'replicas': -2}}"))) == "invalid");
  CHECK(Outcome(space.Patch(Deployments(), "shop", PatchKind::kMerge,
                            J("{'spec': {'replicas': 'many'}}"))) == "invalid");
}

TEST_CASE("a JSON patch adds, replaces, removes, moves and tests") {
  const Space space;
  space.MustCreate(ConfigMaps(), ConfigMap("a", "1"));
  const Json got = space.MustPatch(ConfigMaps(), "a", PatchKind::kJson, J(R"([
    {'op': 'test', 'path': '/data/key', 'value': '1'},
    {'op': 'replace', 'path': '/data/key', 'value': '2'},
    {'op': 'add', 'path': '/data/more', 'value': 'x'},
    {'op': 'copy', 'from': '/data/more', 'path': '/data/copied'},
    {'op': 'move', 'from': '/data/more', 'path': '/data/moved'},
    {'op': 'add', 'path': '/metadata/annotations', 'value': {'a~b/c': 'd'}},
    {'op': 'remove', 'path': '/metadata/annotations/a~0b~1c'}])"));
  CHECK(got.At("data") == J("{'key': '2', 'copied': 'x', 'moved': 'x'}"));
  CHECK(got.At("metadata", "annotations").size() == 0);
}

TEST_CASE("a JSON patch whose test fails changes nothing") {
  const Space space;
  space.MustCreate(ConfigMaps(), ConfigMap("a", "1"));
  CHECK(Outcome(space.Patch(ConfigMaps(), "a", PatchKind::kJson, J(R"([
    {'op': 'replace', 'path': '/data/key', 'value': '9'},
    {'op': 'test', 'path': '/data/key', 'value': '1'}])"))) == "invalid");
  CHECK(space.MustGet(ConfigMaps(), "a").At("data", "key").Str() == "1");
}

TEST_CASE("a JSON patch of a path that is not there is refused") {
  const Space space;
  space.MustCreate(ConfigMaps(), ConfigMap("a", "1"));
  // Servers of different age disagree about "replace".
  for (const char* op : {"{'op': 'remove', 'path': '/data/none'}",
                         "{'op': 'add', 'path': '/none/deep', 'value': '1'}"}) {
    INFO(op);
    CHECK(Outcome(space.Patch(ConfigMaps(), "a", PatchKind::kJson, J(StrCat("[", op, "]")))) ==
          "invalid");
  }
}

TEST_CASE("a strategic patch merges containers, their variables and ports by key") {
  const Space space;
  space.MustCreate(Deployments(), TwoContainers());
  const Json got = space.MustPatch(Deployments(), "shop", PatchKind::kStrategic, J(R"({
    'spec': {'template': {'spec': {'containers': [
      {'name': 'main', 'image': 'shop:v2', 'env': [{'name': 'B', 'value': '3'}, {'name': 'C', 'value': '4'}],
       'ports': [{'containerPort': 81, 'protocol': 'TCP'}]}]}}}})"));
  const Json& containers = Pod(got).At("containers");
  REQUIRE(containers.size() == 2);
  CHECK(containers.At(0).At("name").Str() == "main");
  CHECK(containers.At(0).At("image").Str() == "shop:v2");
  CHECK(containers.At(1).At("image").Str() == "side:v1");
  std::string variables;
  for (const Json& item : containers.At(0).At("env").items()) {
    variables += item.At("name").Str() + "=" + item.At("value").Str() + " ";
  }
  CHECK(variables.find("A=1 ") != std::string::npos);
  CHECK(variables.find("B=3 ") != std::string::npos);
  CHECK(variables.find("C=4 ") != std::string::npos);
  CHECK(variables.size() == 12);
  CHECK(containers.At(0).At("ports").size() == 2);
}

TEST_CASE("a strategic patch deletes an element by its key") {
  const Space space;
  space.MustCreate(Deployments(), TwoContainers());
  const Json got = space.MustPatch(Deployments(), "shop", PatchKind::kStrategic, J(R"({
    'spec': {'template': {'spec': {'containers': [{'name': 'side', '$patch': 'delete'}]}}}})"));
  REQUIRE(Pod(got).At("containers").size() == 1);
  CHECK(Pod(got).At("containers").At(0).At("name").Str() == "main");
}

TEST_CASE("a strategic patch replaces a whole map when told to") {
  const Space space;
  space.MustCreate(Deployments(), TwoContainers());
  const Json got = space.MustPatch(Deployments(), "shop", PatchKind::kStrategic, J(R"({
    'spec': {'strategy': {'$patch': 'replace', 'type': 'Recreate'}}})"));
  CHECK(got.At("spec", "strategy") == J("{'type': 'Recreate'}"));
}

TEST_CASE("a strategic patch adds to a list of plain values that merges") {
  const Space space;
  Json body = ConfigMap("a");
  body["metadata"]["finalizers"] = Json::Arr({"rollguard.test/one"});
  space.MustCreate(ConfigMaps(), body);
  const Json got = space.MustPatch(ConfigMaps(), "a", PatchKind::kStrategic,
                                   J("{'metadata': {'finalizers': ['rollguard.test/two']}}"));
  CHECK(got.At("metadata", "finalizers").size() == 2);
  space.MustPatch(ConfigMaps(), "a", PatchKind::kMerge, J("{'metadata': {'finalizers': null}}"));
}

TEST_CASE("scale reads and writes replicas alone") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop", "shop:v1", 1));
  ClusterRequest get = space.Request(Verb::kGet, Deployments(), "shop");
  get.subresource = "scale";
  const Expected<Json> scale = Call(get);
  REQUIRE(scale.ok());
  CHECK(scale.value().At("kind").Str() == "Scale");
  CHECK(scale.value().At("apiVersion").Str() == "autoscaling/v1");
  CHECK(scale.value().At("spec", "replicas").IntOr(0) == 1);
  CHECK(scale.value().At("status", "selector").Str() == "app=shop");

  Json more = scale.value();
  more["spec"]["replicas"] = 3;
  more["metadata"].Erase("resourceVersion");
  REQUIRE(Outcome(space.Replace(Deployments(), more, "scale")) == "ok");
  CHECK(space.MustGet(Deployments(), "shop").At("spec", "replicas").IntOr(0) == 3);
  space.MustPatch(Deployments(), "shop", PatchKind::kMerge, J("{'spec': {'replicas': 2}}"),
                  "scale");
  CHECK(space.MustGet(Deployments(), "shop").At("spec", "replicas").IntOr(0) == 2);
}

TEST_CASE("a scale from an old version is a conflict, and a negative one is refused") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop", "shop:v1", 0));
  ClusterRequest get = space.Request(Verb::kGet, Deployments(), "shop");
  get.subresource = "scale";
  const Expected<Json> old = Call(get);
  REQUIRE(old.ok());
  space.MustPatch(Deployments(), "shop", PatchKind::kMerge, J("{'spec': {'minReadySeconds': 1}}"));
  Json late = old.value();
  late["spec"]["replicas"] = 5;
  CHECK(Outcome(space.Replace(Deployments(), late, "scale")) == "conflict");
  CHECK(Outcome(space.Patch(Deployments(), "shop", PatchKind::kMerge,
                            J("{'spec': {'replicas': -1}}"), "scale")) == "invalid");
}

}  // namespace
}  // namespace rollguard::conformance
