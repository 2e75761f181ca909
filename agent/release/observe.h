// SPDX-License-Identifier: Apache-2.0
// Kubernetes objects -> Observation. Pure; used alike by the agent, the rehearsal and the tests.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "agent/release/observation.h"
#include "agent/release/state.h"
#include "agent/spec/guard.h"

namespace rollguard::release {

// The objects of one guard as last read; borrowed. `others` are routes, Services, and snapshots.
struct WorldObjects {
  const Json* target = nullptr;
  const Json* candidate = nullptr;
  std::vector<const Json*> revisions;  // ReplicaSets and ControllerRevisions of both, in any order
  std::vector<const Json*> pods;       // pods the target's selector matches
  std::vector<const Json*> jobs;       // Jobs with our guard label
  const Json* hpa = nullptr;           // whose scaleTargetRef is the target
  const Json* candidate_hpa = nullptr;
  std::vector<const Json*> others;
  std::vector<const Json*> configs;  // ConfigMaps and Secrets the target's template names
};

// The name of a pod template: a short hash of its content without what the cluster or the engine
// adds to it.
std::string RevisionOf(const Json& pod_template);

// Short names of the images of a pod template, sorted: of the digest where there is one, else of
// the whole reference. What succeeded in one environment is known by these in the next.
std::vector<std::string> ImageKeys(const Json& pod_template);

// Remembers the hashes of templates by object, of the generation seen last: hashing is the dear
// part of looking. One per thread that observes.
class RevisionCache {
 public:
  // `object` has the template under `spec.template` (or `data.spec.template`). The reference is
  // good until the next call.
  const std::string& Of(const Json& object);
  // The object is gone.
  void Forget(const std::string& uid) { known_.erase(uid); }
  size_t size() const { return known_.size(); }

 private:
  struct Known {
    int64_t generation = 0;
    std::string revision;
  };
  std::unordered_map<std::string, Known> known_;  // by uid
};

// The cluster's part of an observation. The caller fills in what only it knows: signals, runs,
// commands, health, start, peers, blind.
Observation Observe(const spec::Guard& guard, const GuardState& state, const WorldObjects& world,
                    Time now, RevisionCache& cache);

// What must be watched for a guard besides target, pods and revisions: routers, Services, the
// sibling, its HorizontalPodAutoscaler, snapshots of stable and candidate.
std::vector<ObjectId> WatchedObjects(const spec::Guard& guard, const GuardState& state);
// Revisions whose snapshots nobody needs any more, as far as the status still knows them: neither
// stable nor one that a person may go back to.
std::vector<std::string> OutlivedRevisions(const GuardState& state);
// Names of the ConfigMaps and Secrets a pod template uses (volumes, env, envFrom, projected).
std::vector<ObjectId> ConfigsOf(const spec::Guard& guard, const Json& pod_template);

}  // namespace rollguard::release
