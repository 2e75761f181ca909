// SPDX-License-Identifier: Apache-2.0
// Create, read, replace, delete: versions, generations, refusals, preconditions, finalizers.
#include "tests/conformance/api.h"
#include "tests/support/catch.h"

namespace rollguard::conformance {
namespace {

TEST_CASE("create fills in uid, version, time, and generation 1") {
  const Space space;
  const Json made = space.MustCreate(Deployments(), Deployment("shop"));
  CHECK_FALSE(made.At("metadata", "uid").Str().empty());
  CHECK_FALSE(VersionOf(made).empty());
  CHECK(ParseRfc3339(made.At("metadata", "creationTimestamp").Str()).ok());
  CHECK(made.At("metadata", "generation").IntOr(0) == 1);
  CHECK(made.At("metadata", "namespace").Str() == space.name());
  CHECK(made.At("kind").Str() == "Deployment");
  CHECK(made.At("apiVersion").Str() == "apps/v1");
}

TEST_CASE("create fills in the defaults that the agent relies on") {
  const Space space;
  Json body = J(R"({'metadata': {'name': 'shop'}, 'spec': {
    'selector': {'matchLabels': {'app': 'x'}},
    'template': {'metadata': {'labels': {'app': 'x'}},
                 'spec': {'containers': [{'name': 'c', 'image': 'shop:v1'}]}}}})");
  const Json spec = space.MustCreate(Deployments(), std::move(body)).At("spec");
  CHECK(spec.At("replicas").IntOr(0) == 1);
  CHECK(spec.At("strategy", "type").Str() == "RollingUpdate");
  CHECK(spec.At("strategy", "rollingUpdate", "maxSurge").Str() == "25%");
  CHECK(spec.At("strategy", "rollingUpdate", "maxUnavailable").Str() == "25%");
  CHECK(spec.At("progressDeadlineSeconds").IntOr(0) == 600);
  CHECK(spec.At("revisionHistoryLimit").IntOr(0) == 10);
  CHECK(spec.At("template", "spec", "restartPolicy").Str() == "Always");
  CHECK(spec.At("template", "spec", "terminationGracePeriodSeconds").IntOr(0) == 30);
}

TEST_CASE("a name is given once") {
  const Space space;
  space.MustCreate(ConfigMaps(), ConfigMap("a"));
  CHECK(Outcome(space.Create(ConfigMaps(), ConfigMap("a"))) == "already exists");
}

TEST_CASE("an absent object is not found, and the error names it") {
  const Space space;
  const Expected<Json> got = space.Get(Deployments(), "nowhere");
  REQUIRE(Outcome(got) == "not found");
  CHECK(got.error().message.find("nowhere") != std::string::npos);
  CHECK_FALSE(got.error().retryable);
}

TEST_CASE("an unknown kind is not found") {
  const Space space;
  CHECK(Outcome(space.List(Type("rollguard.test", "v1", "nothings", "Nothing"))) == "not found");
}

TEST_CASE("generateName gives distinct names with the prefix") {
  const Space space;
  const Json body = J("{'metadata': {'generateName': 'made-'}}");
  const std::string a = space.MustCreate(ConfigMaps(), body).At("metadata", "name").Str();
  const std::string b = space.MustCreate(ConfigMaps(), body).At("metadata", "name").Str();
  CHECK(a != b);
  CHECK(a.starts_with("made-"));
  CHECK(a.size() == 10);
}

TEST_CASE("a namespace in the body that is not the request's is refused") {
  const Space space;
  Json body = ConfigMap("a");
  body["metadata"]["namespace"] = "default";
  CHECK(Outcome(space.Create(ConfigMaps(), body)) == "invalid");
}

TEST_CASE("nothing is created in a namespace that is not there") {
  ClusterRequest request;
  request.verb = Verb::kCreate;
  request.type = ConfigMaps();
  request.ns = "conf-not-there";
  request.body = ConfigMap("a");
  CHECK(Outcome(Call(request)) == "not found");
}

