// SPDX-License-Identifier: Apache-2.0
// Guards coming, changing and going, and which of them an object's change concerns.
#include "agent/app/controller.h"

#include <algorithm>

#include "agent/app/slot.h"
#include "agent/artifact/verify.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::app {
namespace {

constexpr Duration kSoon{0};
constexpr Duration kAskBusy{10};

std::string WorkloadKey(std::string_view ns, std::string_view name) {
  return StrCat(ns, "/", name);
}

bool IsGuardKind(const ResourceType& type) { return type == kube::resources::Guards(); }

// A ReplicaSet's name without its hash: the Deployment's.
std::string WithoutHash(const std::string& name) { return name.substr(0, name.rfind('-')); }

// Workload names an object may belong to.
std::vector<std::string> WorkloadsOf(const ResourceType& type, const Json& object) {
  if (type.kind == "HorizontalPodAutoscaler")
    return {object.At("spec", "scaleTargetRef", "name").Str()};
  std::string owner = OwnerOf(object);
  if (owner.empty()) return {};
  if (type.kind == "Pod") return {owner, WithoutHash(owner)};
  return {owner};
}

}  // namespace

Controller::Controller(ControllerPorts ports, ControllerParts parts)
    : ports_(std::move(ports)),
      parts_(std::move(parts)),
      random_(ports_.seed),
      mirror_(*ports_.cluster, *ports_.timers, ports_.executor, Random(random_.Next()),
              [this](const ResourceType& type, const Json& object, bool gone) {
                OnChanged(type, object, gone);
              }),
      runner_({ports_.cluster, &mirror_, parts_.analysis, parts_.gates, parts_.listeners}) {
  if (parts_.environments == nullptr) return;
  parts_.environments->SetListener([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) TouchPromoted();
  });
}

Controller::~Controller() {
  *alive_ = false;
  for (auto& [id, slot] : slots_) {
    if (slot->timer != 0) ports_.timers->CancelTimer(slot->timer);
  }
}

void Controller::Start() { mirror_.Ensure(kube::resources::Guards()); }

bool Controller::synced() const { return mirror_.Synced(kube::resources::Guards()); }

void Controller::Quiesce(std::function<void()> done) {
  quiescing_ = true;
  for (auto& [id, slot] : slots_) {
    if (slot->timer != 0) ports_.timers->CancelTimer(std::exchange(slot->timer, 0));
  }
  if (!Busy([](const std::string&) { return true; })) {
    done();
    return;
  }
  ports_.timers->After(kAskBusy, [this, alive = std::weak_ptr(alive_), done = std::move(done)] {
    if (!alive.expired()) Quiesce(done);
  });
}

void Controller::SetLibrary(spec::Library library) {
  library_ = std::move(library);
  ++library_version_;
  for (auto& [id, slot] : slots_) {
    slot->parsed_generation = -1;
    Parse(*slot, ObjectOf(*slot));
    Reindex(slot);
    Schedule(slot, kSoon);
  }
}

void Controller::OnChanged(const ResourceType& type, const Json& object, bool gone) {
  // A kind has been listed, or cannot be: whoever waits can look once there is an answer for all.
  if (object.is_null()) {
    if (!mirror_.Settled()) return;
    for (auto& [id, slot] : slots_) {
      if (std::exchange(slot->waits_for_list, false)) Schedule(slot, kSoon);
    }
    return;
  }
  if (!IsGuardKind(type)) {
    if (gone) revisions_.Forget(object.At("metadata", "uid").Str());
    TouchDependents(type, object);
    return;
  }
  if (gone) {
    std::string id =
        WorkloadKey(object.At("metadata", "namespace").Str(), object.At("metadata", "name").Str());
    left_.erase(id);
    TouchPeers(id);
    peers_.Remove(id);
    OnGuardGone(id);
  } else {
    OnGuard(object);
  }
}

