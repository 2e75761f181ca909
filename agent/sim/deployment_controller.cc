// SPDX-License-Identifier: Apache-2.0
// Deployments, as kube-controller-manager runs them. One look at a Deployment does the first of:
//   paused, or resized in the middle of a rollout -> only sizes change (proportionally);
//   Recreate -> old pods go to zero and away, then the new ReplicaSet comes;
//   RollingUpdate -> the new ReplicaSet grows within maxSurge, the old ones shrink within
//   maxUnavailable, never-ready old pods first;
// and then writes the status.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/sim/controller.h"
#include "agent/sim/deployment_math.h"
#include "agent/sim/deployment_status.h"
#include "agent/sim/selector.h"

namespace rollguard::sim {
namespace {

constexpr std::string_view kHashLabel = "pod-template-hash";
constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

bool IsBookkeeping(std::string_view key) {
  return key == kRevisionAnnotation || key == kDesiredAnnotation || key == kMaxAnnotation ||
         key == kHistoryAnnotation || key == kLastApplied;
}

bool OlderFirst(const ObjectPtr& a, const ObjectPtr& b) {
  auto key = [](const Json& s) {
    return std::tuple(Text(Meta(s).At("creationTimestamp")), RevisionOf(s), NameOf(s));
  };
  return key(*a) < key(*b);
}

class DeploymentController final : public Controller {
 public:
  explicit DeploymentController(const ControllerContext& c)
      : api_(c.api),
        type_(c.api.TypeId("apps", "deployments")),
        sets_(c.api.TypeId("apps", "replicasets")),
        pods_(c.api.TypeId("", "pods")),
        queue_(c.api.scheduler(), c.lag, c.seed, [this](const ObjectKey& key) { Sync(key); }) {}

  void Observe(const Change& change) override {
    if (change.key.type == type_ && change.after) queue_.Add(change.key);
    if (change.key.type == sets_) EnqueueOwner(queue_, change, type_);
    if (change.key.type == pods_ && !change.after) EnqueueGrandparent(change);
  }

 private:
  // Recreate waits for the last old pod to go.
  void EnqueueGrandparent(const Change& change) {
    const Json& owner = ControllerOf(*change.before);
    ObjectPtr set = api_.store().Get({sets_, change.key.ns, owner.At("name").Str()});
    if (!set) return;
    ObjectKey key{type_, change.key.ns, ControllerOf(*set).At("name").Str()};
    ObjectPtr deployment = api_.store().Get(key);
    if (deployment && !IsRollingUpdate(*deployment)) queue_.Add(key);
  }

  void Sync(const ObjectKey& key) {
    ObjectPtr d = api_.store().Get(key);
    if (!d) return;
    SetsOf sets = Find(*d);
    if (IsTerminating(*d)) return WriteStatus(key, sets, false);
    NotePause(key, *d);
    d = api_.store().Get(key);
    bool paused = d->At("spec", "paused").BoolOr(false);
    if (paused || Resized(*d, sets)) {
      Resize(*d, sets);
      if (paused) CleanUp(*d, sets);
      return WriteStatus(key, Find(*d), false);
    }
    if (!IsRollingUpdate(*d) && !OldPodsGone(*d, sets)) return WriteStatus(key, Find(*d), true);
    if (!sets.current) {
      CreateSet(key, *d, sets);
      return;  // the new ReplicaSet's creation brings us back
    }
    KeepRevision(key, *d, sets);
    sets = Find(*d);
    if (!GrowNew(*d, sets)) ShrinkOld(*d, Find(*d));
    sets = Find(*d);
    WriteStatus(key, sets, true);
    d = api_.store().Get(key);
    if (d && RolloutComplete(*d, d->At("status"))) CleanUp(*d, Find(*d));
  }

  SetsOf Find(const Json& d) {
    SetsOf out;
    for (ObjectPtr& set : Owned(d)) {
      if (!out.current && SameTemplate(set->At("spec", "template"), d.At("spec", "template")))
        out.current = set;
      else
        out.old.push_back(set);
    }
    return out;
  }

