// SPDX-License-Identifier: Apache-2.0
// Wanted traffic -> changes of routing objects, and back. Pure functions of settings, tracks and
// the objects as they are now; one file per router.
//
// What holds for every router:
// - The first change of an owner's object writes, in the same patch, what the owner had into the
//   annotation `rollguard.dev/rest`. Whoever reads the object later can find the way home, also
//   after the agent's own memory is gone. PlanRest puts that content back and drops the annotation.
// - Everything that is not ours (other routes, other destinations, unknown fields) is kept.
// - Every patch is a JSON patch of the few paths that change and carries the resourceVersion it was
//   made from: a change by somebody else in between makes it fail with a conflict.
// - Verification is "planning again changes nothing": PlanSplit(...) empty means that what was read
//   back is what is wanted.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/json.h"
#include "agent/spec/routing.h"
#include "agent/spec/strategy_kinds.h"

namespace rollguard::routing {

inline constexpr std::string_view kRestAnnotation = "rollguard.dev/rest";
inline constexpr std::string_view kTrackLabel = "rollguard.dev/track";
inline constexpr std::string_view kGuardLabel = "rollguard.dev/guard";
inline constexpr std::string_view kHashLabel = "pod-template-hash";

// Names one object of any kind.
struct ObjectId {
  std::string api_version;
  std::string kind;
  std::string ns;
  std::string name;

  std::string Text() const { return kind + " " + ns + "/" + name; }
  friend bool operator==(const ObjectId&, const ObjectId&) = default;
  friend auto operator<=>(const ObjectId&, const ObjectId&) = default;
};

struct Label {
  std::string key;
  std::string value;
  friend bool operator==(const Label&, const Label&) = default;
};

// The two tracks of one guard. With `roles_swap` (a second Deployment that somebody else manages)
// the Services are the owner's and their selectors are left alone.
struct Tracks {
  std::string guard;              // name of the guard: labels what is created
  std::string ns;                 // namespace of the guard
  std::string stable_service;     // the Service production uses; may be empty (pure subsets)
  std::string candidate_service;  // empty: `<stable_service>-candidate`, created and deleted by us
  // False: the guard names candidate_service; one that is there is the owner's and only narrowed.
  // One that is not there is created, and deleted again.
  bool own_candidate_service = true;
  Label stable;     // tells stable pods apart: pod-template-hash=...
  Label candidate;  // rollguard.dev/track=candidate
  bool roles_swap = false;
  bool swapped = false;  // with roles_swap: the second Deployment holds production

  std::string CandidateService() const;
  // The Services by place, whoever holds production: what owner's objects led to at first.
  std::string FirstService() const { return swapped ? CandidateService() : stable_service; }
  std::string SecondService() const { return swapped ? stable_service : CandidateService(); }
};

// A named extra route to the candidate for requests that match (any one of `match`).
struct HeaderRoute {
  std::string name;
  std::vector<spec::RequestMatch> match;
};
// A named copy of requests to the candidate. Empty `match`: all requests of the routes.
struct MirrorRoute {
  std::string name;
  std::vector<spec::RequestMatch> match;
  int64_t percent = 100;
};

// Absolute target: `candidate` percent (0..100) to the candidate, the rest to stable.
struct Split {
  int64_t candidate = 0;
  std::vector<HeaderRoute> headers;
  std::vector<MirrorRoute> mirrors;
};

// The objects as last read. nullptr: not there. The returned pointer lives as long as the view.
using View = std::function<const Json*(const ObjectId&)>;

struct Change {
  enum class Kind { kCreate, kPatch, kDelete };
  Kind kind = Kind::kPatch;
  ObjectId object;
  Json body;                     // the object to create, or a JSON patch (array)
  std::string resource_version;  // of the object the patch was made from
  std::string uid;               // precondition of a delete
};

// What one router's objects say now.
struct Reading {
  enum class State {
    kAtRest,   // as the owner wrote them; the share of the candidate is 0
    kSplit,    // ours
    kInvalid,  // cannot be understood; `message` says why
  };
  State state = State::kAtRest;
  int64_t candidate = 0;  // percent of the traffic
  bool extra = false;     // header or mirror routes of ours are in place
  std::string message;
};

// The objects that must be watched for these settings, the Services included.
std::vector<ObjectId> ObjectsOf(const std::vector<spec::Routing>& routing, const Tracks& tracks);

// The changes, in the order they must be made, that bring all routers to `split`. Empty: they
// already say so. An Error names the object and what is wrong with it.
Expected<std::vector<Change>> PlanSplit(const std::vector<spec::Routing>& routing,
                                        const Tracks& tracks, const Split& split, const View& view);

// The changes that give every object back as its owner wrote it and delete what we created.
// `candidate_lives`: where the candidate's pods are at that moment. After a promotion the new
// stable pods must be found before the route returns, so Services are unpinned first; after a
// rollback the candidate is gone already and routes go first. Done in two waves: the second is
// planned only when the first changes nothing any more. After the two Deployments have changed
// roles the owner's content leads to the one that holds production now, and what only we could have
// created stays when the way there leads through it.
enum class RestAfter { kPromotion, kRollback };
Expected<std::vector<Change>> PlanRest(const std::vector<spec::Routing>& routing,
                                       const Tracks& tracks, RestAfter after, const View& view);

// One reading over all routers: kInvalid wins, then the largest share of the candidate.
Reading Read(const std::vector<spec::Routing>& routing, const Tracks& tracks, const View& view);

// True when the share of traffic follows the share of replicas (no router that has weights).
bool FollowsReplicas(const std::vector<spec::Routing>& routing);
// True when a router can give any share; false: all or nothing (a Service's selector).
bool HasWeights(const std::vector<spec::Routing>& routing);

// What the strategy asks of the routers and they cannot do, one sentence each with what to do.
// Empty when all is well. Used when a guard is loaded.
std::vector<std::string> Unsupported(const spec::Strategy& strategy);

}  // namespace rollguard::routing