void Controller::OnGuard(const Json& object) {
  std::string ns = object.At("metadata", "namespace").Str(),
              name = object.At("metadata", "name").Str();
  std::string id = WorkloadKey(ns, name);
  if (auto left = left_.find(id); left != left_.end()) {
    if (left->second == UidOf(object)) return;
    left_.erase(left);
  }
  peers_.Put(object);
  TouchPeers(id);
  if (parts_.owns && !parts_.owns(id)) {
    OnGuardGone(id);
    return;
  }
  // Another one of the same name, made after it was deleted?
  if (auto known = slots_.find(id); known != slots_.end() && known->second->uid != UidOf(object)) {
    const std::string& then = known->second->resource_version;
    if (IsAsNew(then, object.At("metadata", "resourceVersion").Str())) return;  // of the former one
    OnGuardGone(id);  // what it was doing is not the new one's
  }
  SlotPtr& slot = slots_[id];
  bool is_new = slot == nullptr;
  if (is_new) {
    slot = std::make_shared<Slot>();
    slot->id = id;
    slot->mine = parts_.ownership == nullptr || parts_.ownership->Mine(id);
    if (!slot->mine) AskOnceMore(slot);
  }
  slot->ns = ns;
  slot->name = name;
  const std::string version = object.At("metadata", "resourceVersion").Str();
  bool ours = version == slot->resource_version;
  // What comes late of the time before our last write says nothing any more.
  const bool late = !is_new && !ours && IsAsNew(slot->resource_version, version);
  if (late && !std::exchange(slot->may_be_older, false)) return;
  const bool known = slot->state.has_value();
  if (!slot->busy) {
    // The version that guards our writes and the state they start from are of one object: what
    // another writer, or a write of ours without an answer, left there is read again.
    if (is_new || !slot->state || !(object.At("status") == StatusOf(*slot))) {
      KeepStatus(*slot, object.At("status"));
      slot->state.reset();
    }
    KeepObject(*slot, object);
    slot->resource_version = version;
  } else {
    if (!IsAsNew(slot->told_version, version)) slot->told_version = version;
    // What is looked at next and what is recorded of it speak of the same spec.
    Json kept = ObjectOf(*slot);
    kept.Set("spec", object.At("spec"));
    kept["metadata"].Set("generation", object.At("metadata", "generation"));
    KeepObject(*slot, kept);
  }
  Parse(*slot, object);
  // Not only who looks at it next needs to know how far it is: alerts are correlated with every
  // guard, and one that came in between would be nobody's for good.
  if (!slot->busy && (!slot->mine || (known && !slot->state))) ReadState(*slot);
  if (!slot->busy && !slot->mine) HearAnswers(*slot);
  Reindex(slot);
  // The echo of our own status write is no reason to look again.
  if (is_new || !ours) Schedule(slot, kSoon);
}

void Controller::OnGuardGone(const std::string& id) {
  auto found = slots_.find(id);
  if (found == slots_.end()) return;
  SlotPtr slot = found->second;
  slot->gone = true;
  if (slot->timer != 0) ports_.timers->CancelTimer(slot->timer);
  slots_.erase(found);
  Count(*slot);
  index_.Put(id, {});
  for (Sensor* sensor : parts_.sensors) sensor->Forget(id);
  for (Listener* listener : parts_.listeners) listener->Removed(id);
  for (const auto& [command, answer] : slot->Wanted().answered)
    answer({command, false, "the guard was deleted"});
}

void Controller::Parse(Slot& slot, const Json& object) {
  slot.deleting = object.At("metadata").Find("deletionTimestamp") != nullptr;
  slot.has_finalizer = false;
  for (const Json& finalizer : object.At("metadata", "finalizers").items()) {
    slot.has_finalizer = slot.has_finalizer || finalizer.Str() == kFinalizer;
  }
  int64_t generation = object.At("metadata", "generation").IntOr(0);
  if (generation == slot.parsed_generation) return;
  slot.parsed_generation = generation;
  Diagnostics problems;
  spec::Library one;
  spec::LoadObject(object, one, problems);
  std::optional<spec::Guard> resolved;
  if (!problems.has_errors() && one.guards.size() == 1)
    resolved = spec::Resolve(one.guards[0], library_, problems);
  // What its form does not tell: whether a key can be used.
  for (size_t i = 0; resolved && i < resolved->artifacts.public_keys.size(); ++i) {
    Status usable = artifact::CheckKey(resolved->artifacts.public_keys[i]);
    if (!usable)
      problems.Error("", {},
                     StrCat("spec.artifacts.publicKeys[", i, "]: ", usable.error().message));
  }
  if (!resolved || problems.has_errors()) {
    auto sorted = problems.Sorted();
    std::string problem = sorted.empty() ? "the object is not a usable Guard" : sorted[0].message;
    if (problem != slot.problem) {
      for (Listener* listener : parts_.listeners) listener->Unusable(object, problem);
    }
    slot.problem = std::move(problem);
    slot.guard = nullptr;
    return;
  }
  slot.problem.clear();
  bool merged = !one.guards[0].policy.empty() || !one.guards[0].strategy_ref.empty();
  slot.resolved_spec = merged ? yaml::ToJson(resolved->raw).Dump() : std::string();
  resolved->raw = {};  // read; thousands of guards at rest should not keep it
  slot.guard = std::make_shared<const spec::Guard>(std::move(*resolved));
}

Json Controller::ObjectOf(const Slot& slot) const { return packer_.Unpack(slot.packed_object); }

Json Controller::StatusOf(const Slot& slot) const { return packer_.Unpack(slot.packed_status); }

void Controller::KeepObject(Slot& slot, const Json& object) {
  Json metadata = object.At("metadata");
  metadata.Erase("managedFields");
  if (Json* annotations = metadata.Find("annotations"))
    annotations->Erase("kubectl.kubernetes.io/last-applied-configuration");
  slot.uid = metadata.At("uid").Str();
  slot.generation = metadata.At("generation").IntOr(0);
  packer_.Holds(slots_.size());
  slot.packed_object = packer_.Pack(Json::Obj({{"apiVersion", object.At("apiVersion")},
                                               {"kind", object.At("kind")},
                                               {"metadata", std::move(metadata)},
                                               {"spec", object.At("spec")}}));
}

