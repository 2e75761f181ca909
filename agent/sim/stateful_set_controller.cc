// SPDX-License-Identifier: Apache-2.0
// StatefulSets: pods with ordinals. OrderedReady goes one pod at a time and waits until everything
// below is ready; an update walks from the highest ordinal down to the partition. currentRevision
// catches up with updateRevision when every pod has it and is ready.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/sim/controller.h"
#include "agent/sim/deployment_math.h"
#include "agent/sim/revisions.h"

namespace rollguard::sim {
namespace {

constexpr std::string_view kRevisionLabel = "controller-revision-hash";

class StatefulSetController final : public PodController {
 public:
  explicit StatefulSetController(const ControllerContext& context)
      : PodController(context, "apps", "statefulsets") {}

 private:
  void Sync(const ObjectKey& key) override {
    ObjectPtr set = api_.store().Get(key);
    if (!set || IsTerminating(*set)) return;
    std::string update = SyncRevision(api_, *set).name;
    std::string current(Text(set->At("status", "currentRevision")));
    if (current.empty() || RevisionTemplate(api_, key.ns, current).is_null()) current = update;
    Act(*set, current, update);
    WriteStatus(key, *set, current, update);
    TrimRevisions(api_, *set, {current, update});
  }

  static int64_t Ordinal(std::string_view pod) {
    size_t dash = pod.rfind('-');
    return dash == std::string_view::npos ? -1 : ParseInt(pod.substr(dash + 1)).value_or(-1);
  }

  void Act(const Json& set, const std::string& current, const std::string& update) {
    int64_t replicas = SpecReplicas(set);
    bool ordered = Text(set.At("spec", "podManagementPolicy")) != "Parallel";
    bool blocked = false;
    for (int64_t i = 0; i < replicas; ++i) {
      ObjectPtr pod = PodAt(set, i);
      if (!pod) CreatePod(set, i, current, update);
      if (ordered && (!pod || IsTerminating(*pod) || !PodIsReady(*pod))) {
        blocked = true;
        break;
      }
    }
    std::vector<ObjectPtr> pods = api_.Controlled(UidOf(set), pods_);
    std::sort(pods.begin(), pods.end(), [](const ObjectPtr& a, const ObjectPtr& b) {
      return Ordinal(NameOf(*a)) > Ordinal(NameOf(*b));
    });
    if (blocked)
      return;  // as in Kubernetes: a stuck ordered set waits for somebody to delete the pod
    for (const ObjectPtr& pod : pods) {
      if (Ordinal(NameOf(*pod)) < replicas) break;
      if (!IsTerminating(*pod)) api_.Delete(ApiServer::KeyOf(pods_, *pod));
      if (ordered) return;
    }
    UpdatePods(set, pods, update);
  }

  static int64_t Partition(const Json& set) {
    return set.At("spec", "updateStrategy", "rollingUpdate", "partition").IntOr(0);
  }
  static bool Rolls(const Json& set) {
    return Text(set.At("spec", "updateStrategy", "type")) != "OnDelete";
  }

  void UpdatePods(const Json& set, const std::vector<ObjectPtr>& pods, const std::string& update) {
    if (!Rolls(set)) return;
    for (const ObjectPtr& pod : pods) {
      if (Ordinal(NameOf(*pod)) < Partition(set)) return;
      if (LabelOf(*pod, kRevisionLabel) != update) {
        if (!IsTerminating(*pod)) api_.Delete(ApiServer::KeyOf(pods_, *pod));
        return;
      }
      if (IsTerminating(*pod) || !PodIsReady(*pod)) return;
    }
  }

  ObjectPtr PodAt(const Json& set, int64_t ordinal) {
    return api_.store().Get(
        {pods_, std::string(NamespaceOf(set)), StrCat(NameOf(set), "-", ordinal)});
  }

  void CreatePod(const Json& set, int64_t ordinal, const std::string& current,
                 const std::string& update) {
    bool old = Rolls(set) ? ordinal < Partition(set) : false;
    std::string revision = old ? current : update;
    Json tmpl = RevisionTemplate(api_, NamespaceOf(set), revision);
    if (tmpl.is_null()) tmpl = set.At("spec", "template");
    std::string name = StrCat(NameOf(set), "-", ordinal);
    Json pod = MakePod(set, tmpl, name, "");
    pod["metadata"]["labels"]
        .Set(kRevisionLabel, revision)
        .Set("statefulset.kubernetes.io/pod-name", name);
    pod["spec"].Set("hostname", name);
    api_.Create(pods_, std::move(pod));
  }

  void WriteStatus(const ObjectKey& key, const Json& set, std::string current,
                   const std::string& update) {
    std::vector<ObjectPtr> pods = api_.Controlled(UidOf(set), pods_);
    PodCounts counts =
        CountPods(pods, set.At("spec", "minReadySeconds").IntOr(0), api_.scheduler().Now());
    auto with = [&](const std::string& revision) {
      return std::count_if(pods.begin(), pods.end(), [&](const ObjectPtr& p) {
        return PodIsActive(*p) && LabelOf(*p, kRevisionLabel) == revision;
      });
    };
    int64_t updated = with(update);
    bool done = updated == counts.total && counts.ready == counts.total &&
                counts.total == SpecReplicas(set);
    if (done) current = update;
    int64_t in_current = with(current);
    int64_t generation = Meta(set).At("generation").IntOr(0);
    api_.Update(key, [&](Json& o) {
      Json& status = o["status"];
      status.Set("observedGeneration", generation).Set("replicas", counts.total);
      status.Set("currentRevision", current).Set("updateRevision", update).Set("collisionCount", 0);
      std::pair<const char*, int64_t> numbers[] = {{"readyReplicas", counts.ready},
                                                   {"availableReplicas", counts.available},
                                                   {"currentReplicas", in_current},
                                                   {"updatedReplicas", updated}};
      for (auto [name, count] : numbers) {
        if (count > 0)
          status.Set(name, count);
        else
          status.Erase(name);
      }
    });
    if (counts.next_available.count() > 0) queue_.AddAfter(key, counts.next_available);
  }
};

}  // namespace

std::unique_ptr<Controller> MakeStatefulSetController(const ControllerContext& context) {
  return std::make_unique<StatefulSetController>(context);
}

}  // namespace rollguard::sim