TEST_CASE("what is not valid is refused") {
  const Space space;
  Json selector = Deployment("a");
  selector["spec"]["selector"]["matchLabels"]["app"] = "other";
  Json negative = Deployment("a");
  negative["spec"]["replicas"] = -1;
  Json label = ConfigMap("a");
  label["metadata"]["labels"]["k"] = "not a label!";
  Json nameless = ConfigMap("a");
  nameless["metadata"].Erase("name");
  Json no_container = Deployment("a");
  no_container["spec"]["template"]["spec"]["containers"] = Json::Arr();
  struct Row {
    const char* name;
    ResourceType type;
    Json body;
  };
  const std::vector<Row> rows = {
      {"upper-case name", ConfigMaps(), ConfigMap("Upper")},
      {"no name", ConfigMaps(), nameless},
      {"label value with a space", ConfigMaps(), label},
      {"selector that does not select the template", Deployments(), selector},
      {"negative replicas", Deployments(), negative},
      {"no container", Deployments(), no_container},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(Outcome(space.Create(row.type, row.body)) == "invalid");
  }
}

TEST_CASE("a lost update is refused") {
  const Space space;
  const Json first = space.MustCreate(ConfigMaps(), ConfigMap("a", "1"));
  Json second = first;
  second["data"]["key"] = "2";
  REQUIRE(Outcome(space.Replace(ConfigMaps(), second)) == "ok");
  Json late = first;
  late["data"]["key"] = "3";
  CHECK(Outcome(space.Replace(ConfigMaps(), late)) == "conflict");
  CHECK(space.MustGet(ConfigMaps(), "a").At("data", "key").Str() == "2");
}

TEST_CASE("a replace without a version is unconditional") {
  const Space space;
  space.MustCreate(ConfigMaps(), ConfigMap("a", "1"));
  CHECK(Outcome(space.Replace(ConfigMaps(), ConfigMap("a", "2"))) == "ok");
  CHECK(space.MustGet(ConfigMaps(), "a").At("data", "key").Str() == "2");
}

TEST_CASE("a replace of another uid is a conflict") {
  const Space space;
  Json body = space.MustCreate(ConfigMaps(), ConfigMap("a"));
  body["metadata"]["uid"] = "11111111-2222-3333-4444-555555555555";
  body["metadata"].Erase("resourceVersion");
  CHECK(Outcome(space.Replace(ConfigMaps(), body)) == "conflict");
}

TEST_CASE("a replace of an absent object is not found") {
  const Space space;
  CHECK(Outcome(space.Replace(Deployments(), Deployment("a"))) == "not found");
}

TEST_CASE("a write that changes nothing keeps the version") {
  const Space space;
  const Json made = space.MustCreate(ConfigMaps(), ConfigMap("a"));
  CHECK(VersionOf(space.MustPatch(ConfigMaps(), "a", PatchKind::kMerge,
                                  J("{'data': {'key': '1'}}"))) == VersionOf(made));
}

TEST_CASE("the generation counts changes of spec, not of metadata or status") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop", "shop:v1", 0));
  const auto generation = [](const Json& d) { return d.At("metadata", "generation").IntOr(0); };
  CHECK(generation(space.MustPatch(Deployments(), "shop", PatchKind::kMerge,
                                   J("{'metadata': {'labels': {'a': 'b'}}}"))) == 1);
  CHECK(generation(space.MustPatch(Deployments(), "shop", PatchKind::kMerge,
                                   J("{'spec': {'minReadySeconds': 1}}"))) == 2);
  CHECK(generation(space.MustPatch(Deployments(), "shop", PatchKind::kMerge,
                                   J("{'status': {'collisionCount': 1}}"), "status")) == 2);
}

