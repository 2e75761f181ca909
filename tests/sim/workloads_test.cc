// SPDX-License-Identifier: Apache-2.0
// StatefulSets, DaemonSets, Jobs, autoscaling, endpoints, namespaces.
#include <algorithm>

#include "agent/sim/world.h"
#include "tests/sim/fixtures.h"

namespace rollguard::sim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

Json Workload(const char* kind, const char* image, std::string_view more = "") {
  return MustParse(StrCat(
      R"({"apiVersion":"apps/v1","kind":")", kind,
      R"(","metadata":{"name":"w","namespace":"default"},"spec":{)", more,
      R"("selector":{"matchLabels":{"app":"w"}},"template":{"metadata":{"labels":{"app":"w"}},"spec":{"containers":[{"name":"app","image":")",
      image, R"("}]}}}})"));
}

Json SetImage(World& w, const ResourceType& type, const char* image) {
  return MustCall(
      w.api(),
      PatchRequest(type, "w", PatchKind::kStrategic,
                   StrCat(R"({"spec":{"template":{"spec":{"containers":[{"name":"app","image":")",
                          image, R"("}]}}}})")));
}

std::string Pods(World& w) {
  std::string out;
  for (const ObjectPtr& pod : w.api().List("", "pods", "default")) {
    out += StrCat(out.empty() ? "" : " ", NameOf(*pod), "=",
                  Text(pod->At("spec", "containers").At(size_t{0}).At("image")),
                  PodIsReady(*pod) ? "" : "!");
  }
  return out;
}

TEST_CASE("a StatefulSet starts in order, updates from the top, and stops at the partition") {
  World w({.seed = 1});
  REQUIRE(w.Load(Workload("StatefulSet", "a:1", R"("replicas":3,"serviceName":"w",)")).ok());
  w.scheduler().RunFor(seconds(2));
  CHECK(Pods(w) == "w-0=a:1!");
  w.scheduler().RunFor(minutes(1));
  CHECK(Pods(w) == "w-0=a:1 w-1=a:1 w-2=a:1");
  MustCall(w.api(),
           PatchRequest(StatefulSetType(), "w", PatchKind::kMerge,
                        R"({"spec":{"updateStrategy":{"rollingUpdate":{"partition":2}}}})"));
  SetImage(w, StatefulSetType(), "a:2");
  w.scheduler().RunFor(minutes(1));
  CHECK(Pods(w) == "w-0=a:1 w-1=a:1 w-2=a:2");
  ObjectPtr set = w.api().Get("apps", "statefulsets", "default", "w");
  CHECK(set->At("status", "updatedReplicas") == Json(1));
  CHECK_FALSE(set->At("status", "currentRevision") == set->At("status", "updateRevision"));
  MustCall(w.api(),
           PatchRequest(StatefulSetType(), "w", PatchKind::kMerge,
                        R"({"spec":{"updateStrategy":{"rollingUpdate":{"partition":0}}}})"));
  w.scheduler().RunFor(minutes(2));
  CHECK(Pods(w) == "w-0=a:2 w-1=a:2 w-2=a:2");
  set = w.api().Get("apps", "statefulsets", "default", "w");
  CHECK(set->At("status", "currentRevision") == set->At("status", "updateRevision"));
  CHECK(w.api().List("apps", "controllerrevisions", "default").size() == 2);
  MustCall(w.api(),
           PatchRequest(StatefulSetType(), "w", PatchKind::kMerge, R"({"spec":{"replicas":1}})"));
  w.scheduler().RunFor(minutes(1));
  CHECK(Pods(w) == "w-0=a:2");
}

TEST_CASE("a DaemonSet covers every node and updates one at a time") {
  World w({.seed = 1, .nodes = 4});
  REQUIRE(w.Load(Workload("DaemonSet", "a:1")).ok());
  w.scheduler().RunFor(seconds(30));
  ObjectPtr set = w.api().Get("apps", "daemonsets", "default", "w");
  CHECK(set->At("status", "numberReady") == Json(4));
  SetImage(w, DaemonSetType(), "a:2");
  int64_t least = 4;
  bool done = w.scheduler().RunUntil(
      [&] {
        const Json& status = w.api().Get("apps", "daemonsets", "default", "w")->At("status");
        least = std::min(least, status.At("numberReady").IntOr(0));
        return status.At("updatedNumberScheduled") == Json(4) &&
               status.At("numberReady") == Json(4) && status.At("observedGeneration") == Json(2);
      },
      minutes(5));
  CHECK(done);
  CHECK(least == 3);
}

