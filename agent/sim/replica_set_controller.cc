// SPDX-License-Identifier: Apache-2.0
// ReplicaSets: as many pods as asked for. Scaling down takes the least useful first: unscheduled,
// pending, not ready, most restarts, youngest.
#include <algorithm>
#include <tuple>

#include "agent/base/text.h"
#include "agent/sim/controller.h"

namespace rollguard::sim {
namespace {

// Smaller goes first.
auto Usefulness(const Json& pod) {
  int64_t restarts =
      pod.At("status", "containerStatuses").At(size_t{0}).At("restartCount").IntOr(0);
  return std::tuple(!Text(pod.At("spec", "nodeName")).empty(),
                    Text(pod.At("status", "phase")) == "Running", PodIsReady(pod), -restarts);
}

bool LessUseful(const ObjectPtr& a, const ObjectPtr& b) {
  auto ua = Usefulness(*a), ub = Usefulness(*b);
  if (ua != ub) return ua < ub;
  auto ta = Text(Meta(*a).At("creationTimestamp")), tb = Text(Meta(*b).At("creationTimestamp"));
  return ta != tb ? ta > tb : NameOf(*a) > NameOf(*b);
}

class ReplicaSetController final : public PodController {
 public:
  explicit ReplicaSetController(const ControllerContext& context)
      : PodController(context, "apps", "replicasets") {}

 private:
  void Sync(const ObjectKey& key) override {
    ObjectPtr set = api_.store().Get(key);
    if (!set) return;
    std::vector<ObjectPtr> pods = api_.Controlled(UidOf(*set), pods_);
    std::erase_if(pods, [](const ObjectPtr& p) { return !PodIsActive(*p); });
    if (!IsTerminating(*set)) Scale(*set, pods);
    pods = api_.Controlled(UidOf(*set), pods_);
    WriteStatus(key, *set, pods);
  }

  void Scale(const Json& set, std::vector<ObjectPtr>& pods) {
    int64_t wanted = set.At("spec", "replicas").IntOr(1);
    auto have = static_cast<int64_t>(pods.size());
    for (; have < wanted; ++have) {
      Json pod = MakePod(set, set.At("spec", "template"), "", StrCat(NameOf(set), "-"));
      if (!api_.Create(pods_, std::move(pod))) return;
    }
    if (have == wanted) return;
    std::sort(pods.begin(), pods.end(), LessUseful);
    for (size_t i = 0; static_cast<int64_t>(i) < have - wanted; ++i)
      api_.Delete(ApiServer::KeyOf(pods_, *pods[i]));
  }

  void WriteStatus(const ObjectKey& key, const Json& set, const std::vector<ObjectPtr>& pods) {
    PodCounts counts =
        CountPods(pods, set.At("spec", "minReadySeconds").IntOr(0), api_.scheduler().Now());
    int64_t generation = Meta(set).At("generation").IntOr(0);
    api_.Update(key, [&](Json& object) {
      Json& status = object["status"];
      status.Set("replicas", counts.total).Set("fullyLabeledReplicas", counts.total);
      status.Set("readyReplicas", counts.ready).Set("availableReplicas", counts.available);
      status.Set("observedGeneration", generation);
      for (auto name : {"fullyLabeledReplicas", "readyReplicas", "availableReplicas"}) {
        if (status.At(name).IntOr(0) == 0) status.Erase(name);
      }
    });
    if (counts.next_available.count() > 0) queue_.AddAfter(key, counts.next_available);
  }
};

}  // namespace

std::unique_ptr<Controller> MakeReplicaSetController(const ControllerContext& context) {
  return std::make_unique<ReplicaSetController>(context);
}

}  // namespace rollguard::sim
