// SPDX-License-Identifier: Apache-2.0
// What the agent knows of the cluster: one informer per kind that some guard needs, an index from
// owners to what they own, and the answers to our own writes until the informers have caught up
// (so that a look never decides on a view older than what we did ourselves).
//
// Belongs to the deciding thread. Objects are handed out by value into an arena of the caller.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/app/owner_index.h"
#include "agent/kube/informer.h"
#include "agent/ports/cluster.h"
#include "agent/routing/routing.h"

namespace rollguard::app {

// Objects of one look; pointers into it stay valid until it is cleared.
using Arena = std::deque<Json>;

// The kind's API type; unknown kinds get the plural that Kubernetes would give them.
ResourceType TypeOf(const routing::ObjectId& id);
routing::ObjectId IdOf(const Json& object);
// Whether one resourceVersion of an object is the other or a later one. They count upwards; of what
// is no number only equality is known.
bool IsAsNew(std::string_view version, std::string_view than);
// The controlling owner's name of that kind, or "".
std::string OwnerOf(const Json& object);

class Mirror {
 public:
  // `changed` runs for every object that appeared, changed or went, after the mirror knows; without
  // an object when a kind has been listed, or for the first time cannot be.
  using Changed = std::function<void(const ResourceType& type, const Json& object, bool gone)>;
  Mirror(Cluster& cluster, Timers& timers, kube::Executor executor, Random random, Changed changed);

  // Starts watching a kind (once). Returns whether its first list has arrived.
  bool Ensure(const ResourceType& type);
  bool Synced(const ResourceType& type) const;
  // Every kind that was asked for has been listed or says why it cannot be.
  bool Settled() const;
  // What is held of it may be long past: the server has not been heard for seconds.
  bool Behind(const ResourceType& type) const;
  // Why a kind is not synced yet, for people; empty when it is or nothing failed so far.
  std::string Trouble(const ResourceType& type) const;

  // Lists every kind anew; what is held may be of a time that never was.
  void Relist();

  // nullptr when there is no such object.
  const Json* Get(const ResourceType& type, const std::string& ns, const std::string& name,
                  Arena& arena) const;
  // The resourceVersion of what Get gives, or "".
  std::string Version(const ResourceType& type, const std::string& ns,
                      const std::string& name) const;
  // Objects whose controlling owner has that name.
  std::vector<const Json*> OwnedBy(const ResourceType& type, const std::string& ns,
                                   const std::string& owner, Arena& arena) const;
  // Objects whose controlling owner is one that `name`'s own controller made: `name-HASH`. Whether
  // that owner is still there does not matter: pods outlive their ReplicaSet for a while.
  std::vector<const Json*> OwnedBelow(const ResourceType& type, const std::string& ns,
                                      const std::string& name, Arena& arena) const;
  void ForEach(const ResourceType& type, const std::string& ns,
               const std::function<void(const Json&)>& visit) const;

  // The server's answer to a write of ours.
  void Wrote(const ResourceType& type, const Json& object);
  void Deleted(const ResourceType& type, const std::string& ns, const std::string& name);

 private:
  struct Kind {
    std::unique_ptr<kube::Informer> informer;
    OwnerIndex owned;
    std::string trouble;
    bool synced = false;
  };
  // A write the informer has not seen yet: it still shows `seen_version`.
  struct Ours {
    std::string seen_version;
    Json object;  // null: deleted
  };

  std::vector<const Json*> All(const ResourceType& type, const std::string& ns,
                               const std::vector<std::string>& names, Arena& arena) const;
  void OnUpsert(Kind& kind, const ResourceType& type, const Json& object);
  void OnDeleted(Kind& kind, const ResourceType& type, const Json& object);
  const Ours* FindOurs(const ResourceType& type, const std::string& key,
                       std::string_view version) const;

  Cluster& cluster_;
  Timers& timers_;
  kube::Executor executor_;
  Random random_;
  Changed changed_;
  std::map<ResourceType, Kind> kinds_;
  mutable std::map<std::pair<ResourceType, std::string>, Ours> ours_;
};

}  // namespace rollguard::app
