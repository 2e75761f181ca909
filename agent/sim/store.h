// SPDX-License-Identifier: Apache-2.0
// Where the simulated API server keeps its objects: one resourceVersion counter, immutable
// snapshots, a history that watches replay and that can be compacted, indexes by owner and uid.
// Knows nothing of Kubernetes' rules; those are the ApiServer's.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/sim/object.h"

namespace rollguard::sim {

// Which object: kind (TypeInfo::id), namespace ("" for cluster scope) and name.
struct ObjectKey {
  int type = 0;
  std::string ns;
  std::string name;
  friend bool operator==(const ObjectKey&, const ObjectKey&) = default;
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};

// One committed write. `before` is null for a creation, `after` for a removal; for a removal
// `last` is the final state with the removal's own resourceVersion.
struct Change {
  uint64_t version = 0;
  ObjectKey key;
  ObjectPtr before;
  ObjectPtr after;
  ObjectPtr last;
};

class Store {
 public:
  explicit Store(size_t history_limit) : history_limit_(history_limit) {}

  ObjectPtr Get(const ObjectKey& key) const;
  // Objects of a kind in a namespace ("" : all), ordered by namespace and name.
  std::vector<ObjectPtr> List(int type, std::string_view ns = {}) const;
  // Those behind `after`, in the same order, as they stood at `version` (not before compacted()).
  // Costs what is visited and what changed since, so that a page costs the same at the end of a
  // long list as at its beginning.
  using Name = std::pair<std::string, std::string>;  // namespace and name
  void WalkAt(int type, std::string_view ns, uint64_t version, const Name& after,
              const std::function<void(const ObjectPtr&)>& visit) const;
  size_t Count(int type) const;

  // Objects that name `uid` in their ownerReferences.
  std::vector<ObjectKey> Dependents(std::string_view uid) const;
  const ObjectKey* FindUid(std::string_view uid) const;

  // Writes with the next resourceVersion, which is set in the object. Returns the snapshot.
  ObjectPtr Put(const ObjectKey& key, Json object);
  ObjectPtr Remove(const ObjectKey& key);

  uint64_t version() const { return version_; }
  // The version before which history is forgotten; a watch from an older one is Gone.
  uint64_t compacted() const { return compacted_; }
  void Compact(uint64_t version);
  const std::deque<Change>& history() const { return history_; }

  // Called synchronously after each commit, in order of registration; must not write to the store.
  void OnChange(std::function<void(const Change&)> listener);

 private:
  using Names = std::map<Name, ObjectPtr>;
  Names ChangedSince(int type, uint64_t version, const Name& after) const;
  void Index(const ObjectKey& key, const Json* before, const Json* after);
  void Publish(Change change);

  size_t history_limit_;
  uint64_t version_ = 100;
  uint64_t compacted_ = 0;
  std::vector<Names> by_type_;
  std::deque<Change> history_;
  std::unordered_map<std::string, ObjectKey> by_uid_;
  std::unordered_map<std::string, std::vector<ObjectKey>> dependents_;
  std::vector<std::function<void(const Change&)>> listeners_;
};

}  // namespace rollguard::sim
