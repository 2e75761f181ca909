// SPDX-License-Identifier: Apache-2.0
// Garbage collection, leases, events, custom objects, reviews.
#include "agent/base/text.h"
#include "tests/conformance/api.h"
#include "tests/support/catch.h"

namespace rollguard::conformance {
namespace {

TEST_CASE("background deletion removes the owner at once and its dependents after it") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop"));
  REQUIRE(space.Settles("shop"));
  REQUIRE(Outcome(space.Delete(Deployments(), "shop", "Background")) == "ok");
  CHECK(Outcome(space.Get(Deployments(), "shop")) == "not found");
  CHECK(space.CountBecomes(ReplicaSets(), "app=shop", 0));
  CHECK(space.CountBecomes(Pods(), "app=shop", 0));
}

TEST_CASE("foreground deletion removes the dependents first") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop"));
  REQUIRE(space.Settles("shop"));
  const Expected<Json> deployments = space.List(Deployments());
  REQUIRE(deployments.ok());
  const Recorder watch(WatchFrom(space, Deployments(), VersionOf(deployments.value())));
  REQUIRE(Outcome(space.Delete(Deployments(), "shop", "Foreground")) == "ok");
  REQUIRE(watch.WaitFor(1));
  const Json marked = watch.Events()[0].object;
  CHECK_FALSE(marked.At("metadata", "deletionTimestamp").Str().empty());
  CHECK(marked.At("metadata", "finalizers") == J("['foregroundDeletion']"));
  REQUIRE(space.Becomes(Deployments(), "shop", [](const Json& d) { return d.is_null(); }));
  CHECK(space.Items(ReplicaSets(), "app=shop").empty());
}

TEST_CASE("orphaning deletion leaves the dependents without an owner") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop"));
  REQUIRE(space.Settles("shop"));
  REQUIRE(Outcome(space.Delete(Deployments(), "shop", "Orphan")) == "ok");
  REQUIRE(space.Becomes(Deployments(), "shop", [](const Json& d) { return d.is_null(); }));
  space.Linger();
  const std::vector<Json> sets = space.Items(ReplicaSets(), "app=shop");
  REQUIRE(sets.size() == 1);
  CHECK(sets[0].At("metadata", "ownerReferences").size() == 0);
  CHECK(space.Items(Pods(), "app=shop").size() == 2);
}

TEST_CASE("an orphaned ReplicaSet is adopted by a Deployment that selects it") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop"));
  REQUIRE(space.Settles("shop"));
  REQUIRE(Outcome(space.Delete(Deployments(), "shop", "Orphan")) == "ok");
  REQUIRE(space.Becomes(Deployments(), "shop", [](const Json& d) { return d.is_null(); }));
  const std::string uid =
      space.MustCreate(Deployments(), Deployment("shop")).At("metadata", "uid").Str();
  REQUIRE(space.Settles("shop"));
  const std::vector<Json> sets = space.Items(ReplicaSets(), "app=shop");
  REQUIRE(sets.size() == 1);
  CHECK(sets[0].At("metadata", "ownerReferences").At(0).At("uid").Str() == uid);
}

TEST_CASE("an object whose owner is gone is collected") {
  const Space space;
  const Json owner = space.MustCreate(ConfigMaps(), ConfigMap("owner"));
  Json body = ConfigMap("owned");
  body["metadata"]["ownerReferences"] =
      Json::Arr({Json::Obj({{"apiVersion", "v1"},
                            {"kind", "ConfigMap"},
                            {"name", "owner"},
                            {"uid", owner.At("metadata", "uid")}})});
  space.MustCreate(ConfigMaps(), body);
  REQUIRE(Outcome(space.Delete(ConfigMaps(), "owner", "Background")) == "ok");
  CHECK(space.Becomes(ConfigMaps(), "owned", [](const Json& c) { return c.is_null(); }));
}

TEST_CASE("a second controller in the owner references is refused") {
  const Space space;
  Json body = ConfigMap("a");
  body["metadata"]["ownerReferences"] = J(R"([
    {'apiVersion': 'v1', 'kind': 'ConfigMap', 'name': 'x', 'uid': 'u1', 'controller': true},
    {'apiVersion': 'v1', 'kind': 'ConfigMap', 'name': 'y', 'uid': 'u2', 'controller': true}])");
  CHECK(Outcome(space.Create(ConfigMaps(), body)) == "invalid");
}

