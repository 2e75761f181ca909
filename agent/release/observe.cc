// SPDX-License-Identifier: Apache-2.0
#include "agent/release/observe.h"

#include <algorithm>

#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/release/external.h"

namespace rollguard::release {
namespace {

constexpr size_t kMaxImageKeys = 32;
constexpr size_t kMaxPodNames = 200;

bool OwnedBy(const Json& object, const std::string& uid) {
  if (uid.empty()) return false;
  for (const Json& owner : object.At("metadata", "ownerReferences").items()) {
    if (owner.At("uid").Str() == uid) return true;
  }
  return false;
}

bool IsTrue(const Json& object, std::string_view condition) {
  for (const Json& c : object.At("status", "conditions").items()) {
    if (c.At("type").Str() == condition) return c.At("status").Str() == "True";
  }
  return false;
}

bool HeldBySpec(const Json& object, const std::string& kind, int64_t replicas) {
  const Json& spec = object.At("spec");
  if (kind == "StatefulSet") {
    const Json& update = spec.At("updateStrategy");
    return update.At("type").Str() == "OnDelete" ||
           update.At("rollingUpdate", "partition").IntOr(0) >= std::max<int64_t>(1, replicas);
  }
  if (kind == "DaemonSet") return spec.At("updateStrategy", "type").Str() == "OnDelete";
  return spec.At("paused").BoolOr(false);
}

// Of a ReplicaSet's or a pod's labels.
std::string HashOf(const Json& labels) {
  const std::string hash = labels.At(routing::kHashLabel).Str();
  return hash.empty() ? labels.At(kArgoHashLabel).Str() : hash;
}

RevisionView RevisionFrom(const Json& object, RevisionCache& cache) {
  RevisionView view;
  view.object = &object;
  view.revision = cache.Of(object);
  const Json& labels = object.At("metadata", "labels");
  if (object.At("kind").Str() == "ControllerRevision") {
    // Pods of a StatefulSet carry the revision's name, those of a DaemonSet its hash.
    const Json& owner = object.At("metadata", "ownerReferences").At(size_t{0});
    const std::string hash = labels.At("controller-revision-hash").Str();
    const bool by_name = owner.At("kind").Str() == "StatefulSet" || hash.empty();
    view.pod_hash = by_name ? object.At("metadata", "name").Str() : hash;
    view.number = object.At("revision").IntOr(0);
    return view;
  }
  view.pod_hash = HashOf(labels);
  // Argo names revisions by their hash.
  const Json& owner = object.At("metadata", "ownerReferences").At(size_t{0});
  if (owner.At("kind").Str() == "Rollout") view.revision = view.pod_hash;
  view.number =
      ParseInt(object.At("metadata", "annotations").At("deployment.kubernetes.io/revision").Str())
          .value_or(0);
  view.replicas = object.At("spec", "replicas").IntOr(0);
  view.ready = object.At("status", "readyReplicas").IntOr(0);
  view.available = object.At("status", "availableReplicas").IntOr(0);
  return view;
}

void ReadDaemonCounts(const Json& status, WorkloadView& w) {
  w.replicas = w.total = status.At("desiredNumberScheduled").IntOr(0);
  w.updated = status.At("updatedNumberScheduled").IntOr(0);
  w.ready = status.At("numberReady").IntOr(0);
  w.available = status.At("numberAvailable").IntOr(0);
}

WorkloadView WorkloadFrom(const Json* object, const WorldObjects& world, RevisionCache& cache) {
  WorkloadView w;
  if (object == nullptr) return w;
  const Json& metadata = object->At("metadata");
  const Json& status = object->At("status");
  w.exists = true;
  w.object = object;
  w.kind = object->At("kind").Str();
  w.uid = metadata.At("uid").Str();
  w.resource_version = metadata.At("resourceVersion").Str();
  w.deleting = metadata.At("deletionTimestamp").is_string();
  w.observed = status.At("observedGeneration").IntOr(0) >= metadata.At("generation").IntOr(0);
  w.replicas = object->At("spec", "replicas").IntOr(1);
  if (w.kind == "DaemonSet") {
    ReadDaemonCounts(status, w);
  } else {
    w.total = status.At("replicas").IntOr(0);
    w.updated = status.At("updatedReplicas").IntOr(0);
    w.ready = status.At("readyReplicas").IntOr(0);
    const Json* available = status.Find("availableReplicas");
    w.available = available != nullptr || w.kind == "Deployment"
                      ? status.At("availableReplicas").IntOr(0)
                      : w.ready;
  }
  w.held = HeldBySpec(*object, w.kind, w.replicas);
  w.revision = cache.Of(*object);
  for (const Json* revision : world.revisions) {
    if (OwnedBy(*revision, w.uid)) w.revisions.push_back(RevisionFrom(*revision, cache));
  }
  if (const RevisionView* own = w.Find(w.revision)) w.pod_hash = own->pod_hash;
  return w;
}

bool HasEnded(const Json& pod) {
  const std::string phase = pod.At("status", "phase").Str();
  return phase == "Succeeded" || phase == "Failed";
}

void AddRevisionPod(const Json& pod, RevisionView& revision) {
  const Json& metadata = pod.At("metadata");
  const std::string name = metadata.At("name").Str();
  if (revision.pods.size() < kMaxPodNames) {
    revision.pods.push_back(name);
    revision.made.push_back(metadata.At("creationTimestamp").Str());
  }
  if (metadata.At("deletionTimestamp").is_string()) return;
  ++revision.replicas;
  if (IsTrue(pod, "Ready")) {
    ++revision.ready;
    ++revision.available;
  } else if (!HasEnded(pod) && revision.broken.size() < kMaxPodNames) {
    revision.broken.emplace_back(name, metadata.At("uid").Str());
  }
}

// StatefulSets and DaemonSets: revisions have no counts of their own, their pods do.
void CountRevisionPods(WorkloadView& w, const WorldObjects& world) {
  if (w.kind != "StatefulSet" && w.kind != "DaemonSet") return;
  for (RevisionView& revision : w.revisions) {
    for (const Json* pod : world.pods) {
      if (pod->At("metadata", "labels", "controller-revision-hash").Str() == revision.pod_hash)
        AddRevisionPod(*pod, revision);
    }
  }
  // A StatefulSet that was held while its template changed counts no updated pods.
  if (const RevisionView* own = w.Find(w.revision); own != nullptr && w.updated == 0) {
    w.updated = own->replicas;
  }
}

void AddContainer(const Json& pod, const Json& status, PodsView& view) {
  view.restarts += std::clamp<int64_t>(status.At("restartCount").IntOr(0), 0, INT32_MAX);
  const std::string reason = status.At("state", "waiting", "reason").Str();
  const bool pull = reason == "ImagePullBackOff" || reason == "ErrImagePull" ||
                    reason == "InvalidImageName" || reason == "ErrImageNeverPull";
  const bool crash = reason == "CrashLoopBackOff" || reason == "CreateContainerConfigError" ||
                     reason == "RunContainerError" || reason == "CreateContainerError";
  if (!pull && !crash) return;
  view.image_pull_failing = view.image_pull_failing || pull;
  view.crash_looping = view.crash_looping || crash;
  const std::string name = pod.At("metadata", "name").Str();
  if (!view.problem.empty()) return;
  view.problem = StrCat("pod ", name, ", container ", status.At("name").Str(), ": ", reason);
  const std::string message = status.At("state", "waiting", "message").Str();
  if (!message.empty()) view.problem += StrCat(" (", Abbreviate(message, 200), ")");
}

void AddPod(const Json& pod, PodsView& view) {
  if (HasEnded(pod)) return;
  if (pod.At("metadata", "deletionTimestamp").is_string()) {
    ++view.terminating;
    return;
  }
  ++view.total;
  if (IsTrue(pod, "Ready")) ++view.ready;
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& status : pod.At("status").At(list).items()) AddContainer(pod, status, view);
  }
}

