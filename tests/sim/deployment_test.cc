// SPDX-License-Identifier: Apache-2.0
// Deployments under the simulated controllers.
#include <algorithm>
#include <set>

#include "agent/sim/deployment_math.h"
#include "agent/sim/world.h"
#include "tests/sim/fixtures.h"

namespace rollguard::sim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

ObjectPtr Deployment(World& w, std::string_view name = "web") {
  return w.api().Get("apps", "deployments", "default", name);
}

Json Patch(World& w, std::string_view body, const std::string& name = "web") {
  return MustCall(w.api(), PatchRequest(DeploymentType(), name, PatchKind::kMerge, body));
}

Json SetImage(World& w, const std::string& image) {
  return MustCall(
      w.api(),
      PatchRequest(DeploymentType(), "web", PatchKind::kStrategic,
                   StrCat(R"({"spec":{"template":{"spec":{"containers":[{"name":"app","image":")",
                          image, R"("}]}}}})")));
}

int64_t ReadyPods(World& w, std::string_view image) {
  int64_t n = 0;
  for (const ObjectPtr& pod : w.api().List("", "pods", "default")) {
    n += PodIsReady(*pod) && !IsTerminating(*pod) &&
         Text(pod->At("spec", "containers").At(size_t{0}).At("image")) == image;
  }
  return n;
}

TEST_CASE("a Deployment becomes pods, and its status tells") {
  World w({.seed = 3});
  REQUIRE(w.Load(MakeDeployment("web", 3, "app:1")).ok());
  REQUIRE(w.WaitForDeployment("default", "web", minutes(1)));
  ObjectPtr d = Deployment(w);
  CHECK(StatusCount(*d, "readyReplicas") == 3);
  CHECK(AnnotationOf(*d, kRevisionAnnotation) == "1");
  CHECK(ConditionIsTrue(*d, "Available"));
  CHECK(Text(ConditionOf(*d, "Progressing").At("reason")) == "NewReplicaSetAvailable");
  CHECK(Meta(*d).At("generation") == Json(1));
  auto sets = w.api().List("apps", "replicasets", "default");
  REQUIRE(sets.size() == 1);
  CHECK(LabelOf(*sets[0], "pod-template-hash").size() == 10);
}

TEST_CASE("a rolling update stays within surge and unavailable") {
  World w({.seed = 5});
  REQUIRE(w.Load(MakeDeployment("web", 8, "app:1")).ok());
  REQUIRE(w.WaitForDeployment("default", "web", minutes(1)));
  SetImage(w, "app:2");
  int64_t least = 99, most = 0;
  w.scheduler().RunUntil(
      [&] {
        ObjectPtr d = Deployment(w);
        int64_t ready = ReadyPods(w, "app:1") + ReadyPods(w, "app:2");
        least = std::min(least, ready);
        most = std::max(most, StatusCount(*d, "replicas"));
        return RolloutComplete(*d, d->At("status"));
      },
      minutes(5));
  CHECK(least >= 6);
  CHECK(most <= 10);
  CHECK(ReadyPods(w, "app:2") == 8);
  CHECK(AnnotationOf(*Deployment(w), kRevisionAnnotation) == "2");
}

TEST_CASE("a changed template in a paused Deployment starts nothing; scaling still works") {
  World w({.seed = 1});
  REQUIRE(w.Load(MakeDeployment("web", 3, "app:1")).ok());
  REQUIRE(w.WaitForDeployment("default", "web", minutes(1)));
  Patch(w, R"({"spec":{"paused":true}})");
  SetImage(w, "app:2");
  w.scheduler().RunFor(minutes(1));
  ObjectPtr d = Deployment(w);
  CHECK(StatusCount(*d, "updatedReplicas") == 0);
  CHECK(StatusCount(*d, "readyReplicas") == 3);
  CHECK(w.api().List("apps", "replicasets", "default").size() == 1);
  CHECK(Text(ConditionOf(*d, "Progressing").At("reason")) == "DeploymentPaused");
  Patch(w, R"({"spec":{"replicas":5}})");
  w.scheduler().RunFor(minutes(1));
  CHECK(ReadyPods(w, "app:1") == 5);
  Patch(w, R"({"spec":{"paused":false}})");
  REQUIRE(w.WaitForDeployment("default", "web", minutes(3)));
  CHECK(ReadyPods(w, "app:2") == 5);
}

// Half of a rollout stands behind a pause; then the whole is to be as large as the newer half is.
TEST_CASE("resizing to the size that the newer ReplicaSet has leaves the older one its share") {
  World w({.seed = 4});
  REQUIRE(w.Load(MakeDeployment("web", 5, "app:1")).ok());
  REQUIRE(w.WaitForDeployment("default", "web", minutes(1)));
  SetImage(w, "app:2");
  while (ReadyPods(w, "app:2") == 0 && w.scheduler().Next()) w.scheduler().RunOne();
  Patch(w, R"({"spec":{"paused":true}})");
  w.scheduler().RunFor(minutes(1));
  const int64_t newer = ReadyPods(w, "app:2");
  REQUIRE(newer > 0);
  REQUIRE(newer < 5);
  REQUIRE(ReadyPods(w, "app:1") > 0);
  Patch(w, StrCat(R"({"spec":{"replicas":)", newer, "}}"));
  w.scheduler().RunFor(minutes(1));
  CHECK(ReadyPods(w, "app:1") > 0);
  CHECK(ReadyPods(w, "app:2") < newer);
}