TEST_CASE("a lease changes hands once: of two that read it, one wins") {
  const Space space;
  const Json made = space.MustCreate(Leases(), J(R"({'metadata': {'name': 'shard'}, 'spec': {
    'holderIdentity': 'a', 'leaseDurationSeconds': 15,
    'acquireTime': '2026-01-01T00:00:00.000000Z', 'renewTime': '2026-01-01T00:00:00.000000Z'}})"));
  CHECK(made.At("spec", "renewTime").Str() == "2026-01-01T00:00:00.000000Z");
  Json b = made;
  b["spec"]["holderIdentity"] = "b";
  b["spec"]["leaseTransitions"] = 1;
  Json c = made;
  c["spec"]["holderIdentity"] = "c";
  CHECK(Outcome(space.Replace(Leases(), b)) == "ok");
  CHECK(Outcome(space.Replace(Leases(), c)) == "conflict");
  CHECK(space.MustGet(Leases(), "shard").At("spec", "holderIdentity").Str() == "b");
}

TEST_CASE("a lease's times must be times") {
  const Space space;
  CHECK(Outcome(space.Create(
            Leases(), J("{'metadata': {'name': 'l'}, 'spec': {'renewTime': 'yesterday'}}"))) ==
        "invalid");
  CHECK(Outcome(space.Create(
            Leases(), J("{'metadata': {'name': 'l'}, 'spec': {'leaseDurationSeconds': 0}}"))) ==
        "invalid");
}

TEST_CASE("an Event is kept as it was sent") {
  const Space space;
  Json body = J(R"({'metadata': {'name': 'shop.1'}, 'eventTime': '2026-01-01T00:00:00.000000Z',
    'reportingController': 'rollguard.dev/agent', 'reportingInstance': 'agent-0',
    'action': 'Rollback', 'reason': 'RolledBack', 'type': 'Warning', 'note': 'taken back',
    'regarding': {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'shop'}})");
  body["regarding"]["namespace"] = space.name();
  const ResourceType events = Type("events.k8s.io", "v1", "events", "Event");
  space.MustCreate(events, body);
  const Json got = space.MustGet(events, "shop.1");
  CHECK(got.At("note").Str() == "taken back");
  CHECK(got.At("regarding", "name").Str() == "shop");
}

// --- Custom objects ---

constexpr const char* kSchema = R"({
  'metadata': {'name': 'gadgets.conformance.rollguard.test'},
  'spec': {'group': 'conformance.rollguard.test', 'scope': 'Namespaced',
    'names': {'plural': 'gadgets', 'singular': 'gadget', 'kind': 'Gadget', 'listKind': 'GadgetList'},
    'versions': [{'name': 'v1', 'served': true, 'storage': true,
      'subresources': {'status': {}, 'scale': {'specReplicasPath': '.spec.replicas',
        'statusReplicasPath': '.status.replicas', 'labelSelectorPath': '.status.selector'}},
      'schema': {'openAPIV3Schema': {'type': 'object', 'properties': {
        'spec': {'type': 'object', 'required': ['size'], 'properties': {
          'size': {'type': 'integer', 'minimum': 1},
          'colour': {'type': 'string', 'enum': ['red', 'blue'], 'default': 'red'},
          'replicas': {'type': 'integer'}}},
        'status': {'type': 'object', 'properties': {
          'phase': {'type': 'string'}, 'replicas': {'type': 'integer'},
          'selector': {'type': 'string'}}}}}}}]}})";

ResourceType Gadgets() {
  const ResourceType gadgets = Type("conformance.rollguard.test", "v1", "gadgets", "Gadget");
  static bool installed = false;
  if (!installed) {
    ClusterRequest request;
    request.verb = Verb::kCreate;
    request.type = Type("apiextensions.k8s.io", "v1", "customresourcedefinitions",
                        "CustomResourceDefinition", false);
    request.body = J(kSchema);
    const std::string outcome = Outcome(Call(request));
    REQUIRE((outcome == "ok" || outcome == "already exists"));
    ClusterRequest list;
    list.verb = Verb::kList;
    list.type = gadgets;
    installed = TheApi().Until([&] { return Call(list).ok(); }, std::chrono::seconds(30));
    REQUIRE(installed);
  }
  return gadgets;
}

Json Gadget(const char* spec) {
  Json body = J("{'metadata': {'name': 'g'}}");
  body["spec"] = J(spec);
  return body;
}

TEST_CASE("a custom object is defaulted, pruned and checked by its schema") {
  const Space space;
  const ResourceType gadgets = Gadgets();
  const Json made = space.MustCreate(gadgets, Gadget("{'size': 1, 'unheard': 'of'}"));
  CHECK(made.At("spec") == J("{'size': 1, 'colour': 'red'}"));
  for (const char* spec :
       {"{'size': 0}", "{'size': 'big'}", "{}", "{'size': 1, 'colour': 'green'}"}) {
    INFO(spec);
    Json body = Gadget(spec);
    body["metadata"]["name"] = "bad";
    CHECK(Outcome(space.Create(gadgets, body)) == "invalid");
  }
}