  // Its own ReplicaSets, oldest first; orphans that match the selector are adopted.
  std::vector<ObjectPtr> Owned(const Json& d) {
    std::vector<ObjectPtr> out = api_.Controlled(UidOf(d), sets_);
    auto selector = LabelSelector::FromObject(d.At("spec", "selector"));
    if (selector.ok() && !IsTerminating(d)) {
      for (const ObjectPtr& set : api_.store().List(sets_, NamespaceOf(d))) {
        if (!ControllerOf(*set).is_null() || IsTerminating(*set) ||
            !selector->Matches(Meta(*set).At("labels")))
          continue;
        out.push_back(api_.Update(ApiServer::KeyOf(sets_, *set), [&](Json& o) {
          o["metadata"]["ownerReferences"].Push(ControllerRef(d));
        }));
      }
    }
    std::sort(out.begin(), out.end(), OlderFirst);
    return out;
  }

  void NotePause(const ObjectKey& key, const Json& d) {
    bool paused = d.At("spec", "paused").BoolOr(false);
    std::string_view reason = Text(ConditionOf(d, "Progressing").At("reason"));
    bool noted = reason == "DeploymentPaused";
    if (paused == noted || reason == "ProgressDeadlineExceeded") return;
    Time now = api_.scheduler().Now();
    api_.Update(key, [&](Json& o) {
      SetProgressing(o["status"], "Unknown", paused ? "DeploymentPaused" : "DeploymentResumed",
                     paused ? "Deployment is paused" : "Deployment is resumed", now);
    });
  }

  bool Resized(const Json& d, const SetsOf& sets) const {
    for (const ObjectPtr& set : sets.all()) {
      int64_t desired = IntAnnotation(*set, kDesiredAnnotation, -1);
      if (SpecReplicas(*set) > 0 && desired >= 0 && desired != SpecReplicas(d)) return true;
    }
    return false;
  }

  // It has all the pods the Deployment wants, and was itself told so: one that only happens to have
  // the new size, in the middle of a rollout that is resized, has not.
  static bool Saturated(const Json& d, const Json& set) {
    const int64_t wanted = SpecReplicas(d);
    return SpecReplicas(set) == wanted && IntAnnotation(set, kDesiredAnnotation, -1) == wanted &&
           StatusCount(set, "availableReplicas") == wanted;
  }

  void Resize(const Json& d, const SetsOf& sets) {
    std::vector<ObjectPtr> all = sets.all(), active = all;
    std::erase_if(active, [](const ObjectPtr& s) { return SpecReplicas(*s) == 0; });
    if (active.size() <= 1) {
      ObjectPtr one = !active.empty()     ? active[0]
                      : sets.current      ? sets.current
                      : !sets.old.empty() ? sets.old.back()
                                          : nullptr;
      if (one) ScaleSet(d, *one, SpecReplicas(d));
      return;
    }
    if (sets.current && Saturated(d, *sets.current)) {
      for (const ObjectPtr& set : sets.old) ScaleSet(d, *set, 0);
      return;
    }
    if (!IsRollingUpdate(d)) return;
    bool growing = SpecReplicas(d) + MaxSurge(d) > SumSpecReplicas(active);
    std::stable_sort(active.begin(), active.end(), [&](const ObjectPtr& a, const ObjectPtr& b) {
      if (SpecReplicas(*a) != SpecReplicas(*b)) return SpecReplicas(*a) > SpecReplicas(*b);
      return growing ? OlderFirst(b, a) : OlderFirst(a, b);
    });
    std::vector<int64_t> sizes = ProportionalSizes(d, active);
    for (size_t i = 0; i < active.size(); ++i) ScaleSet(d, *active[i], sizes[i]);
  }

  // Recreate: true when nothing old runs any more.
  bool OldPodsGone(const Json& d, const SetsOf& sets) {
    bool gone = true;
    for (const ObjectPtr& set : sets.old) {
      ScaleSet(d, *set, 0);
      for (const ObjectPtr& pod : api_.Controlled(UidOf(*set), pods_)) {
        std::string_view phase = Text(pod->At("status", "phase"));
        if (phase != "Succeeded" && phase != "Failed") gone = false;
      }
    }
    return gone;
  }