TEST_CASE("status is written through its own subresource only, and spec not through it") {
  const Space space;
  Json pod =
      J("{'metadata': {'name': 'p'}, 'spec': {'containers': [{'name': 'c', 'image': 'x'}]}}");
  pod["metadata"]["annotations"]["sim.rollguard.dev/behaviour"] = "{\"neverReady\": true}";
  space.MustCreate(Pods(), pod);
  space.MustPatch(Pods(), "p", PatchKind::kMerge, J("{'status': {'message': 'sneaked in'}}"));
  CHECK(space.MustGet(Pods(), "p").At("status", "message").Str() != "sneaked in");
  space.MustPatch(Pods(), "p", PatchKind::kMerge,
                  J("{'metadata': {'labels': {'no': 'label'}}, 'status': {'message': 'said'}}"),
                  "status");
  const Json after = space.MustGet(Pods(), "p");
  CHECK(after.At("status", "message").Str() == "said");
}

TEST_CASE("a Deployment's selector cannot be changed") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop", "shop:v1", 0));
  CHECK(Outcome(space.Patch(Deployments(), "shop", PatchKind::kMerge, J(R"({'spec': {
      'selector': {'matchLabels': {'more': 'x'}},
      'template': {'metadata': {'labels': {'more': 'x'}}}}})"))) == "invalid");
}

TEST_CASE("dry run answers as if and changes nothing") {
  const Space space;
  ClusterRequest create = space.Request(Verb::kCreate, ConfigMaps());
  create.body = ConfigMap("a");
  create.dry_run = true;
  const Expected<Json> made = Call(create);
  REQUIRE(Outcome(made) == "ok");
  CHECK_FALSE(made.value().At("metadata", "uid").Str().empty());
  CHECK(Outcome(space.Get(ConfigMaps(), "a")) == "not found");

  const Json real = space.MustCreate(ConfigMaps(), ConfigMap("a"));
  ClusterRequest patch = space.Request(Verb::kPatch, ConfigMaps(), "a");
  patch.body = J("{'data': {'key': '2'}}");
  patch.dry_run = true;
  const Expected<Json> patched = Call(patch);
  REQUIRE(Outcome(patched) == "ok");
  CHECK(patched.value().At("data", "key").Str() == "2");
  ClusterRequest remove = space.Request(Verb::kDelete, ConfigMaps(), "a");
  remove.dry_run = true;
  CHECK(Outcome(Call(remove)) == "ok");
  const Json after = space.MustGet(ConfigMaps(), "a");
  CHECK(after.At("data", "key").Str() == "1");
  CHECK(VersionOf(after) == VersionOf(real));
}

TEST_CASE("a dry run is refused for the same reasons as the deed") {
  const Space space;
  ClusterRequest request = space.Request(Verb::kCreate, ConfigMaps());
  request.body = ConfigMap("Upper");
  request.dry_run = true;
  CHECK(Outcome(Call(request)) == "invalid");
}

TEST_CASE("delete removes, and a second one finds nothing") {
  const Space space;
  space.MustCreate(ConfigMaps(), ConfigMap("a"));
  CHECK(Outcome(space.Delete(ConfigMaps(), "a")) == "ok");
  CHECK(Outcome(space.Get(ConfigMaps(), "a")) == "not found");
  CHECK(Outcome(space.Delete(ConfigMaps(), "a")) == "not found");
}

TEST_CASE("delete holds to its preconditions") {
  const Space space;
  const Json made = space.MustCreate(ConfigMaps(), ConfigMap("a"));
  space.MustPatch(ConfigMaps(), "a", PatchKind::kMerge, J("{'data': {'key': '2'}}"));
  ClusterRequest stale = space.Request(Verb::kDelete, ConfigMaps(), "a");
  stale.precondition_version = VersionOf(made);
  CHECK(Outcome(Call(stale)) == "conflict");
  ClusterRequest other = space.Request(Verb::kDelete, ConfigMaps(), "a");
  other.precondition_uid = "11111111-2222-3333-4444-555555555555";
  CHECK(Outcome(Call(other)) == "conflict");
  ClusterRequest right = space.Request(Verb::kDelete, ConfigMaps(), "a");
  right.precondition_uid = made.At("metadata", "uid").Str();
  CHECK(Outcome(Call(right)) == "ok");
}

