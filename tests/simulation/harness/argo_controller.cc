// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "agent/base/text.h"
#include "agent/sim/defaults.h"
#include "tests/simulation/harness/foreign.h"

namespace rollguard::simulation {
namespace {

using sim::ObjectKey;
using sim::ObjectPtr;

constexpr const char* kHash = "rollouts-pod-template-hash";

int64_t Available(const ObjectPtr& set) {
  return set ? set->At("status", "availableReplicas").IntOr(0) : 0;
}
int64_t Wanted(const ObjectPtr& set) { return set ? set->At("spec", "replicas").IntOr(0) : 0; }

// A Rollout and its ReplicaSets at one moment.
struct Rollout {
  const Json& object;
  std::string hash;
  std::string stable_hash;
  ObjectPtr fresh, stable;  // the same one at rest
  std::vector<ObjectPtr> others;

  const Json& spec() const { return object.At("spec"); }
  const Json& status() const { return object.At("status"); }
  const Json& steps() const { return spec().At("strategy", "canary", "steps"); }
  int64_t replicas() const { return spec().At("replicas").IntOr(1); }
  size_t index() const { return static_cast<size_t>(status().At("currentStepIndex").IntOr(0)); }
  bool paused() const { return spec().At("paused").BoolOr(false); }
  bool aborted() const { return status().At("abort").BoolOr(false); }
  bool alone() const { return stable_hash.empty() || stable_hash == hash; }
  bool last() const {
    return status().At("promoteFull").BoolOr(false) || index() >= steps().size();
  }
  // Of the steps up to this one, in pods; both tracks keep one until the end.
  int64_t share() const {
    if (alone() || (last() && !aborted())) return replicas();
    if (aborted()) return 0;
    for (size_t i = index() + 1; i-- > 0;) {
      const Json* weight = steps().At(i).Find("setWeight");
      if (weight == nullptr) continue;
      return std::min((replicas() * weight->IntOr(0) + 99) / 100,
                      std::max<int64_t>(1, replicas() - 1));
    }
    return 0;
  }
};

class ArgoController final : public sim::Controller {
 public:
  explicit ArgoController(const sim::ControllerContext& c)
      : api_(c.api),
        type_(c.api.TypeId("argoproj.io", "rollouts")),
        sets_(c.api.TypeId("apps", "replicasets")),
        queue_(c.api.scheduler(), c.lag, c.seed, [this](const ObjectKey& key) { Sync(key); }) {}

  void Observe(const sim::Change& change) override {
    if (change.key.type == type_ && change.after) queue_.Add(change.key);
    if (change.key.type == sets_) sim::EnqueueOwner(queue_, change, type_);
  }

 private:
  void Sync(const ObjectKey& key) {
    ObjectPtr object = api_.store().Get(key);
    if (!object || sim::IsTerminating(*object)) return;
    const std::string hash = ForeignHash(object->At("spec", "template"));
    if (object->At("status", "currentPodHash").Str() != hash) return Restart(key, hash);
    const Rollout rollout = Read(key, *object, hash);
    const bool scaled = Scale(key.ns, rollout);
    const bool there = !scaled && AtSize(rollout);
    const bool late = Late(key, rollout, there);
    api_.Update(key, [&](Json& changed) {
      Json& status = changed["status"];
      if (late) Abort(status);
      if (there && !late) Advance(key, rollout, status);
      Tell(rollout, status);
    });
  }

  // A template that is new to it ends whatever was said about the one before.
  void Restart(const ObjectKey& key, const std::string& hash) {
    api_.Update(key, [&](Json& changed) {
      const auto steps =
          static_cast<int64_t>(changed.At("spec", "strategy", "canary", "steps").size());
      Json& status = changed["status"];
      status.Set("currentPodHash", hash).Set("phase", "Progressing");
      for (const char* word : {"abort", "pauseConditions", "controllerPause", "promoteFull"})
        status.Erase(word);
      status.Set("currentStepIndex", status.At("stableRS").Str() == hash ? steps : int64_t{0});
    });
  }

