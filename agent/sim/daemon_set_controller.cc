// SPDX-License-Identifier: Apache-2.0
// DaemonSets: one pod on every node; an update takes at most maxUnavailable nodes away at a time.
#include <algorithm>
#include <map>

#include "agent/base/text.h"
#include "agent/sim/controller.h"
#include "agent/sim/revisions.h"

namespace rollguard::sim {
namespace {

constexpr std::string_view kRevisionLabel = "controller-revision-hash";

class DaemonSetController final : public PodController {
 public:
  explicit DaemonSetController(const ControllerContext& context)
      : PodController(context, "apps", "daemonsets"), nodes_(context.api.TypeId("", "nodes")) {}

  void Observe(const Change& change) override {
    PodController::Observe(change);
    if (change.key.type == nodes_ && (!change.before || !change.after)) {
      for (const ObjectPtr& set : api_.store().List(type_))
        queue_.Add(ApiServer::KeyOf(type_, *set));
    }
  }

 private:
  void Sync(const ObjectKey& key) override {
    ObjectPtr set = api_.store().Get(key);
    if (!set || IsTerminating(*set)) return;
    TemplateRevision revision = SyncRevision(api_, *set);
    PlacePods(*set, revision.hash);
    if (Text(set->At("spec", "updateStrategy", "type")) != "OnDelete") Roll(*set, revision.hash);
    WriteStatus(key, *set, revision.hash);
    TrimRevisions(api_, *set, {revision.name});
  }

  void PlacePods(const Json& set, const std::string& hash) {
    std::map<std::string, bool> covered;
    for (const ObjectPtr& node : api_.store().List(nodes_))
      covered[std::string(NameOf(*node))] = false;
    for (const ObjectPtr& pod : api_.Controlled(UidOf(set), pods_)) {
      auto it = covered.find(pod->At("spec", "nodeName").Str());
      if (it == covered.end()) {
        if (!IsTerminating(*pod)) api_.Delete(ApiServer::KeyOf(pods_, *pod));
      } else {
        it->second = true;  // a terminating pod still holds its node
      }
    }
    for (const auto& [node, has] : covered) {
      if (has) continue;
      Json pod = MakePod(set, set.At("spec", "template"), "", StrCat(NameOf(set), "-"));
      pod["metadata"]["labels"].Set(kRevisionLabel, hash);
      pod["spec"].Set("nodeName", node);
      api_.Create(pods_, std::move(pod));
    }
  }

  void Roll(const Json& set, const std::string& hash) {
    std::vector<ObjectPtr> pods = api_.Controlled(UidOf(set), pods_);
    auto total = static_cast<int64_t>(api_.store().Count(nodes_));
    int64_t room = ResolveIntOrPercent(
        set.At("spec", "updateStrategy", "rollingUpdate", "maxUnavailable"), total, true, 1);
    room = std::max<int64_t>(room, 1);
    std::vector<ObjectPtr> old;
    for (const ObjectPtr& pod : pods) {
      bool stale = LabelOf(*pod, kRevisionLabel) != hash;
      bool up = PodIsReady(*pod) && !IsTerminating(*pod);
      if (!up) --room;
      if (stale && !IsTerminating(*pod)) {
        if (up)
          old.push_back(pod);
        else
          api_.Delete(ApiServer::KeyOf(pods_, *pod));
      }
    }
    for (size_t i = 0; i < old.size() && room > 0; ++i, --room)
      api_.Delete(ApiServer::KeyOf(pods_, *old[i]));
  }

  void WriteStatus(const ObjectKey& key, const Json& set, const std::string& hash) {
    std::vector<ObjectPtr> pods = api_.Controlled(UidOf(set), pods_);
    PodCounts counts =
        CountPods(pods, set.At("spec", "minReadySeconds").IntOr(0), api_.scheduler().Now());
    int64_t updated = std::count_if(pods.begin(), pods.end(), [&](const ObjectPtr& p) {
      return PodIsActive(*p) && LabelOf(*p, kRevisionLabel) == hash;
    });
    auto desired = static_cast<int64_t>(api_.store().Count(nodes_));
    int64_t generation = Meta(set).At("generation").IntOr(0);
    api_.Update(key, [&](Json& o) {
      Json& status = o["status"];
      status.Set("observedGeneration", generation).Set("desiredNumberScheduled", desired);
      status.Set("currentNumberScheduled", counts.total)
          .Set("numberMisscheduled", 0)
          .Set("numberReady", counts.ready);
      status.Set("numberAvailable", counts.available).Set("updatedNumberScheduled", updated);
      status.Set("numberUnavailable", std::max<int64_t>(0, desired - counts.available));
    });
    if (counts.next_available.count() > 0) queue_.AddAfter(key, counts.next_available);
  }

  const int nodes_;
};

}  // namespace

std::unique_ptr<Controller> MakeDaemonSetController(const ControllerContext& context) {
  return std::make_unique<DaemonSetController>(context);
}

}  // namespace rollguard::sim