void Controller::KeepStatus(Slot& slot, const Json& status) {
  slot.packed_status = packer_.Pack(status);
  slot.inbox = status.At("inbox");
  slot.owner = status.At("owner");
}

void Controller::Count(const Slot& slot) {
  if (slot.guard == nullptr || slot.gone) {
    census_.Remove(slot.id);
  } else if (slot.state) {  // else what it was stands until it has been read again
    census_.Put(slot.id, slot.guard->group, *slot.state);
  }
}

void Controller::Reindex(const SlotPtr& slot) {
  Count(*slot);
  std::vector<std::string> keys;
  if (slot->guard != nullptr) {
    const spec::Guard& guard = *slot->guard;
    keys.push_back(WorkloadKey(slot->ns, guard.target.name));
    keys.push_back(WorkloadKey(slot->ns, release::CandidateName(guard)));
    keys.push_back(release::TargetId(guard).Text());
    keys.push_back(release::CandidateId(guard).Text());
    release::GuardState none;
    for (const auto& id : release::WatchedObjects(guard, slot->state ? *slot->state : none))
      keys.push_back(id.Text());
    keys.insert(keys.end(), slot->configs.begin(), slot->configs.end());
  }
  index_.Put(slot->id, keys);
}

void Controller::TouchDependents(const ResourceType& type, const Json& object) {
  std::string ns = object.At("metadata", "namespace").Str();
  std::string key = StrCat(type.kind, " ", ns, "/", object.At("metadata", "name").Str());
  auto touch = [this](const std::string& id) { Touch(id); };
  index_.ForEach(key, touch);
  for (const std::string& workload : WorkloadsOf(type, object))
    index_.ForEach(WorkloadKey(ns, workload), touch);
  std::string guard = object.At("metadata", "labels", routing::kGuardLabel).Str();
  if (!guard.empty()) Touch(WorkloadKey(ns, guard));
}

void Controller::Touch(const std::string& guard, Turn turn) {
  auto found = slots_.find(guard);
  if (found == slots_.end()) return;
  if (turn == Turn::kAtOnce) found->second->urgent = true;
  Schedule(found->second, kSoon);
}

void Controller::Tell(const std::string& guard, release::Command command, Answered answered) {
  auto found = slots_.find(guard);
  if (found == slots_.end()) {
    answered({command.id, false, StrCat("there is no guard ", guard, " here")});
    return;
  }
  if (!found->second->mine) {
    AskOwner(found->second, command, std::move(answered));
    return;
  }
  Slot::Errands& errands = found->second->Want();
  errands.answered[command.id] = std::move(answered);
  errands.commands.push_back(std::move(command));
  found->second->urgent = true;
  Schedule(found->second, kSoon);
}

std::vector<std::string> Controller::GuardIds() const {
  std::vector<std::string> ids;
  for (const auto& [id, slot] : slots_) ids.push_back(id);
  return ids;
}

std::optional<GuardSummary> Controller::Find(const std::string& guard) const {
  auto found = slots_.find(guard);
  if (found == slots_.end()) return std::nullopt;
  const Slot& slot = *found->second;
  GuardSummary summary{.id = slot.id,
                       .guard = {},
                       .state = {},
                       .reasons = slot.reasons,
                       .problem = slot.problem,
                       .looked = slot.looked,
                       .replica = slot.owner.At("replica").Str()};
  if (slot.guard != nullptr) summary.guard = *slot.guard;
  summary.guard.metadata.name = slot.name;
  summary.guard.metadata.ns = slot.ns;
  if (slot.state) summary.state = *slot.state;
  return summary;
}

void Controller::ForEach(
    std::string_view ns,
    const std::function<void(const spec::Guard&, const release::GuardState&)>& visit) const {
  const std::string first = ns.empty() ? std::string() : StrCat(ns, "/");
  for (auto at = slots_.lower_bound(first); at != slots_.end(); ++at) {
    if (!at->first.starts_with(first)) return;
    const Slot& slot = *at->second;
    if (slot.guard != nullptr && slot.state) visit(*slot.guard, *slot.state);
  }
}

// One timer a guard: the earliest wish wins, an urgent one over all.
void Controller::Schedule(const SlotPtr& slot, Duration delay) {
  if (slot->gone || !slot->mine || quiescing_) return;
  if (slot->busy) {
    if (delay <= kSoon) slot->again = true;
    return;
  }
  const bool at_once = slot->urgent && delay <= kSoon;
  const Time at = at_once ? Time::min() : ports_.clock->Now() + delay;
  if (slot->timer != 0) {
    if (slot->timer_at && *slot->timer_at <= at) return;
    ports_.timers->CancelTimer(slot->timer);
  }
  slot->timer_at = at;
  auto look = [this, alive = std::weak_ptr(alive_), slot] {
    if (alive.expired()) return;
    slot->timer = 0;
    slot->timer_at.reset();
    Look(slot);
  };
  slot->timer = at_once ? ports_.timers->AtOnce(std::move(look))
                        : ports_.timers->After(delay, std::move(look));
}

}  // namespace rollguard::app