  void CreateSet(const ObjectKey& key, const Json& d, const SetsOf& sets) {
    int64_t collisions = d.At("status", "collisionCount").IntOr(0);
    std::string hash = TemplateHash(d.At("spec", "template"), collisions);
    std::string name = StrCat(NameOf(d), "-", hash);
    Json tmpl = d.At("spec", "template");
    tmpl["metadata"]["labels"].Set(kHashLabel, hash);
    Json selector = d.At("spec", "selector");
    selector["matchLabels"].Set(kHashLabel, hash);
    Json annotations = Json::Obj();
    for (const auto& [k, v] : Meta(d).At("annotations").members()) {
      if (!IsBookkeeping(k)) annotations.Set(k, v);
    }
    int64_t revision = NextRevision(sets);
    annotations.Set(kRevisionAnnotation, std::to_string(revision));
    annotations.Set(kDesiredAnnotation, std::to_string(SpecReplicas(d)));
    annotations.Set(kMaxAnnotation, std::to_string(SpecReplicas(d) + MaxSurge(d)));
    int64_t size = NewSetReplicas(d, sets.all(), 0);
    Json spec =
        Json::Obj({{"replicas", size}, {"selector", std::move(selector)}, {"template", tmpl}});
    if (int64_t m = d.At("spec", "minReadySeconds").IntOr(0); m > 0) spec.Set("minReadySeconds", m);
    Json set =
        Json::Obj({{"metadata", Json::Obj({{"name", name},
                                           {"namespace", NamespaceOf(d)},
                                           {"labels", Meta(tmpl).At("labels")},
                                           {"annotations", std::move(annotations)},
                                           {"ownerReferences", Json::Arr({ControllerRef(d)})}})},
                   {"spec", std::move(spec)}});
    Time now = api_.scheduler().Now();
    bool made = api_.Create(sets_, std::move(set)) != nullptr;
    api_.Update(key, [&](Json& o) {
      Json& status = o["status"];
      if (!made) {
        status.Set("collisionCount", collisions + 1);
        return;
      }
      SetProgressing(status, "True", "NewReplicaSetCreated",
                     StrCat("Created new replica set ", Quote(name)), now);
      o["metadata"]["annotations"].Set(kRevisionAnnotation, std::to_string(revision));
    });
    if (made && size > 0) Tell(d, "up", name, 0, size);
    queue_.Add(key);
  }

  static int64_t NextRevision(const SetsOf& sets) {
    int64_t highest = 0;
    for (const ObjectPtr& set : sets.old) highest = std::max(highest, RevisionOf(*set));
    return highest + 1;
  }

  // A template that was released before gets the newest revision number again.
  void KeepRevision(const ObjectKey& key, const Json& d, const SetsOf& sets) {
    int64_t revision = std::max(NextRevision(sets), RevisionOf(*sets.current));
    if (RevisionOf(*sets.current) < revision) {
      api_.Update(ApiServer::KeyOf(sets_, *sets.current), [&](Json& o) {
        Json& annotations = o["metadata"]["annotations"];
        std::string history(Text(annotations.At(kHistoryAnnotation)));
        std::string old(Text(annotations.At(kRevisionAnnotation)));
        if (!old.empty())
          annotations.Set(kHistoryAnnotation, history.empty() ? old : history + "," + old);
        annotations.Set(kRevisionAnnotation, std::to_string(revision));
      });
    }
    bool known = !ConditionOf(d, "Progressing").is_null();
    if (AnnotationOf(d, kRevisionAnnotation) == std::to_string(revision) && known) return;
    Time now = api_.scheduler().Now();
    api_.Update(key, [&](Json& o) {
      o["metadata"]["annotations"].Set(kRevisionAnnotation, std::to_string(revision));
      SetProgressing(o["status"], "True", "FoundNewReplicaSet",
                     StrCat("Found new replica set ", Quote(NameOf(*sets.current))), now);
    });
  }

  bool GrowNew(const Json& d, const SetsOf& sets) {
    int64_t size = SpecReplicas(*sets.current), wanted = SpecReplicas(d);
    if (size == wanted) return ScaleSet(d, *sets.current, size);
    if (size > wanted) return ScaleSet(d, *sets.current, wanted);
    return ScaleSet(d, *sets.current, NewSetReplicas(d, sets.all(), size));
  }