// A pod that was there before the candidate is of the release before: it may still be going away,
// but what fails in it says nothing about this one.
bool IsLeftover(const Json& pod, const Json* candidate) {
  const std::string born = pod.At("metadata", "creationTimestamp").Str();
  return candidate == nullptr || born < candidate->At("metadata", "creationTimestamp").Str();
}

void AddCandidatePod(const Json& pod, const Json* candidate, PodsView& view) {
  if (!IsLeftover(pod, candidate)) return AddPod(pod, view);
  PodsView counted = view;
  AddPod(pod, counted);
  view.total = counted.total;
  view.ready = counted.ready;
  view.terminating = counted.terminating;
}

void CountTracks(const GuardState& state, const WorldObjects& world, bool sibling,
                 Observation& out) {
  const std::string stable_revision = state.release ? state.release->stable : state.stable;
  const RevisionView* stable = out.target.Find(stable_revision);
  const RevisionView* news = state.release ? out.target.Find(state.release->candidate) : nullptr;
  for (const Json* pod : world.pods) {
    const Json& labels = pod->At("metadata", "labels");
    std::string hash = HashOf(labels);
    if (hash.empty()) hash = labels.At("controller-revision-hash").Str();
    const bool track = labels.At(routing::kTrackLabel).Str() == "candidate" ||
                       (out.candidate.exists && !hash.empty() && hash == out.candidate.pod_hash);
    if (track) {
      AddCandidatePod(*pod, world.candidate, out.candidate_pods);
    } else if (stable != nullptr && hash == stable->pod_hash) {
      AddPod(*pod, out.stable_pods);
    } else if (news != nullptr && hash == news->pod_hash) {
      PodsView& view = out.candidate_pods;
      const int64_t ready = view.ready;
      AddPod(*pod, view);
      // Pods of the target that already run the promoted template are nobody's track.
      if (sibling) view.ready = ready;
    }
  }
}

