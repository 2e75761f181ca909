// SPDX-License-Identifier: Apache-2.0
// Pods before traffic: a track is brought to the size its share needs, and only then given it.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/context.h"
#include "agent/routing/edit.h"

namespace rollguard::release {
namespace {

// With an autoscaler the candidate gets one too, so that a growing load is carried in the bake.
void EnsureCandidateHpa(Context& c, int64_t need) {
  const HpaView& hpa = c.obs.hpa;
  if (!hpa.exists || hpa.object == nullptr || c.tracks.roles_swap) return;
  const Json& owner = *hpa.object;
  const ObjectId id{owner.At("apiVersion").Str(), "HorizontalPodAutoscaler", c.guard.metadata.ns,
                    CandidateName(c.guard)};
  if (!c.obs.candidate_hpa.exists) {
    Json spec = owner.At("spec");
    spec["scaleTargetRef"].Set("apiVersion", "apps/v1");
    spec["scaleTargetRef"].Set("kind", "Deployment");
    spec["scaleTargetRef"].Set("name", CandidateName(c.guard));
    spec.Set("minReplicas", std::max<int64_t>(1, need));
    spec.Set("maxReplicas", std::max(hpa.max, need));
    Json body = Json::Obj({{"apiVersion", id.api_version},
                           {"kind", id.kind},
                           {"metadata", routing::NewMetadata(id, c.tracks)},
                           {"spec", std::move(spec)}});
    c.Do(CreateObject{id, std::move(body), "let the candidate scale with its load"});
    return;
  }
  if (c.obs.candidate_hpa.min != std::max<int64_t>(1, need)) {
    Json patch = Json::Obj({{"spec", Json::Obj({{"minReplicas", std::max<int64_t>(1, need)}})}});
    c.Do(PatchObject{
        id, PatchObject::Kind::kMerge, std::move(patch), "the candidate's share grew", {}, {}});
  }
}

std::string Count(const char* track, const WorkloadView& w, int64_t need) {
  return StrCat(track, " has ", w.available, " of ", need, " pods available");
}

}  // namespace

Progress EnsureCandidate(Context& c, int64_t need) {
  const WorkloadView& w = c.candidate();
  const bool own = !c.tracks.roles_swap;
  if (!w.exists) {
    if (!own) {
      c.Wait(StrCat(c.candidate_id().Text(), " is not there"));
      return Progress::kWaiting;
    }
    c.Do(CreateObject{c.candidate_id(), CandidateObject(c, need), "bring up the candidate"});
    c.Wait("the candidate is being created");
    return Progress::kWaiting;
  }
  if (own && !CreatedByUs(c, w.object)) {
    c.Wait(StrCat(c.candidate_id().Text(), " exists and is not rollguard's: rename it"));
    return Progress::kFailed;
  }
  if (w.deleting || w.revision != c.rel().candidate) {
    if (own && !w.deleting) {
      c.Do(DeleteObject{c.candidate_id(), w.uid, "it carries another revision"});
    }
    c.Wait("the candidate of an earlier release is going away");
    return Progress::kWaiting;
  }
  if (need > 0 && own) EnsureCandidateHpa(c, need);
  const bool shrink = FollowsReplicas(c) && w.replicas > need && !c.obs.candidate_hpa.exists;
  if (w.replicas < need || shrink) {
    c.Scale(w, c.candidate_id(), need, "the candidate's share needs it");
    c.Wait(Count("the candidate", w, need));
    return Progress::kWaiting;
  }
  if (!w.observed || w.available < need) {
    c.Wait(Count("the candidate", w, need));
    return Progress::kWaiting;
  }
  return Progress::kDone;
}

Progress EnsureStable(Context& c, int64_t need) {
  const WorkloadView& w = c.stable();
  if (w.replicas != need && (FollowsReplicas(c) || w.replicas < need)) {
    c.Scale(w, c.stable_id(), need, "stable's share needs it");
    c.Wait(Count("stable", w, need));
    return Progress::kWaiting;
  }
  if (!w.observed || w.available < need) {
    c.Wait(Count("stable", w, need));
    return Progress::kWaiting;
  }
  return Progress::kDone;
}

std::string StableShort(const Context& c) {
  const bool warm = c.active() && c.plan.kind == Plan::Kind::kSibling && !FollowsReplicas(c) &&
                    !c.rel().touched_target && c.rel().stage == 0;
  if (!warm) return {};
  const WorkloadView& w = c.stable();
  const RevisionView* revision = c.tracks.roles_swap ? nullptr : w.Find(c.rel().stable);
  if (revision == nullptr && !c.tracks.roles_swap) return {};
  const int64_t available = revision != nullptr ? revision->available : w.available;
  if (available * 100 >= FullSize(c) * 80) return {};
  return StrCat("stable has ", available, " of ", FullSize(c), " pods available");
}

Progress RemoveCandidate(Context& c) {
  if (c.tracks.roles_swap) {
    if (c.candidate().exists && c.candidate().replicas > 0) {
      c.Scale(c.candidate(), c.candidate_id(), 0, "it carries no traffic any more");
      return Progress::kWaiting;
    }
    return Progress::kDone;
  }
  if (c.obs.candidate_hpa.exists && CreatedByUs(c, c.obs.candidate_hpa.object)) {
    const Json& hpa = *c.obs.candidate_hpa.object;
    c.Do(DeleteObject{{hpa.At("apiVersion").Str(), "HorizontalPodAutoscaler", c.guard.metadata.ns,
                       hpa.At("metadata", "name").Str()},
                      hpa.At("metadata", "uid").Str(),
                      "the candidate goes"});
  }
  const WorkloadView& w = c.candidate();
  if (w.exists && CreatedByUs(c, w.object)) {
    if (!w.deleting) c.Do(DeleteObject{c.candidate_id(), w.uid, "the candidate goes"});
    c.Wait("the candidate is going away");
    return c.observing() ? Progress::kDone : Progress::kWaiting;
  }
  if (c.plan.kind == Plan::Kind::kSibling && c.obs.candidate_pods.ready > 0 && !w.exists) {
    c.Wait(StrCat(c.obs.candidate_pods.ready, " pods of the candidate still answer"));
    return Progress::kWaiting;
  }
  return Progress::kDone;
}

Progress ConfirmGone(Context& c) {
  if (c.obs.candidate.exists || c.state().seen_candidate.uid.empty()) return Progress::kDone;
  const std::string purpose = StrCat(c.rel().id, "/gone/", c.state().seen_candidate.uid);
  if (c.obs.configs.read_for != purpose) {
    std::vector<ObjectId> objects =
        routing::ObjectsOf(c.plan.routing, TracksOf(c.guard, c.state(), c.obs));
    objects.push_back(CandidateId(c.guard));
    c.Do(ReadObjects{std::move(objects), purpose});
    c.Wait("the candidate is looked for");
    return Progress::kWaiting;
  }
  c.Edit().seen_candidate = {};
  return Progress::kDone;
}

}  // namespace rollguard::release
