// SPDX-License-Identifier: Apache-2.0
// StatefulSets, DaemonSets, Jobs, Services and their endpoints.
#include <set>

#include "agent/base/text.h"
#include "tests/conformance/api.h"
#include "tests/support/catch.h"

namespace rollguard::conformance {
namespace {

ResourceType ControllerRevisions() {
  return Type("apps", "v1", "controllerrevisions", "ControllerRevision");
}

Json StatefulSet(int replicas) {
  Json body = J(R"({'metadata': {'name': 'db'}, 'spec': {
    'serviceName': 'db', 'selector': {'matchLabels': {'app': 'db'}},
    'template': {'metadata': {'labels': {'app': 'db'}},
                 'spec': {'containers': [{'name': 'main', 'image': 'db:v1'}]}}}})");
  body["spec"]["replicas"] = replicas;
  return body;
}

bool SetReady(const Json& set) {
  const Json& status = set.At("status");
  return status.At("observedGeneration").IntOr(0) == set.At("metadata", "generation").IntOr(-1) &&
         status.At("readyReplicas").IntOr(0) == set.At("spec", "replicas").IntOr(-1) &&
         status.At("updatedReplicas").IntOr(0) == set.At("spec", "replicas").IntOr(-1) &&
         status.At("currentRevision").Str() == status.At("updateRevision").Str();
}

std::string ImageOf(const Json& pod) {
  return pod.At("spec", "containers").At(0).At("image").Str();
}

TEST_CASE("a StatefulSet makes its pods one after the other, named by number") {
  const Space space;
  space.MustCreate(StatefulSets(), StatefulSet(2));
  REQUIRE(space.Becomes(StatefulSets(), "db", SetReady));
  const Json first = space.MustGet(Pods(), "db-0");
  const Json second = space.MustGet(Pods(), "db-1");
  CHECK(first.At("metadata", "creationTimestamp").Str() <=
        second.At("metadata", "creationTimestamp").Str());
  CHECK(first.At("metadata", "labels", "statefulset.kubernetes.io/pod-name").Str() == "db-0");
  const std::string revision =
      space.MustGet(StatefulSets(), "db").At("status", "updateRevision").Str();
  CHECK(first.At("metadata", "labels", "controller-revision-hash").Str() == revision);
  CHECK(Outcome(space.Get(ControllerRevisions(), revision)) == "ok");
}

TEST_CASE("a StatefulSet's update goes from the highest number down") {
  const Space space;
  space.MustCreate(StatefulSets(), StatefulSet(2));
  REQUIRE(space.Becomes(StatefulSets(), "db", SetReady));
  const Expected<Json> list = space.List(Pods());
  REQUIRE(list.ok());
  const Recorder watch(WatchFrom(space, Pods(), VersionOf(list.value())));
  space.MustPatch(StatefulSets(), "db", PatchKind::kStrategic, ImagePatch("db:v2"));
  REQUIRE(space.Becomes(StatefulSets(), "db", SetReady));
  std::vector<std::string> added;
  for (const Recorder::Event& event : watch.Events()) {
    if (event.type == WatchEvent::Type::kAdded) added.push_back(event.Line());
  }
  CHECK(added == std::vector<std::string>{"ADDED db-1", "ADDED db-0"});
  CHECK(ImageOf(space.MustGet(Pods(), "db-0")) == "db:v2");
  CHECK(space.Items(ControllerRevisions()).size() == 2);
}

TEST_CASE("a StatefulSet's partition holds the lower numbers back") {
  const Space space;
  Json body = StatefulSet(2);
  body["spec"]["updateStrategy"] =
      J("{'type': 'RollingUpdate', 'rollingUpdate': {'partition': 1}}");
  space.MustCreate(StatefulSets(), body);
  REQUIRE(space.Becomes(StatefulSets(), "db", SetReady));
  space.MustPatch(StatefulSets(), "db", PatchKind::kStrategic, ImagePatch("db:v2"));
  REQUIRE(space.Becomes(StatefulSets(), "db", [](const Json& set) {
    return set.At("status", "updatedReplicas").IntOr(0) == 1 &&
           set.At("status", "readyReplicas").IntOr(0) == 2;
  }));
  space.Linger();
  CHECK(ImageOf(space.MustGet(Pods(), "db-0")) == "db:v1");
  CHECK(ImageOf(space.MustGet(Pods(), "db-1")) == "db:v2");
}