TEST_CASE("Jobs complete, fail after their retries, and go after their time") {
  auto job = [](const char* image, std::string_view more) {
    return MustParse(StrCat(
        R"({"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"j","namespace":"default"},"spec":{)",
        more, R"("template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":")",
        image, R"("}]}}}})"));
  };
  World w({.seed = 1});
  REQUIRE(w.Load(job("ok", R"("ttlSecondsAfterFinished":60,)")).ok());
  w.scheduler().RunFor(seconds(20));
  ObjectPtr done = w.api().Get("batch", "jobs", "default", "j");
  REQUIRE(done != nullptr);
  CHECK(ConditionIsTrue(*done, "Complete"));
  CHECK(done->At("status", "succeeded") == Json(1));
  w.scheduler().RunFor(minutes(2));
  CHECK(w.api().Get("batch", "jobs", "default", "j") == nullptr);
  CHECK(w.api().List("", "pods", "default").empty());
  RevisionBehaviour bad;
  bad.job_fails = true;
  w.behaviours().SetImage("broken", bad);
  REQUIRE(w.Load(job("broken", R"("backoffLimit":2,)")).ok());
  w.scheduler().RunFor(minutes(2));
  ObjectPtr failed = w.api().Get("batch", "jobs", "default", "j");
  CHECK(ConditionIsTrue(*failed, "Failed"));
  CHECK(failed->At("status", "failed") == Json(3));
}

TEST_CASE("endpoints follow readiness, and the autoscaler follows the load") {
  World w({.seed = 1});
  Json d = MakeDeployment("web", 2, "app:1");
  d["spec"]["template"]["spec"]["containers"].items()[0].Set(
      "resources", MustParse(R"({"requests":{"cpu":"100m"}})"));
  REQUIRE(w.Load(d).ok());
  REQUIRE(
      w
          .Load(MustParse(
              R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"default"},"spec":{"selector":{"app":"web"},"ports":[{"port":80,"targetPort":8080}]}})"))
          .ok());
  REQUIRE(
      w
          .Load(MustParse(
              R"({"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"web","namespace":"default"},"spec":{"minReplicas":2,"maxReplicas":6,
    "scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"},"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":50}}}]}})"))
          .ok());
  size_t flow =
      w.traffic().Add({.service = "web", .source = {}, .requests_per_second = 20, .headers = {}});
  w.traffic().Start();
  w.scheduler().RunFor(minutes(1));
  ObjectPtr endpoints = w.api().Get("", "endpoints", "default", "web");
  REQUIRE(endpoints != nullptr);
  CHECK(endpoints->At("subsets").At(size_t{0}).At("addresses").size() == 2);
  CHECK(w.api().List("discovery.k8s.io", "endpointslices", "default").size() == 1);
  w.traffic().SetRate(flow, 100);  // 200 millicores over two pods: twice the target
  w.scheduler().RunFor(minutes(3));
  CHECK(w.api().Get("apps", "deployments", "default", "web")->At("spec", "replicas") == Json(4));
  w.traffic().SetRate(flow, 10);
  w.scheduler().RunFor(minutes(2));
  CHECK(w.api().Get("apps", "deployments", "default", "web")->At("spec", "replicas") == Json(4));
  w.scheduler().RunFor(minutes(6));
  CHECK(w.api().Get("apps", "deployments", "default", "web")->At("spec", "replicas") == Json(2));
}

TEST_CASE("a namespace goes when it is empty") {
  World w({.seed = 1});
  Json map = MakeConfigMap("c", "1");
  map["metadata"].Set("namespace", "shop");
  REQUIRE(w.Load(map).ok());
  MustCall(w.api(), Request(Verb::kDelete, NamespaceType(), "shop"));
  CHECK(w.api().Get("", "namespaces", "", "shop") != nullptr);
  w.scheduler().RunFor(seconds(10));
  CHECK(w.api().Get("", "namespaces", "", "shop") == nullptr);
  CHECK(w.api().Get("", "configmaps", "shop", "c") == nullptr);
}

}  // namespace
}  // namespace rollguard::sim