TEST_CASE("a finalizer holds a deleted object until it is taken away") {
  const Space space;
  Json body = ConfigMap("a");
  body["metadata"]["finalizers"] = Json::Arr({"rollguard.test/hold"});
  space.MustCreate(ConfigMaps(), body);
  REQUIRE(Outcome(space.Delete(ConfigMaps(), "a")) == "ok");
  const Json held = space.MustGet(ConfigMaps(), "a");
  CHECK_FALSE(held.At("metadata", "deletionTimestamp").Str().empty());
  CHECK(Outcome(space.Delete(ConfigMaps(), "a")) == "ok");  // again changes nothing
  REQUIRE(Outcome(space.Patch(ConfigMaps(), "a", PatchKind::kMerge,
                              J("{'metadata': {'finalizers': null}}"))) == "ok");
  CHECK(Outcome(space.Get(ConfigMaps(), "a")) == "not found");
}

TEST_CASE("a finalizer is not added to an object that is being deleted") {
  const Space space;
  Json body = ConfigMap("a");
  body["metadata"]["finalizers"] = Json::Arr({"rollguard.test/hold"});
  space.MustCreate(ConfigMaps(), body);
  (void)space.Delete(ConfigMaps(), "a");
  CHECK(Outcome(space.Patch(
            ConfigMaps(), "a", PatchKind::kMerge,
            J("{'metadata': {'finalizers': ['rollguard.test/hold', 'rollguard.test/more']}}"))) ==
        "invalid");
  space.MustPatch(ConfigMaps(), "a", PatchKind::kMerge, J("{'metadata': {'finalizers': []}}"));
}

TEST_CASE("an immutable ConfigMap stays as it is") {
  const Space space;
  Json body = ConfigMap("a");
  body["immutable"] = true;
  space.MustCreate(ConfigMaps(), body);
  CHECK(Outcome(space.Patch(ConfigMaps(), "a", PatchKind::kMerge, J("{'data': {'key': '2'}}"))) ==
        "invalid");
}

TEST_CASE("a Secret's stringData is kept as base64 data") {
  const Space space;
  space.MustCreate(Secrets(), J("{'metadata': {'name': 's'}, 'stringData': {'password': 'abc'}}"));
  const Json secret = space.MustGet(Secrets(), "s");
  CHECK(secret.At("data", "password").Str() == "YWJj");
  CHECK(secret.Find("stringData") == nullptr);
  CHECK(secret.At("type").Str() == "Opaque");
}

TEST_CASE("a recreated object has a new uid and starts at generation 1") {
  const Space space;
  const Json first = space.MustCreate(Deployments(), Deployment("shop", "shop:v1", 0));
  REQUIRE(Outcome(space.Delete(Deployments(), "shop", "Background")) == "ok");
  const Json second = space.MustCreate(Deployments(), Deployment("shop", "shop:v1", 0));
  CHECK(first.At("metadata", "uid").Str() != second.At("metadata", "uid").Str());
  CHECK(second.At("metadata", "generation").IntOr(0) == 1);
}

TEST_CASE("deleting a namespace takes what is in it") {
  std::string name;
  {
    const Space space;
    name = space.name();
    space.MustCreate(ConfigMaps(), ConfigMap("a"));
  }
  ClusterRequest request;
  request.type = ConfigMaps();
  request.ns = name;
  request.name = "a";
  CHECK(TheApi().Until([&] { return Outcome(Call(request)) == "not found"; },
                       std::chrono::seconds(60)));
}

}  // namespace
}  // namespace rollguard::conformance