TEST_CASE("a StatefulSet is scaled down from the highest number") {
  const Space space;
  space.MustCreate(StatefulSets(), StatefulSet(2));
  REQUIRE(space.Becomes(StatefulSets(), "db", SetReady));
  space.MustPatch(StatefulSets(), "db", PatchKind::kMerge, J("{'spec': {'replicas': 1}}"), "scale");
  REQUIRE(space.CountBecomes(Pods(), "app=db", 1));
  CHECK(Outcome(space.Get(Pods(), "db-0")) == "ok");
}

TEST_CASE("a StatefulSet refuses to change what cannot change") {
  const Space space;
  space.MustCreate(StatefulSets(), StatefulSet(0));
  CHECK(Outcome(space.Patch(StatefulSets(), "db", PatchKind::kMerge,
                            J("{'spec': {'serviceName': 'other'}}"))) == "invalid");
}

TEST_CASE("a DaemonSet runs one pod on each node and rolls to a new template") {
  const Space space;
  ClusterRequest nodes;
  nodes.verb = Verb::kList;
  nodes.type = Nodes();
  const Expected<Json> list = Call(nodes);
  REQUIRE(list.ok());
  const auto count = static_cast<int64_t>(list.value().At("items").size());
  REQUIRE(count > 0);
  space.MustCreate(DaemonSets(), J(R"({'metadata': {'name': 'agent'}, 'spec': {
    'selector': {'matchLabels': {'app': 'agent'}},
    'template': {'metadata': {'labels': {'app': 'agent'}},
                 'spec': {'containers': [{'name': 'main', 'image': 'agent:v1'}]}}}})"));
  const auto ready = [count](const Json& set) {
    const Json& status = set.At("status");
    return status.At("observedGeneration").IntOr(0) == set.At("metadata", "generation").IntOr(-1) &&
           status.At("desiredNumberScheduled").IntOr(0) == count &&
           status.At("updatedNumberScheduled").IntOr(0) == count &&
           status.At("numberReady").IntOr(0) == count;
  };
  REQUIRE(space.Becomes(DaemonSets(), "agent", ready));
  std::set<std::string> on;
  for (const Json& pod : space.Items(Pods(), "app=agent")) {
    on.insert(pod.At("spec", "nodeName").Str());
  }
  CHECK(on.size() == static_cast<size_t>(count));
  space.MustPatch(DaemonSets(), "agent", PatchKind::kStrategic, ImagePatch("agent:v2"));
  REQUIRE(space.Becomes(DaemonSets(), "agent", ready));
  CHECK(space.Items(ControllerRevisions()).size() == 2);
  for (const Json& pod : space.Items(Pods(), "app=agent")) CHECK(ImageOf(pod) == "agent:v2");
}

Json Job(const std::string& image) {
  Json body = J(R"({'metadata': {'name': 'migrate'}, 'spec': {'backoffLimit': 0,
    'template': {'spec': {'restartPolicy': 'Never', 'containers': [{'name': 'main'}]}}}})");
  body["spec"]["template"]["spec"]["containers"].items()[0]["image"] = image;
  return body;
}

bool HasCondition(const Json& job, std::string_view type) {
  for (const Json& condition : job.At("status", "conditions").items()) {
    if (condition.At("type").Str() == type && condition.At("status").Str() == "True") return true;
  }
  return false;
}