TEST_CASE("resizing in the middle of a rollout is shared out by size") {
  World w({.seed = 2});
  REQUIRE(w.Load(MakeDeployment("web", 10, "app:1")).ok());
  REQUIRE(w.WaitForDeployment("default", "web", minutes(1)));
  RevisionBehaviour stuck;
  stuck.never_ready = true;
  w.behaviours().SetImage("app:2", stuck);
  SetImage(w, "app:2");
  w.scheduler().RunFor(minutes(1));
  Patch(w, R"({"spec":{"replicas":20}})");
  w.scheduler().RunFor(minutes(1));
  int64_t total = 0;
  for (const ObjectPtr& set : w.api().List("apps", "replicasets", "default")) {
    CHECK(SpecReplicas(*set) > 0);
    total += SpecReplicas(*set);
  }
  CHECK(total == 25);
}

TEST_CASE("a rollout that stands still fails its deadline") {
  World w({.seed = 2});
  Json d = MakeDeployment("web", 2, "app:1");
  d["spec"].Set("progressDeadlineSeconds", 60);
  REQUIRE(w.Load(d).ok());
  REQUIRE(w.WaitForDeployment("default", "web", minutes(1)));
  RevisionBehaviour broken;
  broken.image_pull_fails = true;
  w.behaviours().SetImage("app:2", broken);
  SetImage(w, "app:2");
  w.scheduler().RunFor(seconds(50));
  CHECK(Text(ConditionOf(*Deployment(w), "Progressing").At("status")) == "True");
  w.scheduler().RunFor(seconds(30));
  CHECK(Text(ConditionOf(*Deployment(w), "Progressing").At("reason")) ==
        "ProgressDeadlineExceeded");
  bool waiting = false;
  for (const ObjectPtr& pod : w.api().List("", "pods", "default")) {
    waiting |= Text(pod->At("status", "containerStatuses")
                        .At(size_t{0})
                        .At("state", "waiting", "reason")) == "ImagePullBackOff";
  }
  CHECK(waiting);
  SetImage(w, "app:1");
  REQUIRE(w.WaitForDeployment("default", "web", minutes(1)));
  CHECK(AnnotationOf(*Deployment(w), kRevisionAnnotation) == "3");
}

TEST_CASE("Recreate never runs both versions") {
  World w({.seed = 2});
  Json d = MakeDeployment("web", 3, "app:1");
  d["spec"].Set("strategy", Json::Obj({{"type", "Recreate"}}));
  REQUIRE(w.Load(d).ok());
  REQUIRE(w.WaitForDeployment("default", "web", minutes(1)));
  SetImage(w, "app:2");
  bool mixed = false;
  w.scheduler().RunUntil(
      [&] {
        std::set<std::string> images;
        for (const ObjectPtr& pod : w.api().List("", "pods", "default"))
          images.insert(pod->At("spec", "containers").At(size_t{0}).At("image").Str());
        mixed |= images.size() > 1;
        return RolloutComplete(*Deployment(w), Deployment(w)->At("status"));
      },
      minutes(3));
  CHECK_FALSE(mixed);
  CHECK(ReadyPods(w, "app:2") == 3);
}

TEST_CASE("history is kept to its limit, and crash loops are counted") {
  World w({.seed = 2});
  Json d = MakeDeployment("web", 1, "app:0");
  d["spec"].Set("revisionHistoryLimit", 2);
  REQUIRE(w.Load(d).ok());
  for (int i = 1; i < 6; ++i) {
    REQUIRE(w.WaitForDeployment("default", "web", minutes(1)));
    SetImage(w, StrCat("app:", i));
    w.scheduler().RunFor(minutes(1));
  }
  CHECK(w.api().List("apps", "replicasets", "default").size() == 3);
  RevisionBehaviour crash;
  crash.crash_after = Duration(1000);
  w.behaviours().SetImage("app:9", crash);
  SetImage(w, "app:9");
  w.scheduler().RunFor(minutes(2));
  int64_t restarts = 0;
  for (const ObjectPtr& pod : w.api().List("", "pods", "default"))
    restarts += pod->At("status", "containerStatuses").At(size_t{0}).At("restartCount").IntOr(0);
  CHECK(restarts >= 3);
  CHECK(ReadyPods(w, "app:5") == 1);
}

TEST_CASE("owners take their dependents along; orphans stay and are adopted") {
  for (auto mode : {"Background", "Foreground", "Orphan"}) {
    INFO(mode);
    World w({.seed = 4});
    REQUIRE(w.Load(MakeDeployment("web", 2, "app:1")).ok());
    REQUIRE(w.WaitForDeployment("default", "web", minutes(1)));
    ClusterRequest del = Request(Verb::kDelete, DeploymentType(), "web");
    del.propagation = mode;
    MustCall(w.api(), del);
    w.scheduler().RunFor(minutes(1));
    CHECK(Deployment(w) == nullptr);
    bool orphan = std::string_view(mode) == "Orphan";
    CHECK(w.api().List("apps", "replicasets", "default").size() == (orphan ? 1U : 0U));
    CHECK(w.api().List("", "pods", "default").size() == (orphan ? 2U : 0U));
    if (!orphan) continue;
    REQUIRE(w.Load(MakeDeployment("web", 2, "app:1")).ok());
    REQUIRE(w.WaitForDeployment("default", "web", minutes(1)));
    CHECK(w.api().List("apps", "replicasets", "default").size() == 1);
  }
}

}  // namespace
}  // namespace rollguard::sim
