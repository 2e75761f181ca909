// SPDX-License-Identifier: Apache-2.0
// From the mirror to an Observation: the objects of one guard, its peers and rivals, and what the
// sensors add.
#include <algorithm>

#include "agent/app/controller.h"
#include "agent/app/slot.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::app {
namespace {

// autoscaling/v1 is served by every version; what the engine needs of it never changed.
ResourceType HpaType() {
  return {"autoscaling", "v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true};
}

bool HasRevisions(const spec::Target& target) {
  return target.kind == "StatefulSet" || target.kind == "DaemonSet";
}

bool UsesHooks(const spec::Guard& guard) {
  const spec::Hooks& h = guard.hooks;
  if (!h.pre_release.empty() || !h.post_promote.empty() || !h.rollback.empty() || !h.verify.empty())
    return true;
  const auto* canary = std::get_if<spec::CanaryStrategy>(&guard.strategy);
  return canary != nullptr &&
         std::any_of(canary->steps.begin(), canary->steps.end(), [](const spec::Step& step) {
           return std::holds_alternative<spec::RunHook>(step.action);
         });
}

// The template whose ConfigMaps and Secrets matter: the target's.
const Json& TemplateOf(const Json& workload) { return workload.At("spec", "template"); }

}  // namespace

bool Controller::EnsureWatched(Slot& slot) {
  const spec::Guard& guard = *slot.guard;
  std::vector<ResourceType> needed = {
      TypeOf(release::TargetId(guard)), TypeOf(release::CandidateId(guard)),
      kube::resources::Pods(), HpaType(),
      HasRevisions(guard.target) ? kube::resources::ControllerRevisions()
                                 : kube::resources::ReplicaSets()};
  if (UsesHooks(guard)) needed.push_back(kube::resources::Jobs());
  if (guard.configs.restore) {
    needed.push_back(kube::resources::ConfigMaps());
    needed.push_back(kube::resources::Secrets());
  }
  for (const auto& id : release::WatchedObjects(guard, *slot.state)) needed.push_back(TypeOf(id));
  bool ready = true;
  slot.problem.clear();
  slot.behind = false;
  for (const ResourceType& type : needed) {
    slot.behind = slot.behind || mirror_.Behind(type);
    if (mirror_.Ensure(type)) continue;
    ready = false;
    if (std::string trouble = mirror_.Trouble(type); !trouble.empty()) slot.problem = trouble;
  }
  slot.waits_for_list = !ready;
  return ready;
}

void Controller::GatherWorkloads(Slot& slot, Arena& arena, release::WorldObjects& world) const {
  const spec::Guard& guard = *slot.guard;
  routing::ObjectId target = release::TargetId(guard), candidate = release::CandidateId(guard);
  world.target = mirror_.Get(TypeOf(target), target.ns, target.name, arena);
  world.candidate = mirror_.Get(TypeOf(candidate), candidate.ns, candidate.name, arena);
  ResourceType revisions = HasRevisions(guard.target) ? kube::resources::ControllerRevisions()
                                                      : kube::resources::ReplicaSets();
  for (const std::string& name : {target.name, candidate.name}) {
    for (const Json* revision : mirror_.OwnedBy(revisions, slot.ns, name, arena)) {
      world.revisions.push_back(revision);
    }
    const auto pods = HasRevisions(guard.target)
                          ? mirror_.OwnedBy(kube::resources::Pods(), slot.ns, name, arena)
                          : mirror_.OwnedBelow(kube::resources::Pods(), slot.ns, name, arena);
    world.pods.insert(world.pods.end(), pods.begin(), pods.end());
    if (name == candidate.name && candidate.name == target.name) break;
  }
}

void Controller::GatherOthers(Slot& slot, Arena& arena, release::WorldObjects& world) const {
  const spec::Guard& guard = *slot.guard;
  for (const auto& id : release::WatchedObjects(guard, *slot.state)) {
    if (const Json* object = mirror_.Get(TypeOf(id), id.ns, id.name, arena))
      world.others.push_back(object);
  }
  mirror_.ForEach(HpaType(), slot.ns, [&](const Json& hpa) {
    std::string name = hpa.At("spec", "scaleTargetRef", "name").Str();
    if (name == guard.target.name) world.hpa = &arena.emplace_back(hpa);
    if (name != guard.target.name && name == release::CandidateName(guard))
      world.candidate_hpa = &arena.emplace_back(hpa);
  });
  if (UsesHooks(guard)) {
    mirror_.ForEach(kube::resources::Jobs(), slot.ns, [&](const Json& job) {
      if (job.At("metadata", "labels", routing::kGuardLabel).Str() == slot.name)
        world.jobs.push_back(&arena.emplace_back(job));
    });
  }
  if (!guard.configs.restore || world.target == nullptr) return;
  for (const auto& id : release::ConfigsOf(guard, TemplateOf(*world.target))) {
    slot.configs.push_back(id.Text());
    if (const Json* object = mirror_.Get(TypeOf(id), id.ns, id.name, arena))
      world.configs.push_back(object);
  }
}

release::Observation Controller::Gather(Slot& slot, Arena& arena) {
  release::WorldObjects world;
  GatherWorkloads(slot, arena, world);
  GatherOthers(slot, arena, world);
  release::Observation observation =
      release::Observe(*slot.guard, *slot.state, world, ports_.clock->Now(), revisions_);
  observation.configs.read_for = slot.configs_read_for;
  observation.deleting = slot.deleting;
  observation.commands = slot.Wanted().commands;
  AddStart(slot, observation);
  AddPast(slot, observation);
  for (Sensor* sensor : parts_.sensors) sensor->Contribute(*slot.guard, *slot.state, observation);
  return observation;
}

}  // namespace rollguard::app