HpaView HpaFrom(const Json* object) {
  HpaView view;
  if (object == nullptr) return view;
  view.exists = true;
  view.object = object;
  view.min = object->At("spec", "minReplicas").IntOr(1);
  view.max = object->At("spec", "maxReplicas").IntOr(1);
  view.desired = object->At("status", "desiredReplicas").IntOr(0);
  return view;
}

JobView JobFrom(const Json& job) {
  JobView view;
  view.name = job.At("metadata", "name").Str();
  for (const Json& c : job.At("status", "conditions").items()) {
    if (c.At("status").Str() != "True") continue;
    if (c.At("type").Str() == "Complete") view.state = JobView::State::kSucceeded;
    if (c.At("type").Str() == "Failed") {
      view.state = JobView::State::kFailed;
      view.message = c.At("message").Str();
    }
  }
  return view;
}

ObjectId IdOf(const Json& object) {
  return {object.At("apiVersion").Str(), object.At("kind").Str(),
          object.At("metadata", "namespace").Str(), object.At("metadata", "name").Str()};
}

void AddConfigs(const spec::Guard& guard, const GuardState& state, const WorldObjects& world,
                Observation& out) {
  const std::string stable =
      SnapshotName(guard, state.release ? state.release->stable : state.stable);
  const std::string news =
      state.release ? SnapshotName(guard, state.release->candidate) : std::string();
  for (const Json* object : world.others) {
    if (object->At("kind").Str() != "Secret") continue;
    const std::string name = object->At("metadata", "name").Str();
    if (name == stable) out.configs.snapshot_stable = object;
    if (name == news) out.configs.snapshot_candidate = object;
  }
  out.configs.current = world.configs;
}

}  // namespace

std::string RevisionOf(const Json& pod_template) {
  Json content = pod_template;
  content.Erase("$patch");
  Json* metadata = content.Find("metadata");
  if (metadata != nullptr && metadata->is_object()) {
    metadata->Erase("creationTimestamp");
    if (Json* labels = metadata->Find("labels"); labels != nullptr && labels->is_object()) {
      labels->Erase(routing::kHashLabel);
      labels->Erase(routing::kTrackLabel);
    }
  }
  return ShortHash(content.Canonical());
}

