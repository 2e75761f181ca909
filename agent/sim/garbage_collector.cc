// SPDX-License-Identifier: Apache-2.0
// Owner references. An object whose owners are all gone is deleted; foreground deletion waits for
// dependents that block it; orphaning takes the reference away. Namespaces take their content
// along.
#include <algorithm>

#include "agent/sim/controller.h"

namespace rollguard::sim {
namespace {

bool HasFinalizer(const Json& object, std::string_view name) {
  const auto& list = Meta(object).At("finalizers").items();
  return std::any_of(list.begin(), list.end(), [&](const Json& f) { return Text(f) == name; });
}

void DropFinalizer(ApiServer& api, const ObjectKey& key, std::string_view name) {
  api.Update(key, [&](Json& object) {
    Json& list = object["metadata"]["finalizers"];
    std::erase_if(list.items(), [&](const Json& f) { return Text(f) == name; });
  });
}

class GarbageCollector final : public Controller {
 public:
  explicit GarbageCollector(const ControllerContext& c)
      : api_(c.api),
        queue_(c.api.scheduler(), c.lag, c.seed, [this](const ObjectKey& key) { Collect(key); }) {}

  void Observe(const Change& change) override {
    if (!change.after) {
      std::string uid(UidOf(*change.before));
      for (const ObjectKey& key : api_.store().Dependents(uid)) queue_.Add(key);
      for (const Json& owner : Meta(*change.before).At("ownerReferences").items()) {
        if (const ObjectKey* key = api_.store().FindUid(Text(owner.At("uid")))) queue_.Add(*key);
      }
      return;
    }
    bool created_with_owner =
        !change.before && Meta(*change.after).At("ownerReferences").size() > 0;
    if (created_with_owner || IsTerminating(*change.after)) queue_.Add(change.key);
  }

 private:
  void Collect(const ObjectKey& key) {
    ObjectPtr object = api_.store().Get(key);
    if (!object) return;
    if (IsTerminating(*object)) {
      if (HasFinalizer(*object, "orphan")) return Orphan(key, *object);
      if (HasFinalizer(*object, "foregroundDeletion")) return Foreground(key, *object);
      return;
    }
    const auto& owners = Meta(*object).At("ownerReferences").items();
    if (owners.empty()) return;
    bool all_gone = std::all_of(owners.begin(), owners.end(), [&](const Json& owner) {
      return api_.store().FindUid(Text(owner.At("uid"))) == nullptr;
    });
    if (all_gone) api_.Delete(key);
  }

  void Orphan(const ObjectKey& key, const Json& object) {
    std::string uid(UidOf(object));
    for (const ObjectKey& dependent : api_.store().Dependents(uid)) {
      api_.Update(dependent, [&](Json& d) {
        std::erase_if(d["metadata"]["ownerReferences"].items(),
                      [&](const Json& o) { return Text(o.At("uid")) == uid; });
      });
    }
    DropFinalizer(api_, key, "orphan");
  }

  void Foreground(const ObjectKey& key, const Json& object) {
    bool waiting = false;
    for (const ObjectKey& dependent : api_.store().Dependents(UidOf(object))) {
      ObjectPtr d = api_.store().Get(dependent);
      if (!d) continue;
      for (const Json& owner : Meta(*d).At("ownerReferences").items()) {
        if (Text(owner.At("uid")) == UidOf(object) && owner.At("blockOwnerDeletion").BoolOr(false))
          waiting = true;
      }
      if (!IsTerminating(*d)) DeleteForeground(dependent);
    }
    if (!waiting) DropFinalizer(api_, key, "foregroundDeletion");
  }

  void DeleteForeground(const ObjectKey& key) {
    ClusterRequest request;
    request.verb = Verb::kDelete;
    request.type = api_.types().Get(key.type)->type;
    request.ns = key.ns;
    request.name = key.name;
    request.propagation = "Foreground";
    api_.Serve(request);
  }

  ApiServer& api_;
  WorkQueue queue_;
};

class NamespaceController final : public Controller {
 public:
  explicit NamespaceController(const ControllerContext& c)
      : api_(c.api),
        type_(c.api.TypeId("", "namespaces")),
        queue_(c.api.scheduler(), c.lag, c.seed, [this](const ObjectKey& key) { Empty(key); }) {}

  void Observe(const Change& change) override {
    if (change.key.type == type_ && change.after && IsTerminating(*change.after))
      queue_.Add(change.key);
  }

 private:
  void Empty(const ObjectKey& key) {
    ObjectPtr ns = api_.store().Get(key);
    if (!ns || !IsTerminating(*ns)) return;
    bool empty = true;
    for (const TypeInfo* info : api_.types().All()) {
      if (!info->type.namespaced) continue;
      for (const ObjectPtr& object : api_.store().List(info->id, key.name)) {
        empty = false;
        if (!IsTerminating(*object)) api_.Delete(ApiServer::KeyOf(info->id, *object));
      }
    }
    if (!empty) return queue_.AddAfter(key, Duration(500));
    if (Meta(*ns).At("finalizers").size() == 0) api_.store().Remove(key);
  }

  ApiServer& api_;
  int type_;
  WorkQueue queue_;
};

}  // namespace

std::unique_ptr<Controller> MakeGarbageCollector(const ControllerContext& context) {
  return std::make_unique<GarbageCollector>(context);
}

std::unique_ptr<Controller> MakeNamespaceController(const ControllerContext& context) {
  return std::make_unique<NamespaceController>(context);
}

}  // namespace rollguard::sim