  Rollout Read(const ObjectKey& key, const Json& object, const std::string& hash) {
    Rollout rollout{object, hash, object.At("status", "stableRS").Str(), {}, {}, {}};
    const std::string name = StrCat(key.name, "-", hash);
    if (!api_.store().Get({sets_, key.ns, name})) MakeSet(object, name, hash);
    for (const ObjectPtr& set : api_.Controlled(sim::UidOf(object), sets_)) {
      const std::string_view its = sim::LabelOf(*set, kHash);
      if (its == hash) rollout.fresh = set;
      if (its == rollout.stable_hash) rollout.stable = set;
      if (its != hash && its != rollout.stable_hash) rollout.others.push_back(set);
    }
    return rollout;
  }

  void MakeSet(const Json& object, const std::string& name, const std::string& hash) {
    Json pods = object.At("spec", "template");
    pods["metadata"]["labels"].Set(kHash, hash);
    Json labels = pods.At("metadata", "labels");
    Json metadata = Json::Obj({{"name", name},
                               {"namespace", sim::NamespaceOf(object)},
                               {"labels", labels},
                               {"ownerReferences", Json::Arr({sim::ControllerRef(object)})}});
    Json spec = Json::Obj({{"replicas", 0},
                           {"selector", Json::Obj({{"matchLabels", std::move(labels)}})},
                           {"template", std::move(pods)}});
    api_.Create(sets_, Json::Obj({{"metadata", std::move(metadata)}, {"spec", std::move(spec)}}));
  }

  // More pods first, fewer once others can answer.
  bool Scale(const std::string& ns, const Rollout& r) {
    const int64_t share = r.share(), all = r.replicas();
    bool scaled = false;
    if (r.alone()) {
      scaled = SetSize(ns, r.fresh, all);
    } else {
      const int64_t keep = std::max(all - share, all - Available(r.fresh));
      scaled = SetSize(ns, r.stable, r.aborted() ? all : keep);
      const int64_t left = std::min(Wanted(r.fresh), all - Available(r.stable));
      scaled = SetSize(ns, r.fresh, r.aborted() ? std::max<int64_t>(0, left) : share) || scaled;
    }
    int64_t spare = all - Available(r.fresh) - (r.alone() ? 0 : Available(r.stable));
    for (const ObjectPtr& set : r.others) {
      const int64_t size = std::clamp<int64_t>(spare, 0, Wanted(set));
      spare -= size;
      scaled = SetSize(ns, set, size) || scaled;
    }
    return scaled;
  }

  bool SetSize(const std::string& ns, const ObjectPtr& set, int64_t size) {
    if (!set || Wanted(set) == size) return false;
    api_.Update({sets_, ns, std::string(sim::NameOf(*set))},
                [&](Json& object) { object["spec"].Set("replicas", size); });
    return true;
  }

  bool AtSize(const Rollout& r) const {
    const bool gone = std::all_of(r.others.begin(), r.others.end(),
                                  [](const ObjectPtr& set) { return Wanted(set) == 0; });
    const bool stable = r.alone() || r.aborted() ||
                        Wanted(r.stable) == std::max<int64_t>(0, r.replicas() - r.share());
    return gone && stable && r.fresh && Available(r.fresh) == r.share();
  }

  // True once nothing has moved for too long.
  bool Late(const ObjectKey& key, const Rollout& r, bool there) {
    const int64_t mark = Available(r.fresh) * 1000 + static_cast<int64_t>(r.index());
    const Time now = api_.scheduler().Now();
    const bool still = r.alone() || r.aborted() || r.paused() || there;
    if (still || mark != mark_ || r.hash != marked_) {
      mark_ = mark;
      marked_ = r.hash;
      moved_ = now;
    }
    if (still) return false;
    const Duration limit = std::chrono::seconds(r.spec().At("progressDeadlineSeconds").IntOr(600));
    if (now - moved_ >= limit) return true;
    queue_.AddAfter(key, moved_ + limit - now);
    return false;
  }

