// SPDX-License-Identifier: Apache-2.0
// What is written to the Guard object itself: its status and our finalizer, each guarded by the
// version that was decided on; and reading it again where that was an old one.
#include <algorithm>
#include <memory>
#include <utility>

#include "agent/app/controller.h"
#include "agent/app/slot.h"
#include "agent/base/json_patch.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "agent/release/status_patch.h"

namespace rollguard::app {
namespace {

constexpr Duration kConflictRetry{20};
constexpr Duration kFirstBackoff{200};
constexpr int kMaxDoublings = 7;  // 25 s

Error LeaseLost() {
  return Error(ErrorCode::kUnavailable,
               "this replica no longer holds the lease of the guard's shard");
}

ClusterRequest RequestFor(const std::string& ns, const std::string& name, Verb verb) {
  ClusterRequest request;
  request.verb = verb;
  request.type = kube::resources::Guards();
  request.ns = ns;
  request.name = name;
  if (verb == Verb::kPatch) request.patch = PatchKind::kMerge;
  return request;
}

// What we know ourselves of the answer to a status write need not be read.
std::shared_ptr<const Projection> WithoutStatus() {
  static const auto projection =
      std::make_shared<const Projection>(Projection{{"metadata.managedFields", "status"}});
  return projection;
}

ClusterRequest FinalizersOf(const std::string& ns, const std::string& name,
                            const std::string& version, const Json& finalizers) {
  ClusterRequest request = RequestFor(ns, name, Verb::kPatch);
  request.body = Json::Obj(
      {{"metadata", Json::Obj({{"resourceVersion", version}, {"finalizers", finalizers}})}});
  return request;
}

}  // namespace

void Controller::WriteStatus(const SlotPtr& slot, const release::GuardState& state,
                             std::function<void(Status)> done) {
  if (!MayWrite(*slot)) {
    done(LeaseLost());
    return;
  }
  Json status = release::ToJson(state);
  Sign(*slot, status);
  if (InboxMoves(*slot, state) || slot->inbox.size() > 0) {
    if (Json inbox = InboxAfter(*slot, state); inbox.size() > 0)
      status.Set("inbox", std::move(inbox));
  }
  if (slot->errands) {
    for (auto& [key, kept] : slot->errands->keep) kept.sent = true;
  }
  Json written = StatusOf(*slot);
  Json patch = release::StatusPatch(written, status);
  if (!written.is_object()) written = Json::Obj();
  ApplyMergePatch(written, patch);
  ClusterRequest request = RequestFor(slot->ns, slot->name, Verb::kPatch);
  request.subresource = "status";
  request.body = Json::Obj({{"metadata", Json::Obj({{"resourceVersion", slot->resource_version}})},
                            {"status", std::move(patch)}});
  request.urgent = slot->urgent;
  request.projection = WithoutStatus();
  ports_.cluster->Call(std::move(request),
                       [this, slot, written = std::move(written), alive = std::weak_ptr(alive_),
                        done = std::move(done)](Expected<Json> answer) {
                         if (alive.expired()) return;
                         if (!answer) {
                           InboxWritten(*slot, false);
                           done(answer.error());
                           return;
                         }
                         slot->resource_version = answer->At("metadata", "resourceVersion").Str();
                         KeepStatus(*slot, written);
                         InboxWritten(*slot, true);
                         // What follows does not wait for what only later looks need.
                         done({});
                         if (!slot->gone && slot->mine) KeepObject(*slot, *answer);
                       });
}

// The watch has told of a later version than the one our writes know of: an answer was lost, or
// another writer came in between.
bool Controller::Overtaken(const Slot& slot) const {
  return !slot.told_version.empty() && !IsAsNew(slot.resource_version, slot.told_version);
}

void Controller::ReadAgain(const SlotPtr& slot) {
  ClusterRequest request = RequestFor(slot->ns, slot->name, Verb::kGet);
  request.urgent = slot->urgent;
  slot->busy = true;
  ports_.cluster->Call(std::move(request),
                       [this, slot, alive = std::weak_ptr(alive_)](const Expected<Json>& object) {
                         if (alive.expired()) return;
                         slot->busy = false;
                         if (object && UidOf(*object) != slot->uid) {
                           if (!slot->gone) OnGuard(*object);
                         } else if (object) {
                           slot->resource_version = object->At("metadata", "resourceVersion").Str();
                           slot->told_version.clear();
                           KeepObject(*slot, *object);
                           KeepStatus(*slot, object->At("status"));
                           slot->state.reset();
                           Parse(*slot, *object);
                           ReadState(*slot);
                           Reindex(slot);
                           Schedule(slot, kConflictRetry);
                         } else {
                           BackOff(slot, object.error());
                         }
                       });
}

void Controller::BackOff(const SlotPtr& slot, const Error& error) {
  const auto backoff = kFirstBackoff * (1 << std::min(slot->failures++, kMaxDoublings));
  const auto spread = random_.Below(static_cast<uint64_t>(backoff.count()) / 4 + 1);
  Schedule(slot, error.retry_after.count() > 0 ? Duration(error.retry_after)
                                               : backoff + Duration(static_cast<int64_t>(spread)));
}

void Controller::AddFinalizer(const SlotPtr& slot) {
  Json finalizers = ObjectOf(*slot).At("metadata", "finalizers");
  if (!finalizers.is_array()) finalizers = Json::Arr();
  finalizers.Push(kFinalizer);
  slot->busy = true;
  ports_.cluster->Call(FinalizersOf(slot->ns, slot->name, slot->resource_version, finalizers),
                       [this, slot, alive = std::weak_ptr(alive_)](const Expected<Json>& object) {
                         if (alive.expired()) return;
                         if (object) {
                           slot->resource_version = object->At("metadata", "resourceVersion").Str();
                           KeepObject(*slot, *object);
                           Parse(*slot, *object);
                         }
                         Rest(slot, object ? Status() : Status(object.error()));
                       });
}

void Controller::Finalize(const SlotPtr& slot) {
  Json finalizers = Json::Arr();
  const Json known = ObjectOf(*slot);
  for (const Json& finalizer : known.At("metadata", "finalizers").items()) {
    if (finalizer.Str() != kFinalizer) finalizers.Push(finalizer);
  }
  ports_.cluster->Call(FinalizersOf(slot->ns, slot->name, slot->resource_version, finalizers),
                       [this, slot, alive = std::weak_ptr(alive_)](const Expected<Json>& object) {
                         if (alive.expired() || slot->gone) return;
                         if (object) {
                           left_[slot->id] = slot->uid;
                           OnGuardGone(slot->id);
                           return;
                         }
                         Rest(slot, object.error());
                       });
}

}  // namespace rollguard::app