TEST_CASE("a custom object's status is apart from its spec") {
  const Space space;
  const ResourceType gadgets = Gadgets();
  Json body = Gadget("{'size': 1}");
  body["status"] = J("{'phase': 'sneaked'}");
  Json made = space.MustCreate(gadgets, body);
  CHECK(made.Find("status") == nullptr);
  made["status"] = J("{'phase': 'Ready'}");
  made["spec"]["size"] = 7;
  const Expected<Json> status = space.Replace(gadgets, made, "status");
  REQUIRE(status.ok());
  CHECK(status.value().At("spec", "size").IntOr(0) == 1);
  CHECK(status.value().At("status", "phase").Str() == "Ready");
  CHECK(status.value().At("metadata", "generation").IntOr(0) == 1);
  const Json spec = space.MustPatch(gadgets, "g", PatchKind::kMerge,
                                    J("{'spec': {'size': 2}, 'status': {'phase': 'Other'}}"));
  CHECK(spec.At("metadata", "generation").IntOr(0) == 2);
  CHECK(spec.At("status", "phase").Str() == "Ready");
}

TEST_CASE("a status written from an old version is a conflict") {
  const Space space;
  const ResourceType gadgets = Gadgets();
  Json old = space.MustCreate(gadgets, Gadget("{'size': 1}"));
  space.MustPatch(gadgets, "g", PatchKind::kMerge, J("{'spec': {'size': 2}}"));
  old["status"] = J("{'phase': 'Late'}");
  CHECK(Outcome(space.Replace(gadgets, old, "status")) == "conflict");
}

TEST_CASE("a custom object is scaled through its paths") {
  const Space space;
  const ResourceType gadgets = Gadgets();
  space.MustCreate(gadgets, Gadget("{'size': 1, 'replicas': 1}"));
  space.MustPatch(gadgets, "g", PatchKind::kMerge, J("{'spec': {'replicas': 4}}"), "scale");
  CHECK(space.MustGet(gadgets, "g").At("spec", "replicas").IntOr(0) == 4);
}

TEST_CASE("a custom object takes no strategic patch") {
  const Space space;
  const ResourceType gadgets = Gadgets();
  space.MustCreate(gadgets, Gadget("{'size': 1}"));
  CHECK(Outcome(space.Patch(gadgets, "g", PatchKind::kStrategic, J("{'spec': {'size': 2}}"))) ==
        "invalid");
}

TEST_CASE("custom objects are watched and applied like others") {
  const Space space;
  const ResourceType gadgets = Gadgets();
  const Expected<Json> list = space.List(gadgets);
  REQUIRE(list.ok());
  const Recorder watch(WatchFrom(space, gadgets, VersionOf(list.value())));
  REQUIRE(Outcome(space.Apply(gadgets, Gadget("{'size': 1}"), "one")) == "ok");
  CHECK(Outcome(space.Apply(gadgets, Gadget("{'size': 2}"), "two")) == "conflict");
  REQUIRE(Outcome(space.Delete(gadgets, "g")) == "ok");
  REQUIRE(watch.WaitFor(2));
  CHECK(watch.Lines() == std::vector<std::string>{"ADDED g", "DELETED g"});
}

TEST_CASE("a custom object must carry its version when it is replaced") {
  const Space space;
  const ResourceType gadgets = Gadgets();
  space.MustCreate(gadgets, Gadget("{'size': 1}"));
  CHECK(Outcome(space.Replace(gadgets, Gadget("{'size': 2}"))) == "invalid");
}

// --- Who asks, and may they ---

Json Review(const ResourceType& type, const Json& spec) {
  ClusterRequest request;
  request.verb = Verb::kCreate;
  request.type = type;
  request.body = Json::Obj({{"spec", spec}});
  const Expected<Json> got = Call(request);
  REQUIRE(got.ok());
  return got.value().At("status");
}

TEST_CASE("a token review knows a token's owner and no other") {
  const ResourceType reviews =
      Type("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", false);
  const Json unknown = Review(reviews, J("{'token': 'nobody-has-this'}"));
  CHECK_FALSE(unknown.At("authenticated").BoolOr(false));
  if (TheApi().KnownToken().empty()) {
    WARN("no token is known for this server");
    return;
  }
  const Json known = Review(reviews, Json::Obj({{"token", TheApi().KnownToken()}}));
  CHECK(known.At("authenticated").BoolOr(false));
  CHECK(known.At("user", "username").Str() == TheApi().KnownUser());
}

TEST_CASE("a subject access review says yes to the administrators") {
  const ResourceType reviews =
      Type("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", false);
  const Json spec = J(R"({'user': 'someone', 'groups': ['system:masters'], 'resourceAttributes': {
    'verb': 'rollback', 'group': 'rollguard.dev', 'resource': 'guards', 'namespace': 'default'}})");
  CHECK(Review(reviews, spec).At("allowed").BoolOr(false));
}

}  // namespace
}  // namespace rollguard::conformance