std::vector<std::string> ImageKeys(const Json& pod_template) {
  std::vector<std::string> keys;
  for (const char* list : {"initContainers", "containers"}) {
    for (const Json& container : pod_template.At("spec").At(list).items()) {
      const std::string image = container.At("image").Str();
      const size_t digest = image.rfind("@sha256:");
      keys.push_back(ShortHash(digest == std::string::npos ? image : image.substr(digest + 1), 10));
    }
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  if (keys.size() > kMaxImageKeys) keys.resize(kMaxImageKeys);
  return keys;
}

const std::string& RevisionCache::Of(const Json& object) {
  const Json& metadata = object.At("metadata");
  // The status of a Deployment changes often, its generation does not.
  const std::string& uid = metadata.At("uid").Str();
  const int64_t generation = metadata.At("generation").IntOr(0);
  const bool lasts = !uid.empty() && metadata.Find("generation") != nullptr;
  auto found = known_.find(lasts ? uid : std::string());
  if (lasts && found != known_.end() && found->second.generation == generation)
    return found->second.revision;
  // Each object's end is told; the limit holds whatever happens.
  if (found == known_.end() && known_.size() > 100'000) known_.clear();
  const Json& direct = object.At("spec", "template");
  Known& slot = known_[lasts ? uid : std::string()];
  slot = {generation,
          RevisionOf(direct.is_object() ? direct : object.At("data", "spec", "template"))};
  return slot.revision;
}

Observation Observe(const spec::Guard& guard, const GuardState& state, const WorldObjects& world,
                    Time now, RevisionCache& cache) {
  Observation out;
  out.now = now;
  out.target = WorkloadFrom(world.target, world, cache);
  out.candidate = WorkloadFrom(world.candidate, world, cache);
  CountRevisionPods(out.target, world);
  const bool sibling = !std::holds_alternative<spec::RollingStrategy>(guard.strategy) &&
                       !(state.release && state.release->bypass);
  CountTracks(state, world, sibling, out);
  out.hpa = HpaFrom(world.hpa);
  out.candidate_hpa = HpaFrom(world.candidate_hpa);
  out.objects.reserve(world.others.size());
  for (const Json* object : world.others) out.objects.emplace_back(IdOf(*object), object);
  for (const Json* job : world.jobs) out.jobs.push_back(JobFrom(*job));
  AddConfigs(guard, state, world, out);
  return out;
}

std::vector<ObjectId> WatchedObjects(const spec::Guard& guard, const GuardState& state) {
  std::vector<ObjectId> out;
  const Plan plan = CompilePlan(guard, false);
  if (plan.kind == Plan::Kind::kSibling) {
    Observation nothing;
    out = routing::ObjectsOf(plan.routing, TracksOf(guard, state, nothing));
    out.push_back(CandidateId(guard));
  }
  const std::string stable = state.release ? state.release->stable : state.stable;
  if (guard.configs.restore && !stable.empty()) {
    out.push_back({"v1", "Secret", guard.metadata.ns, SnapshotName(guard, stable)});
    if (state.release) {
      out.push_back(
          {"v1", "Secret", guard.metadata.ns, SnapshotName(guard, state.release->candidate)});
    } else {
      for (const std::string& revision : OutlivedRevisions(state))
        out.push_back({"v1", "Secret", guard.metadata.ns, SnapshotName(guard, revision)});
    }
  }
  const auto add_hook = [&](const spec::Hook& hook) {
    if (!hook.from_cron_job.empty())
      out.push_back({"batch/v1", "CronJob", guard.metadata.ns, hook.from_cron_job});
  };
  for (const auto* hooks : {&guard.hooks.pre_release, &guard.hooks.post_promote,
                            &guard.hooks.rollback, &guard.hooks.verify}) {
    for (const spec::Hook& hook : *hooks) add_hook(hook);
  }
  for (const spec::Step& step : plan.steps) {
    if (const auto* run = std::get_if<spec::RunHook>(&step.action)) add_hook(run->hook);
  }
  return out;
}

std::vector<std::string> OutlivedRevisions(const GuardState& state) {
  const auto& history = state.history;
  const size_t gone = history.size() - std::min(history.size(), GuardState::kMaxHistory);
  const auto first_kept = history.begin() + static_cast<std::ptrdiff_t>(gone);
  std::vector<std::string> out;
  auto add = [&](const std::string& revision) {
    const bool kept = revision == state.stable || revision == state.retry ||
                      std::any_of(first_kept, history.end(),
                                  [&](const StableRecord& r) { return r.revision == revision; });
    if (!kept && !revision.empty()) out.push_back(revision);
  };
  std::for_each(history.begin(), first_kept, [&](const StableRecord& r) { add(r.revision); });
  for (const Rejection& rejected : state.quarantine) add(rejected.revision);
  if (state.last) add(state.last->revision);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::vector<ObjectId> ConfigsOf(const spec::Guard& guard, const Json& pod_template) {
  std::vector<ObjectId> out;
  auto add = [&](const char* kind, const Json& name) {
    if (name.is_string()) out.push_back({"v1", kind, guard.metadata.ns, name.Str()});
  };
  const Json& spec = pod_template.At("spec");
  for (const Json& volume : spec.At("volumes").items()) {
    add("ConfigMap", volume.At("configMap", "name"));
    add("Secret", volume.At("secret", "secretName"));
    for (const Json& source : volume.At("projected", "sources").items()) {
      add("ConfigMap", source.At("configMap", "name"));
      add("Secret", source.At("secret", "name"));
    }
  }
  for (const char* list : {"initContainers", "containers"}) {
    for (const Json& container : spec.At(list).items()) {
      for (const Json& from : container.At("envFrom").items()) {
        add("ConfigMap", from.At("configMapRef", "name"));
        add("Secret", from.At("secretRef", "name"));
      }
      for (const Json& env : container.At("env").items()) {
        add("ConfigMap", env.At("valueFrom", "configMapKeyRef", "name"));
        add("Secret", env.At("valueFrom", "secretKeyRef", "name"));
      }
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace rollguard::release