  static void Abort(Json& status) {
    status.Set("abort", true);
    status.Erase("pauseConditions");
    status.Erase("controllerPause");
  }

  void Advance(const ObjectKey& key, const Rollout& r, Json& status) {
    if (r.alone() || (r.last() && !r.aborted())) {
      status.Set("stableRS", r.hash);
      status.Set("currentStepIndex", static_cast<int64_t>(r.steps().size()));
      for (const char* word : {"abort", "pauseConditions", "controllerPause", "promoteFull"})
        status.Erase(word);
      return;
    }
    if (r.aborted() || r.paused()) return;
    if (r.steps().At(r.index()).Find("pause") != nullptr && !Paused(key, r, status)) return;
    status.Set("currentStepIndex", static_cast<int64_t>(r.index()) + 1);
    status.Erase("pauseConditions");
    status.Erase("controllerPause");
  }

  // True when its pause is over: the time has passed, or somebody took the condition away.
  bool Paused(const ObjectKey& key, const Rollout& r, Json& status) {
    const bool began = status.At("controllerPause").BoolOr(false);
    if (began && status.At("pauseConditions").size() == 0) return true;
    const Time now = api_.scheduler().Now();
    if (!began) {
      Json condition =
          Json::Obj({{"reason", "CanaryPauseStep"}, {"startTime", FormatRfc3339(now)}});
      status.Set("pauseConditions", Json::Arr({std::move(condition)})).Set("controllerPause", true);
    }
    auto lasts = ParseGoDuration(r.steps().At(r.index()).At("pause", "duration").Str());
    auto since = ParseRfc3339(status.At("pauseConditions").At(size_t{0}).At("startTime").Str());
    if (!lasts || !since) return false;
    if (now >= *since + *lasts) return true;
    queue_.AddAfter(key, *since + *lasts - now);
    return false;
  }

  void Tell(const Rollout& r, Json& status) {
    if (status.At("abort").BoolOr(false)) {
      Abort(status);
      if (!r.alone()) status.Set("currentStepIndex", 0);
    }
    status.Set("replicas", Wanted(r.fresh) + (r.alone() ? 0 : Wanted(r.stable)));
    status.Set("updatedReplicas", Wanted(r.fresh));
    status.Set("availableReplicas", Available(r.fresh) + (r.alone() ? 0 : Available(r.stable)));
    status.Set("observedGeneration", StrCat(sim::Meta(r.object).At("generation").IntOr(0)));
    const bool held = r.paused() || status.At("pauseConditions").size() > 0;
    const bool well = status.At("stableRS").Str() == r.hash && Available(r.fresh) == r.replicas();
    status.Set("phase", status.At("abort").BoolOr(false) ? "Degraded"
                        : held                           ? "Paused"
                        : well                           ? "Healthy"
                                                         : "Progressing");
  }

  sim::ApiServer& api_;
  int type_, sets_;
  sim::WorkQueue queue_;
  // Of the one Rollout there is: when it last came nearer.
  int64_t mark_ = -1;
  std::string marked_;
  Time moved_{};
};

}  // namespace

std::string ForeignHash(const Json& pod_template) {
  static const sim::TypeRegistry types;
  Json set = Json::Obj({{"spec", Json::Obj({{"template", pod_template}})}});
  sim::ApplyDefaults(*types.FindKind("apps", "ReplicaSet"), set);
  return sim::TemplateHash(set.At("spec", "template"), 0);
}

std::unique_ptr<sim::Controller> MakeArgoController(const sim::ControllerContext& context) {
  return std::make_unique<ArgoController>(context);
}

}  // namespace rollguard::simulation