  void ShrinkOld(const Json& d, const SetsOf& sets) {
    if (!sets.current || SumSpecReplicas(sets.old) == 0) return;
    int64_t least = SpecReplicas(d) - MaxUnavailable(d);
    int64_t unready = SpecReplicas(*sets.current) - StatusCount(*sets.current, "availableReplicas");
    int64_t room = SumSpecReplicas(sets.all()) - least - unready;
    if (room <= 0) return;
    int64_t cleaned = 0;
    for (const ObjectPtr& set : sets.old) {  // first those that serve nobody
      int64_t size = SpecReplicas(*set), useless = size - StatusCount(*set, "availableReplicas");
      int64_t take = std::min(room - cleaned, useless);
      if (size == 0 || take <= 0) continue;
      ScaleSet(d, *set, size - take);
      cleaned += take;
    }
    SetsOf now = Find(d);
    int64_t spare = SumStatus(now.all(), "availableReplicas") - least;
    for (const ObjectPtr& set : now.old) {
      int64_t size = SpecReplicas(*set), take = std::min(size, spare);
      if (take <= 0) continue;
      ScaleSet(d, *set, size - take);
      spare -= take;
    }
  }

  // True when the size changed (annotations alone do not count).
  bool ScaleSet(const Json& d, const Json& set, int64_t size) {
    int64_t before = SpecReplicas(set);
    std::string desired = std::to_string(SpecReplicas(d)),
                most = std::to_string(SpecReplicas(d) + MaxSurge(d));
    int64_t min_ready = d.At("spec", "minReadySeconds").IntOr(0);
    bool same_notes = AnnotationOf(set, kDesiredAnnotation) == desired &&
                      AnnotationOf(set, kMaxAnnotation) == most;
    if (before == size && same_notes && set.At("spec", "minReadySeconds").IntOr(0) == min_ready)
      return false;
    api_.Update(ApiServer::KeyOf(sets_, set), [&](Json& o) {
      Json& annotations = o["metadata"]["annotations"];
      annotations.Set(kDesiredAnnotation, desired).Set(kMaxAnnotation, most);
      o["spec"].Set("replicas", size);
      if (min_ready > 0 || !o.At("spec", "minReadySeconds").is_null())
        o["spec"].Set("minReadySeconds", min_ready);
    });
    if (before != size) Tell(d, size > before ? "up" : "down", NameOf(set), before, size);
    return before != size;
  }

  void Tell(const Json& d, std::string_view direction, std::string_view set, int64_t from,
            int64_t to) {
    EmitEvent(api_, d, "Normal", "ScalingReplicaSet",
              StrCat("Scaled ", direction, " replica set ", set, " to ", to, " from ", from),
              "deployment-controller");
  }

  // Old ReplicaSets beyond revisionHistoryLimit.
  void CleanUp(const Json& d, const SetsOf& sets) {
    std::vector<ObjectPtr> idle = sets.old;
    std::erase_if(idle, [](const ObjectPtr& s) {
      return SpecReplicas(*s) != 0 || StatusCount(*s, "replicas") != 0 || IsTerminating(*s);
    });
    int64_t excess =
        static_cast<int64_t>(idle.size()) - d.At("spec", "revisionHistoryLimit").IntOr(10);
    std::sort(idle.begin(), idle.end(), [](const ObjectPtr& a, const ObjectPtr& b) {
      return RevisionOf(*a) < RevisionOf(*b);
    });
    for (size_t i = 0; static_cast<int64_t>(i) < excess; ++i)
      api_.Delete(ApiServer::KeyOf(sets_, *idle[i]));
  }

  void WriteStatus(const ObjectKey& key, const SetsOf& sets, bool judge) {
    ObjectPtr d = api_.store().Get(key);
    if (!d) return;
    Time now = api_.scheduler().Now();
    Json status = DeploymentCounts(*d, sets, now);
    if (judge) JudgeProgress(*d, sets, status, now);
    if (judge) {
      Duration wait = UntilProgressDeadline(*d, status, now);
      if (wait.count() > 0) CheckAgain(key, now + wait);
    }
    if (!(d->At("status") == status))
      api_.Update(key, [&](Json& o) { o.Set("status", std::move(status)); });
  }

  // One pending look per Deployment at its deadline, however often the status is written.
  void CheckAgain(const ObjectKey& key, Time when) {
    Time& pending = deadlines_[key];
    if (pending > api_.scheduler().Now() && pending <= when) return;
    pending = when;
    queue_.AddAfter(key, when - api_.scheduler().Now());
  }

  ApiServer& api_;
  int type_, sets_, pods_;
  std::map<ObjectKey, Time> deadlines_;
  WorkQueue queue_;
};

}  // namespace

std::unique_ptr<Controller> MakeDeploymentController(const ControllerContext& context) {
  return std::make_unique<DeploymentController>(context);
}

}  // namespace rollguard::sim
