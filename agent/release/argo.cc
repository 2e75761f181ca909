// SPDX-License-Identifier: Apache-2.0
// The patches that Argo's own tools make.
#include "agent/base/text.h"
#include "agent/release/external.h"
#include "agent/routing/edit.h"

namespace rollguard::release {
namespace {

// What is pinned to what was seen is said once; other words in `status` may come twice.
void PatchSpec(Context& c, Json spec, const std::string& why) {
  Json metadata = Json::Obj({{"resourceVersion", c.obs.target.resource_version}});
  Json patch = Json::Obj({{"metadata", std::move(metadata)}, {"spec", std::move(spec)}});
  c.Do(PatchObject{
      TargetId(c.guard), PatchObject::Kind::kMerge, std::move(patch), why, {}, {}, false});
}

void PatchStatus(Context& c, Json status, const std::string& why, bool pinned = false) {
  Json patch = Json::Obj();
  if (pinned)
    patch.Set("metadata", Json::Obj({{"resourceVersion", c.obs.target.resource_version}}));
  patch.Set("status", std::move(status));
  c.Do(PatchObject{
      TargetId(c.guard), PatchObject::Kind::kMerge, std::move(patch), why, {}, "status", false});
}

// The template of the stable ReplicaSet without what Argo put on it; null when it is not there, or
// when the Rollout takes its template from somewhere else.
Json StableTemplate(const Context& c, const std::string& stable) {
  const Json& spec = c.obs.target.object->At("spec");
  if (!spec.At("template").is_object() || spec.Find("workloadRef") != nullptr) return {};
  for (const RevisionView& revision : c.obs.target.revisions) {
    if (revision.pod_hash != stable || revision.object == nullptr) continue;
    Json found = TemplateOf(revision);
    Json* metadata = found.Find("metadata");
    if (metadata != nullptr) metadata->Erase("creationTimestamp");
    Json* labels = metadata != nullptr ? metadata->Find("labels") : nullptr;
    if (labels != nullptr) labels->Erase(kArgoHashLabel);
    return found;
  }
  return {};
}

// What is in the spec is not what its controller speaks of yet: it may be a newer template.
bool NotSeenYet(const Context& c) {
  const auto seen = ParseInt(c.obs.target.object->At("status", "observedGeneration").Str());
  return seen && *seen != c.obs.target.object->At("metadata", "generation").IntOr(*seen);
}

}  // namespace

void PauseRollout(Context& c, bool paused, const std::string& why) {
  PatchSpec(c, Json::Obj({{"paused", paused}}), why);
}

void PromoteRollout(Context& c, bool full, const std::string& why) {
  if (full) {
    PatchStatus(c, Json::Obj({{"promoteFull", true}}), why);
  } else {
    PatchStatus(c, Json::Obj({{"pauseConditions", Json()}}), why, true);  // not the next one
  }
}

void AbortRollout(Context& c, const ExternalView& view, bool undo, const std::string& why) {
  const Json stable = undo ? StableTemplate(c, view.stable) : Json();
  if (stable.is_object() && NotSeenYet(c)) {
    c.Wait("its controller has not seen its last change yet");
    return;
  }
  if (!stable.is_object()) {
    PatchStatus(c, Json::Obj({{"abort", true}}), why);
    return;
  }
  Json desired = *c.obs.target.object;
  desired["spec"].Set("template", stable);
  std::vector<routing::Change> changes;
  routing::AppendPatch(TargetId(c.guard), *c.obs.target.object, desired, changes);
  for (const auto& change : changes) c.Do(change, why, std::nullopt);
}

void RetryRollout(Context& c) {
  PatchStatus(c, Json::Obj({{"abort", false}}), "a person retries it");
}

}  // namespace rollguard::release
