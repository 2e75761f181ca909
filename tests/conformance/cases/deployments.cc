// SPDX-License-Identifier: Apache-2.0
// Deployments: revisions, pausing, undoing, neighbours. What the agent's strategies stand on.
#include <set>

#include "agent/base/text.h"
#include "tests/conformance/api.h"
#include "tests/support/catch.h"

namespace rollguard::conformance {
namespace {

constexpr const char* kRevision = "deployment.kubernetes.io/revision";

std::string ImageOf(const Json& workload) {
  return workload.At("spec", "template", "spec", "containers").At(0).At("image").Str();
}

// The ReplicaSet of that image, or null.
Json ReplicaSetOf(const Space& space, const std::string& app, const std::string& image) {
  for (const Json& set : space.Items(ReplicaSets(), "app=" + app)) {
    if (ImageOf(set) == image) return set;
  }
  return Json();
}

std::string Condition(const Json& object, std::string_view type) {
  for (const Json& condition : object.At("status", "conditions").items()) {
    if (condition.At("type").Str() == type) {
      return condition.At("status").Str() + " " + condition.At("reason").Str();
    }
  }
  return "";
}

void SetImage(const Space& space, const std::string& name, const std::string& image) {
  space.MustPatch(Deployments(), name, PatchKind::kStrategic, ImagePatch(image));
}

TEST_CASE("a Deployment makes a ReplicaSet, which makes ready pods of its hash") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop"));
  REQUIRE(space.Settles("shop"));
  const std::vector<Json> sets = space.Items(ReplicaSets(), "app=shop");
  REQUIRE(sets.size() == 1);
  const std::string hash = sets[0].At("metadata", "labels", "pod-template-hash").Str();
  CHECK_FALSE(hash.empty());
  CHECK(sets[0].At("metadata", "name").Str() == "shop-" + hash);
  CHECK(sets[0].At("spec", "selector", "matchLabels", "pod-template-hash").Str() == hash);
  const Json& owner = sets[0].At("metadata", "ownerReferences").At(0);
  CHECK(owner.At("kind").Str() == "Deployment");
  CHECK(owner.At("controller").BoolOr(false));
  const std::vector<Json> pods = space.Items(Pods(), "pod-template-hash=" + hash);
  REQUIRE(pods.size() == 2);
  CHECK(pods[0].At("status", "phase").Str() == "Running");
  CHECK_FALSE(pods[0].At("status", "podIP").Str().empty());
  CHECK(Condition(pods[0], "Ready").starts_with("True"));
}

TEST_CASE("a settled Deployment says so in its status and conditions") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop"));
  REQUIRE(space.Settles("shop"));
  CHECK(space.Becomes(Deployments(), "shop", [](const Json& d) {
    return Condition(d, "Available") == "True MinimumReplicasAvailable" &&
           Condition(d, "Progressing") == "True NewReplicaSetAvailable";
  }));
  const Json status = space.MustGet(Deployments(), "shop").At("status");
  CHECK(status.At("readyReplicas").IntOr(0) == 2);
  CHECK(status.At("unavailableReplicas").IntOr(0) == 0);
}

TEST_CASE("a new template rolls to a new ReplicaSet and revision, and the old one stays at zero") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop"));
  REQUIRE(space.Settles("shop"));
  SetImage(space, "shop", "shop:v2");
  REQUIRE(space.Settles("shop"));
  const Json old = ReplicaSetOf(space, "shop", "shop:v1");
  const Json now = ReplicaSetOf(space, "shop", "shop:v2");
  CHECK(old.At("spec", "replicas").IntOr(-1) == 0);
  CHECK(now.At("spec", "replicas").IntOr(-1) == 2);
  CHECK(old.At("metadata", "annotations", kRevision).Str() == "1");
  CHECK(now.At("metadata", "annotations", kRevision).Str() == "2");
  CHECK(space.MustGet(Deployments(), "shop").At("metadata", "annotations", kRevision).Str() == "2");
  CHECK(space.CountBecomes(Pods(), "app=shop", 2));
}

TEST_CASE("a changed template in a paused Deployment starts no pods") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop"));
  REQUIRE(space.Settles("shop"));
  space.MustPatch(Deployments(), "shop", PatchKind::kMerge, J("{'spec': {'paused': true}}"));
  SetImage(space, "shop", "shop:v2");
  CHECK(space.Becomes(Deployments(), "shop", [](const Json& d) {
    return d.At("status", "observedGeneration").IntOr(0) ==
               d.At("metadata", "generation").IntOr(-1) &&
           d.At("status", "updatedReplicas").IntOr(0) == 0;
  }));
  space.Linger();
  CHECK(space.Items(ReplicaSets(), "app=shop").size() == 1);
  CHECK(space.Items(Pods(), "app=shop").size() == 2);
  CHECK(Condition(space.MustGet(Deployments(), "shop"), "Progressing") ==
        "Unknown DeploymentPaused");
}