TEST_CASE("a Job that succeeds is complete") {
  const Space space;
  space.MustCreate(Jobs(), Job("migrate:v1"));
  REQUIRE(
      space.Becomes(Jobs(), "migrate", [](const Json& j) { return HasCondition(j, "Complete"); }));
  const Json job = space.MustGet(Jobs(), "migrate");
  CHECK(job.At("status", "succeeded").IntOr(0) == 1);
  CHECK_FALSE(job.At("status", "completionTime").Str().empty());
  const std::vector<Json> pods = space.Items(Pods(), "job-name=migrate");
  REQUIRE(pods.size() == 1);
  CHECK(pods[0].At("status", "phase").Str() == "Succeeded");
}

TEST_CASE("a Job that fails has failed") {
  const Space space;
  space.MustCreate(Jobs(), Job("migrate:job-fails"));
  REQUIRE(
      space.Becomes(Jobs(), "migrate", [](const Json& j) { return HasCondition(j, "Failed"); }));
  CHECK(space.MustGet(Jobs(), "migrate").At("status", "failed").IntOr(0) == 1);
}

TEST_CASE("a Job's template cannot be changed") {
  const Space space;
  space.MustCreate(Jobs(), Job("migrate:v1"));
  CHECK(Outcome(space.Patch(Jobs(), "migrate", PatchKind::kStrategic, ImagePatch("x"))) ==
        "invalid");
}

// Ready and not ready addresses, counted.
std::pair<size_t, size_t> Addresses(const Json& endpoints) {
  std::pair<size_t, size_t> count{0, 0};
  for (const Json& subset : endpoints.At("subsets").items()) {
    count.first += subset.At("addresses").size();
    count.second += subset.At("notReadyAddresses").size();
  }
  return count;
}

bool EndpointsBecome(const Space& space, size_t ready, size_t not_ready) {
  return space.Becomes(Endpoints(), "shop", [&](const Json& endpoints) {
    return Addresses(endpoints) == std::pair<size_t, size_t>(ready, not_ready);
  });
}

Json Service() {
  return J(R"({'metadata': {'name': 'shop'}, 'spec': {'selector': {'app': 'shop'},
               'ports': [{'name': 'http', 'port': 80, 'targetPort': 8080}]}})");
}

TEST_CASE("a Service's endpoints follow the ready pods of its selector") {
  const Space space;
  const Json service = space.MustCreate(Services(), Service());
  CHECK_FALSE(service.At("spec", "clusterIP").Str().empty());
  space.MustCreate(Deployments(), Deployment("shop"));
  REQUIRE(space.Settles("shop"));
  CHECK(EndpointsBecome(space, 2, 0));
  space.MustPatch(Deployments(), "shop", PatchKind::kMerge, J("{'spec': {'replicas': 1}}"));
  CHECK(EndpointsBecome(space, 1, 0));
}

TEST_CASE("pods that are not ready get no traffic") {
  const Space space;
  space.MustCreate(Services(), Service());
  space.MustCreate(Deployments(), Deployment("shop", "shop:never-ready", 1));
  CHECK(EndpointsBecome(space, 0, 1));
}

TEST_CASE("a changed selector moves the endpoints") {
  const Space space;
  space.MustCreate(Services(), Service());
  space.MustCreate(Deployments(), Deployment("shop", "shop:v1", 2));
  Json green = Deployment("green", "shop:v2", 1);
  space.MustCreate(Deployments(), green);
  REQUIRE(space.Settles("shop"));
  REQUIRE(space.Settles("green"));
  REQUIRE(EndpointsBecome(space, 2, 0));
  space.MustPatch(Services(), "shop", PatchKind::kMerge,
                  J("{'spec': {'selector': {'app': 'green'}}}"));
  CHECK(EndpointsBecome(space, 1, 0));
}

TEST_CASE("a Service's clusterIP cannot be changed") {
  const Space space;
  space.MustCreate(Services(), Service());
  CHECK(Outcome(space.Patch(Services(), "shop", PatchKind::kMerge,
                            J("{'spec': {'clusterIP': '10.96.0.250'}}"))) == "invalid");
}

}  // namespace
}  // namespace rollguard::conformance
