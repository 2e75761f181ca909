// SPDX-License-Identifier: Apache-2.0
// What is done to the target. Deployments are held by `paused`, StatefulSets by a partition beyond
// the last pod, DaemonSets by OnDelete. What the owner had is put away in the object's annotation
// with the first change and put back when the guard goes.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/context.h"
#include "agent/release/observe.h"
#include "agent/routing/edit.h"

namespace rollguard::release {
namespace {

void Emit(Context& c, const ObjectId& id, const Json& current, const Json& desired,
          const std::string& why) {
  std::vector<routing::Change> changes;
  routing::AppendPatch(id, current, desired, changes);
  for (const auto& change : changes) c.Do(change, why, std::nullopt);
}

void Remember(Json& object) {
  if (routing::ReadMemo(object).is_object()) return;
  Json memo = Json::Obj();
  const Json& spec = object.At("spec");
  if (const Json* paused = spec.Find("paused")) memo.Set("paused", *paused);
  if (const Json* update = spec.Find("updateStrategy")) memo.Set("updateStrategy", *update);
  routing::WriteMemo(object, memo);
}

// Beyond every pod there can be: one that comes with a new size is of the revision that is held.
constexpr int64_t kBeyond = 1'000'000;

void SetHeld(Json& object, bool held) {
  const std::string kind = object.At("kind").Str();
  Json& spec = object["spec"];
  if (kind == "StatefulSet") {
    Json memo = routing::ReadMemo(object);
    int64_t owners = memo.At("updateStrategy", "rollingUpdate", "partition").IntOr(0);
    Json& update = spec["updateStrategy"];
    update.Set("type", "RollingUpdate");
    update["rollingUpdate"].Set("partition", held ? std::max(kBeyond, owners) : owners);
    return;
  }
  if (kind == "DaemonSet") {
    if (held) {
      spec["updateStrategy"] = Json::Obj({{"type", "OnDelete"}});
    } else {
      Json owners = routing::ReadMemo(object).At("updateStrategy");
      bool rolls = owners.At("type").Str() == "RollingUpdate";
      spec["updateStrategy"] = rolls ? owners : Json::Obj({{"type", "RollingUpdate"}});
    }
    return;
  }
  if (held) {
    spec.Set("paused", true);
  } else {
    spec.Erase("paused");
  }
}

Json Restored(const Json& current) {
  Json object = current;
  Json memo = routing::ReadMemo(current);
  if (!memo.is_object()) return object;
  Json& spec = object["spec"];
  if (memo.At("updateStrategy").is_object()) spec.Set("updateStrategy", memo.At("updateStrategy"));
  if (spec.Find("paused") != nullptr) spec.Erase("paused");
  routing::DropMemo(object);
  return object;
}

}  // namespace

Json TemplateOf(const Json& workload) {
  const Json& direct = workload.At("spec", "template");
  Json found = direct.is_object() ? direct : workload.At("data", "spec", "template");
  found.Erase("$patch");
  Json* metadata = found.Find("metadata");
  Json* labels = metadata != nullptr ? metadata->Find("labels") : nullptr;
  if (labels != nullptr && labels->is_object()) {
    labels->Erase(routing::kHashLabel);
    labels->Erase(routing::kTrackLabel);
  }
  return found;
}

Json TemplateOf(const RevisionView& revision) {
  return revision.object != nullptr ? TemplateOf(*revision.object) : Json();
}

std::vector<std::string> ImagesOf(const Context& c, const std::string& revision) {
  for (const WorkloadView* w : {&c.obs.target, &c.obs.candidate}) {
    if (w->object == nullptr) continue;
    if (w->revision == revision) return ImageKeys(w->object->At("spec", "template"));
    if (const RevisionView* found = w->Find(revision)) return ImageKeys(TemplateOf(*found));
  }
  return {};
}

Json CandidateObject(const Context& c, int64_t replicas) {
  const Json& target = *c.obs.target.object;
  const ObjectId id = CandidateId(c.guard);
  Json metadata = routing::NewMetadata(id, c.tracks);
  for (const auto& [key, value] : target.At("metadata", "labels").members()) {
    if (metadata.At("labels").Find(key) == nullptr) metadata["labels"].Set(key, value);
  }
  metadata["annotations"].Set("rollguard.dev/release", c.rel().id);
  Json spec = target.At("spec");
  spec.Set("replicas", replicas);
  spec.Erase("paused");
  spec["selector"]["matchLabels"].Set(routing::kTrackLabel, "candidate");
  Json pods = TemplateOf(target);
  pods["metadata"]["labels"].Set(routing::kTrackLabel, "candidate");
  spec.Set("template", std::move(pods));
  return Json::Obj({{"apiVersion", "apps/v1"},
                    {"kind", "Deployment"},
                    {"metadata", std::move(metadata)},
                    {"spec", std::move(spec)}});
}

void Hold(Context& c, const std::string& why) {
  Json desired = *c.obs.target.object;
  Remember(desired);
  SetHeld(desired, true);
  Emit(c, TargetId(c.guard), *c.obs.target.object, desired, why);
}

void Unhold(Context& c, const std::string& why) {
  Json desired = *c.obs.target.object;
  SetHeld(desired, false);
  Emit(c, TargetId(c.guard), *c.obs.target.object, desired, why);
}

void PutTemplate(Context& c, const Json& pod_template, bool held, const std::string& why) {
  Json desired = *c.obs.target.object;
  desired["spec"].Set("template", pod_template);
  SetHeld(desired, held);
  Emit(c, TargetId(c.guard), *c.obs.target.object, desired, why);
}

void GiveBack(Context& c) {
  const Json& current = *c.obs.target.object;
  Emit(c, TargetId(c.guard), current, Restored(current), "give the workload back to its owner");
}

bool GivenBack(const Context& c) {
  return !c.obs.target.exists || !routing::ReadMemo(*c.obs.target.object).is_object();
}

void OwnByGuard(const Context& c, Json& metadata) {
  const spec::Metadata& guard = c.guard.metadata;
  if (guard.uid.empty()) return;
  metadata.Set("ownerReferences", Json::Arr({Json::Obj({{"apiVersion", spec::kApiVersion},
                                                        {"kind", "Guard"},
                                                        {"name", guard.name},
                                                        {"uid", guard.uid}})}));
}

bool CreatedByUs(const Context& c, const Json* object) {
  return object != nullptr && routing::CreatedFor(*object, c.guard.metadata.name);
}

namespace {

ObjectId IdOf(const Json& object) {
  return {object.At("apiVersion").Str(), object.At("kind").Str(),
          object.At("metadata", "namespace").Str(), object.At("metadata", "name").Str()};
}

}  // namespace

void FloorHpa(Context& c) {
  if (!c.obs.hpa.exists || c.obs.hpa.object == nullptr) return;
  const int64_t floor = std::min(CarrySize(c), c.obs.hpa.max);
  if (c.obs.hpa.min >= floor) return;
  Json desired = *c.obs.hpa.object;
  if (!routing::ReadMemo(desired).is_object()) {
    routing::WriteMemo(desired, Json::Obj({{"minReplicas", desired.At("spec", "minReplicas")}}));
  }
  desired["spec"].Set("minReplicas", floor);
  Emit(c, IdOf(*c.obs.hpa.object), *c.obs.hpa.object, desired, "keep the way back at its size");
}

bool UnfloorHpa(Context& c) {
  if (!c.obs.hpa.exists || c.obs.hpa.object == nullptr) return true;
  Json memo = routing::ReadMemo(*c.obs.hpa.object);
  if (!memo.is_object()) return true;
  Json desired = *c.obs.hpa.object;
  if (memo.At("minReplicas").is_null()) {
    desired["spec"].Erase("minReplicas");
  } else {
    desired["spec"].Set("minReplicas", memo.At("minReplicas"));
  }
  routing::DropMemo(desired);
  Emit(c, IdOf(*c.obs.hpa.object), *c.obs.hpa.object, desired,
       "give the autoscaler back to its owner");
  return c.observing();
}

}  // namespace rollguard::release