TEST_CASE("scaling a paused Deployment with a changed template scales the old ReplicaSet") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop"));
  REQUIRE(space.Settles("shop"));
  space.MustPatch(Deployments(), "shop", PatchKind::kMerge, J("{'spec': {'paused': true}}"));
  SetImage(space, "shop", "shop:v2");
  space.MustPatch(Deployments(), "shop", PatchKind::kMerge, J("{'spec': {'replicas': 4}}"));
  REQUIRE(TheApi().Until(
      [&] {
        return ReplicaSetOf(space, "shop", "shop:v1").At("status", "readyReplicas").IntOr(0) == 4;
      },
      std::chrono::seconds(60)));
  CHECK(ReplicaSetOf(space, "shop", "shop:v2").is_null());
  space.MustPatch(Deployments(), "shop", PatchKind::kMerge, J("{'spec': {'replicas': 1}}"));
  CHECK(space.CountBecomes(Pods(), "app=shop", 1));
}

TEST_CASE("unpausing rolls at once") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop"));
  REQUIRE(space.Settles("shop"));
  space.MustPatch(Deployments(), "shop", PatchKind::kMerge, J("{'spec': {'paused': true}}"));
  SetImage(space, "shop", "shop:v2");
  space.MustPatch(Deployments(), "shop", PatchKind::kMerge, J("{'spec': {'paused': false}}"));
  REQUIRE(space.Settles("shop"));
  CHECK(ReplicaSetOf(space, "shop", "shop:v2").At("status", "readyReplicas").IntOr(0) == 2);
}

TEST_CASE("putting the template back while paused leaves nothing to roll") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop"));
  REQUIRE(space.Settles("shop"));
  space.MustPatch(Deployments(), "shop", PatchKind::kMerge, J("{'spec': {'paused': true}}"));
  SetImage(space, "shop", "shop:v2");
  SetImage(space, "shop", "shop:v1");
  CHECK(space.Becomes(Deployments(), "shop", [](const Json& d) {
    return d.At("status", "updatedReplicas").IntOr(0) == 2;
  }));
  CHECK(space.Items(ReplicaSets(), "app=shop").size() == 1);
}

TEST_CASE("undo: the old template takes the old ReplicaSet again, with a new revision") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop"));
  REQUIRE(space.Settles("shop"));
  SetImage(space, "shop", "shop:v2");
  REQUIRE(space.Settles("shop"));
  const std::string name = ReplicaSetOf(space, "shop", "shop:v1").At("metadata", "name").Str();
  // As `kubectl rollout undo` does: the ReplicaSet's template without the hash.
  Json old = ReplicaSetOf(space, "shop", "shop:v1").At("spec", "template");
  old["metadata"]["labels"].Erase("pod-template-hash");
  space.MustPatch(
      Deployments(), "shop", PatchKind::kJson,
      Json::Arr({Json::Obj({{"op", "replace"}, {"path", "/spec/template"}, {"value", old}})}));
  REQUIRE(space.Settles("shop"));
  CHECK(space.Items(ReplicaSets(), "app=shop").size() == 2);
  const Json back = ReplicaSetOf(space, "shop", "shop:v1");
  CHECK(back.At("metadata", "name").Str() == name);
  CHECK(back.At("spec", "replicas").IntOr(0) == 2);
  CHECK(back.At("metadata", "annotations", kRevision).Str() == "3");
}

TEST_CASE("a revision that never becomes ready does not take the old pods away") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop"));
  REQUIRE(space.Settles("shop"));
  SetImage(space, "shop", "shop:never-ready");
  REQUIRE(TheApi().Until(
      [&] {
        return ReplicaSetOf(space, "shop", "shop:never-ready").At("status", "replicas").IntOr(0) ==
               1;
      },
      std::chrono::seconds(60)));
  space.Linger();
  CHECK(ReplicaSetOf(space, "shop", "shop:v1").At("status", "readyReplicas").IntOr(0) == 2);
  const Json status = space.MustGet(Deployments(), "shop").At("status");
  CHECK(status.At("updatedReplicas").IntOr(0) == 1);
  CHECK(status.At("availableReplicas").IntOr(0) == 2);
  CHECK(status.At("replicas").IntOr(0) == 3);
}

