// SPDX-License-Identifier: Apache-2.0
// What the world looks like to one guard at one moment. Built by observe.h from Kubernetes objects
// plus what the agent knows (signals, runs, commands). Json pointers are borrowed: they must live
// until Step returns.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/base/json.h"
#include "agent/base/time.h"
#include "agent/release/decision.h"
#include "agent/routing/routing.h"

namespace rollguard::release {

using routing::ObjectId;

// A ReplicaSet or ControllerRevision of a workload.
struct RevisionView {
  std::string revision;  // content hash of the pod template
  std::string pod_hash;  // pod-template-hash / controller-revision-hash
  int64_t number = 0;
  int64_t replicas = 0;  // wanted
  int64_t ready = 0;
  int64_t available = 0;
  const Json* object = nullptr;
  // Only of kinds whose pods' names do not tell; both bounded.
  std::vector<std::string> pods;                            // names
  std::vector<std::string> made;                            // when each of them was
  std::vector<std::pair<std::string, std::string>> broken;  // name and uid, of those not ready
};

// The target, or the candidate's Deployment.
struct WorkloadView {
  bool exists = false;
  const Json* object = nullptr;
  std::string kind;
  std::string uid;
  std::string resource_version;
  std::string revision;  // of spec.template
  std::string pod_hash;  // of the ReplicaSet that matches spec.template; may be empty
  bool deleting = false;
  bool observed = false;  // status is of this generation
  bool held = false;      // paused, or partition/OnDelete for the other kinds
  int64_t replicas = 0;   // spec
  int64_t total = 0;      // status.replicas
  int64_t updated = 0;
  int64_t ready = 0;
  int64_t available = 0;
  std::vector<RevisionView> revisions;

  const RevisionView* Find(std::string_view revision) const;
  // Every pod is of spec.template and available.
  bool RolledOut() const;
};

// The pods of one track, counted. `problem`: the first pod that will not come up by itself.
struct PodsView {
  int64_t total = 0;  // not terminating
  int64_t ready = 0;
  int64_t terminating = 0;
  int64_t restarts = 0;
  bool crash_looping = false;
  bool image_pull_failing = false;
  std::string problem;
};

struct HpaView {
  bool exists = false;
  const Json* object = nullptr;
  int64_t min = 0;
  int64_t max = 0;
  int64_t desired = 0;
};

struct JobView {
  enum class State { kRunning, kSucceeded, kFailed };
  std::string name;
  State state = State::kRunning;
  std::string message;
};

// An analysis run the agent carries out. Runs are kept by id; one that is not listed is not there
// (never started, or lost with a restart) and is started again.
struct RunView {
  enum class Phase { kPending, kRunning, kSuccessful, kFailed, kError, kInconclusive };
  std::string id;
  Phase phase = Phase::kRunning;
  std::string message;
  Json evidence;
};

struct GateView {
  std::string key;
  bool open = false;
  std::string message;
  Time at;
};

struct HealthView {
  std::optional<double> score;  // nothing measured yet: absent
  bool critical_failing = false;
  std::string reason;
  Time at;
};

// What a person (or another system on behalf of one) asked for. Identity was checked before.
struct Command {
  enum class Verb {
    kPromote,
    kPause,
    kResume,
    kAbort,
    kRollBack,
    kRetry,
    kApprove,
    kReject,
    kSkip,
    kRelease,
  };
  std::string id;
  Verb verb = Verb::kPause;
  std::string actor;
  std::vector<std::string> groups;
  std::string to;  // rollback --to REVISION
  std::string reason;
  bool full = false;  // promote --full
  Time at;
};
const char* ToString(Command::Verb verb);
std::optional<Command::Verb> VerbFrom(std::string_view word);

// Reasons why a release may not start that only the agent can know.
struct StartView {
  struct Artifacts {
    enum class State { kAccepted, kChecking, kRefused };
    State state = State::kAccepted;
    std::string reason;
  };
  struct Upstream {
    std::string guard;
    bool satisfied = false;
    std::string reason;
    std::optional<Time> until;  // when time alone will satisfy it
  };
  struct Rival {  // another guard with the same concurrency key
    std::string guard;
    std::string release;  // empty: it does not release yet, it waits for its turn
    Time since;           // when its release began, or when it began to wait
  };
  std::string frozen;  // reason of the freeze window that is open now; empty: none
  std::optional<Time> frozen_until;
  Artifacts artifacts;
  std::vector<Upstream> upstream;
  std::vector<Rival> rivals;
  std::string superseded_by;  // a rival that asks this release to give way (policy supersede)
  std::string fleet;          // the fleet governor's reason, empty: go
};

// Another guard of the same group.
struct PeerView {
  std::string guard;  // namespace/name
  std::string phase;
  std::string rolled_back;  // reason, when its release was taken back
  std::optional<Time> rolled_back_at;
  bool traffic_returned = true;  // its stable revision has all traffic
  bool depends_on_us = false;
  bool releasing = false;  // it may still have to go back
};

// ConfigMaps and Secrets.
struct ConfigsView {
  const Json* snapshot_stable = nullptr;  // the snapshot objects (Secrets), when they exist
  const Json* snapshot_candidate = nullptr;
  std::vector<const Json*> current;  // the objects the target's template uses
  std::string read_for;              // the purpose for which they were read from the server last
};

struct Observation {
  Time now;
  bool deleting = false;  // the Guard is being deleted; its finalizer waits for us
  WorkloadView target;
  WorkloadView candidate;  // the sibling or the second Deployment
  PodsView stable_pods;
  PodsView candidate_pods;  // rolling: pods of the new revision
  HpaView hpa;
  HpaView candidate_hpa;
  std::vector<std::pair<ObjectId, const Json*>> objects;  // routes and Services
  std::vector<JobView> jobs;
  std::vector<RunView> runs;
  std::vector<GateView> gates;
  HealthView health;  // of the candidate while there is one
  HealthView stable_health;
  std::vector<Signal> signals;
  std::vector<Command> commands;
  StartView start;
  std::vector<PeerView> peers;
  ConfigsView configs;
  std::string blind;           // why metrics cannot be trusted; empty: they can
  std::string rollback_limit;  // group or fleet limit that forbids a rollback now; empty: none
  // A read failed, what is seen may be old: nothing is decided but the way back, which was staged.
  bool stale = false;
  // The guard's status was known to be at this sequence, which it is not any more; 0: nothing is
  // known beyond it. And a person has accepted that.
  int64_t known_sequence = 0;
  bool older_accepted = false;

  const Json* FindObject(const ObjectId& id) const;
  const RunView* FindRun(std::string_view id) const;
  const JobView* FindJob(std::string_view name) const;
  const GateView* FindGate(std::string_view key) const;
};

}  // namespace rollguard::release
