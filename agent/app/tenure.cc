// SPDX-License-Identifier: Apache-2.0
// Guards taken from and let go to other replicas, and the fence: what a replica writes carries its
// epoch in the guard's status first (`status.owner`), guarded by the version it decided on. Whoever
// decided on an older one is refused, and whoever has lost the lease by its own clock does not ask.
#include "agent/app/controller.h"
#include "agent/app/slot.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::app {
namespace {

// What the former owner wrote last may still be on its way through our watches.
constexpr Duration kSettle{250};
constexpr Duration kAskEpoch{100};
constexpr Duration kAskOwnership{1000};

}  // namespace

void Controller::OwnershipChanged() {
  for (auto& [id, slot] : slots_) {
    const bool mine = parts_.ownership->Mine(id);
    if (mine == slot->mine) continue;
    if (mine) {
      Take(slot);
    } else {
      LetGo(slot);
    }
  }
}

// A guard that came while our lease had run out for a moment: of its renewal nobody tells.
void Controller::AskOnceMore(const SlotPtr& slot) {
  ports_.timers->After(kAskOwnership, [this, slot, alive = std::weak_ptr(alive_)] {
    if (alive.expired() || slot->gone || slot->mine) return;
    if (parts_.ownership->Mine(slot->id)) Take(slot);
  });
}

bool Controller::Busy(const std::function<bool(const std::string&)>& which) const {
  for (const auto& [id, slot] : slots_) {
    if (slot->busy && which(id)) return true;
  }
  return false;
}

void Controller::Take(const SlotPtr& slot) {
  slot->mine = true;
  slot->failures = 0;
  if (slot->busy) return;  // let go a moment ago: Rest goes on
  for (Sensor* sensor : parts_.sensors) sensor->Forget(slot->id);
  Refresh(*slot);
  Schedule(slot, kSettle);
}

void Controller::LetGo(const SlotPtr& slot) {
  slot->mine = false;
  ++slot->tenure;
  if (slot->timer != 0) ports_.timers->CancelTimer(std::exchange(slot->timer, 0));
  slot->timer_at.reset();
  if (!slot->busy) Leave(slot);  // else Rest does
}

void Controller::Leave(const SlotPtr& slot) {
  for (Sensor* sensor : parts_.sensors) sensor->Forget(slot->id);
  for (Listener* listener : parts_.listeners) listener->LetGo(slot->id);
  slot->reasons.clear();
  slot->looked.reset();
  HandOver(slot);
  Refresh(*slot);
}

// The object as the watch has it.
void Controller::Refresh(Slot& slot) {
  Arena arena;
  if (const Json* object = mirror_.Get(kube::resources::Guards(), slot.ns, slot.name, arena)) {
    KeepObject(slot, *object);
    KeepStatus(slot, object->At("status"));
    slot.resource_version = object->At("metadata", "resourceVersion").Str();
    slot.state.reset();
    Parse(slot, *object);
  }
  ReadState(slot);
}

bool Controller::ReadState(Slot& slot) {
  // Somebody may have left something in the inbox before there was any state.
  const Json status = StatusOf(slot);
  const bool written = status.Find("phase") != nullptr;
  auto state = release::StateFromJson(written ? status : Json());
  if (!state) {
    slot.problem = StrCat("its status cannot be read: ", state.error().message);
    slot.state.reset();
    return false;
  }
  slot.state = std::move(*state);
  Count(slot);
  Know(slot);
  return true;
}

bool Controller::MayWrite(const Slot& slot) const {
  return parts_.ownership == nullptr || parts_.ownership->MayWrite(slot.id);
}

// A lease that was deleted and made anew counts from nought: ours must become the later one before
// anything is signed with it.
bool Controller::Outgrown(const SlotPtr& slot) {
  if (parts_.ownership == nullptr) return false;
  const Json& owner = slot->owner;
  const Epoch ours = parts_.ownership->EpochOf(slot->id);
  const int64_t number = owner.At("epoch").IntOr(-1);
  const bool same_shard = owner.At("shard").IntOr(-1) == ours.shard;
  const bool later =
      number > ours.number || (number == ours.number && owner.At("replica").Str() != ours.replica);
  if (!same_shard || !later) return false;
  parts_.ownership->Outgrow(slot->id, number);
  Schedule(slot, kAskEpoch);
  return true;
}

void Controller::Sign(const Slot& slot, Json& status) const {
  if (parts_.ownership == nullptr) return;
  const Epoch epoch = parts_.ownership->EpochOf(slot.id);
  status.Set("owner", Json::Obj({{"replica", epoch.replica},
                                 {"shard", static_cast<int64_t>(epoch.shard)},
                                 {"epoch", epoch.number}}));
}

// Whether the status names us as its owner, as we are now.
bool Controller::Signed(const Slot& slot) const {
  Json now = Json::Obj();
  Sign(slot, now);
  return now.At("owner") == slot.owner;
}

}  // namespace rollguard::app