TEST_CASE("a rollout that makes no progress says so after its deadline, and goes on trying") {
  const Space space;
  Json body = Deployment("shop", "shop:never-ready", 1);
  body["spec"]["progressDeadlineSeconds"] = 3;
  space.MustCreate(Deployments(), body);
  REQUIRE(space.Becomes(Deployments(), "shop", [](const Json& d) {
    return Condition(d, "Progressing") == "False ProgressDeadlineExceeded";
  }));
  SetImage(space, "shop", "shop:v1");
  CHECK(space.Settles("shop"));
}

TEST_CASE("a sibling whose labels the first selector matches too is left alone") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop"));
  Json sibling = Deployment("shop-candidate", "shop:v2", 1);
  const Json labels = J("{'app': 'shop', 'rollguard.dev/track': 'candidate'}");
  sibling["spec"]["selector"]["matchLabels"] = labels;
  sibling["spec"]["template"]["metadata"]["labels"] = labels;
  space.MustCreate(Deployments(), sibling);
  REQUIRE(space.Settles("shop"));
  REQUIRE(space.Settles("shop-candidate"));
  space.Linger();
  CHECK(space.Items(Pods(), "app=shop").size() == 3);
  CHECK(space.Items(Pods(), "rollguard.dev/track=candidate").size() == 1);
  std::set<std::string> hashes;
  for (const Json& pod : space.Items(Pods(), "app=shop")) {
    hashes.insert(pod.At("metadata", "labels", "pod-template-hash").Str());
  }
  CHECK(hashes.size() == 2);
  CHECK(space.MustGet(Deployments(), "shop").At("status", "replicas").IntOr(0) == 2);
}

TEST_CASE("the history limit removes old ReplicaSets") {
  const Space space;
  Json body = Deployment("shop", "shop:v1", 1);
  body["spec"]["revisionHistoryLimit"] = 1;
  space.MustCreate(Deployments(), body);
  REQUIRE(space.Settles("shop"));
  for (const char* image : {"shop:v2", "shop:v3"}) {
    SetImage(space, "shop", image);
    REQUIRE(space.Settles("shop"));
  }
  CHECK(space.CountBecomes(ReplicaSets(), "app=shop", 2));
  // Which of the two older ones stays is open when both were made in the same second.
  CHECK(ReplicaSetOf(space, "shop", "shop:v3").At("spec", "replicas").IntOr(0) == 1);
}

TEST_CASE("Recreate takes the old pods away before the new ones start") {
  const Space space;
  Json body = Deployment("shop");
  body["spec"]["strategy"] = J("{'type': 'Recreate'}");
  space.MustCreate(Deployments(), body);
  REQUIRE(space.Settles("shop"));
  const Expected<Json> list = space.List(Pods());
  REQUIRE(list.ok());
  const Recorder watch(WatchFrom(space, Pods(), VersionOf(list.value())));
  SetImage(space, "shop", "shop:v2");
  REQUIRE(space.Settles("shop"));
  int gone = 0;
  int gone_at_first_new = -1;
  for (const Recorder::Event& event : watch.Events()) {
    if (event.type == WatchEvent::Type::kDeleted) ++gone;
    if (event.type == WatchEvent::Type::kAdded && gone_at_first_new < 0) gone_at_first_new = gone;
  }
  CHECK(gone_at_first_new == 2);
}

TEST_CASE("a deleted pod is replaced") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop", "shop:v1", 1));
  REQUIRE(space.Settles("shop"));
  const Json pod = space.Items(Pods(), "app=shop").at(0);
  const std::string name = pod.At("metadata", "name").Str();
  REQUIRE(Outcome(space.Delete(Pods(), name)) == "ok");
  CHECK(space.Becomes(Pods(), name, [](const Json& p) { return p.is_null(); }));
  REQUIRE(space.Settles("shop"));
  CHECK(space.CountBecomes(Pods(), "app=shop", 1));
}

TEST_CASE("a pod that is told to stop says so before it is gone") {
  const Space space;
  space.MustCreate(Deployments(), Deployment("shop", "shop:v1", 1));
  REQUIRE(space.Settles("shop"));
  const Expected<Json> list = space.List(Pods());
  REQUIRE(list.ok());
  const Recorder watch(WatchFrom(space, Pods(), VersionOf(list.value())));
  space.MustPatch(Deployments(), "shop", PatchKind::kMerge, J("{'spec': {'replicas': 0}}"));
  REQUIRE(space.CountBecomes(Pods(), "app=shop", 0));
  REQUIRE(watch.WaitFor(2));
  const Recorder::Event first = watch.Events().front();
  CHECK(first.type == WatchEvent::Type::kModified);
  CHECK_FALSE(first.object.At("metadata", "deletionTimestamp").Str().empty());
  CHECK(watch.Events().back().type == WatchEvent::Type::kDeleted);
}

}  // namespace
}  // namespace rollguard::conformance
