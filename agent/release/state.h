// SPDX-License-Identifier: Apache-2.0
// What must survive a restart. It is written to the Guard's status before the actions that follow
// from it are carried out, so after a crash the next start continues from the same intent and
// converges from what it observes. Serialised it stays far below 100 KiB: every list is bounded.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/json.h"
#include "agent/base/time.h"
#include "agent/release/decision.h"
#include "agent/routing/routing.h"

namespace rollguard::release {

enum class Phase {
  kAdopting,     // the stable revision is not known yet
  kIdle,         // at rest
  kPending,      // a new revision is seen and may not start yet
  kPreparing,    // hooks, snapshots, routes claimed, candidate comes up without traffic
  kProgressing,  // steps
  kBaking,       // the candidate has production; stable is kept warm
  kPromoting,    // the target follows, routes return, the sibling goes
  kRollingBack,  // traffic to stable, then the candidate goes
  kVerifying,    // was it the cause, and is stable well
  kHeld,         // nothing moves until a person decides: limits, irreversible, escalation
};
const char* ToString(Phase phase);
std::optional<Phase> PhaseFrom(std::string_view word);

struct Rejection {
  std::string revision;
  std::string reason;
  Time at;
  std::optional<Time> expires;
};

// A revision that was stable once; newest last. `images`: short names of the images it ran (see
// ImageKeys), for guards that are promoted after this one.
struct StableRecord {
  std::string revision;
  Time at;
  std::vector<std::string> images;
};

struct ApprovalVote {
  std::string actor;
  Time at;
};

// Names of signals, actors and the like are kept up to so many bytes.
inline constexpr size_t kMaxName = 200;
// On a Guard whose state went back: the sequence that is given up.
inline constexpr std::string_view kAcceptOlder = "rollguard.dev/accept-older-state";

// What took the release back.
struct Trigger {
  std::string reason;
  std::string decision;  // id
  std::string actor;
  std::vector<std::string> signals;  // names, to see them resolve
  Time at;
  bool quarantine = true;  // false: superseded or asked for by a person with --to
};

// Scratch of the step that runs; cleared when the next one begins.
struct StepScratch {
  Time started;
  std::string run;  // analysis run id
  int64_t run_attempt = 0;
  std::vector<ApprovalVote> votes;
  std::optional<Time> healthy_since;
  std::optional<Time> verified_at;  // when the routes were first read back as wanted
  bool confirmed = false;           // a person said promote / skip
};

struct ReleaseState {
  std::string id;
  std::string candidate;  // revision
  std::string stable;     // revision when it began
  std::string actor;      // who asked, or "rollguard"
  Time started;
  size_t step = 0;
  StepScratch scratch;
  routing::Split wanted;                // absolute target of all routers
  int64_t weight = 0;                   // last share that was read back
  std::optional<int64_t> scale;         // setCanaryScale: replicas
  std::optional<int64_t> scale_weight;  // setCanaryScale: share of the full size
  int64_t base_replicas = 0;            // full size when it began, or as somebody scaled it since
  // With the replica ratio: what stable was last scaled from and to by us. Another size is somebody
  // else's wish.
  std::optional<int64_t> scaled_from;
  std::optional<int64_t> scaled_to;
  bool paused = false;
  std::string pause_reason;
  std::string background_run;
  int64_t background_attempt = 0;
  bool full = false;          // promote --full: no more steps
  bool cures = false;         // stable served nobody when it began
  bool fast = false;          // a revision that was stable lately: no steps
  bool bypass = false;        // the target rolled out around the guard: watched as a rolling one
  int64_t restarts_base = 0;  // container restarts of the candidate when it began
  std::optional<Time> progress_at;  // last time the workload came nearer
  int64_t progress_mark = -1;       // ready + updated pods then
  std::optional<Time> blind_since;
  std::optional<Time> resumed_at;  // pause signals older than this were seen and waved through
  // Promoting.
  int64_t stage = 0;
  std::optional<Time> stage_at;
  bool undone = false;          // the target's template was put back by us
  Json parked;                  // a newer template that waits until this one is in place
  bool touched_target = false;  // the target was unpaused towards the candidate
  // Rolling back.
  std::optional<Trigger> trigger;
  bool awaiting_approval = false;
  std::optional<Time> gradual_at;
  std::optional<Time> healthy_since;  // verification
  Phase held_from = Phase::kProgressing;
  std::string held_reason;
  bool paged = false;
  // The exact patches that return all traffic to stable, staged beforehand: [{apiVersion, kind,
  // name, patch}]. They need no read of what they change.
  Json way_back;
  std::vector<std::string> hooks_done;  // Jobs of hooks that need not run again
  std::vector<std::string> hooks_made;  // Jobs that were seen; one that is gone is not made again
  std::vector<std::string> observed;    // signals that only observe and were written down already
};

struct LastOutcome {
  std::string release;
  std::string revision;
  std::string outcome;  // promoted, rolledBack, rejected, superseded, failed
  std::string reason;
  Time at;
};

struct Condition {
  std::string type;  // Ready, RollbackReady, Paused, Blind, Conflict, Drift, OlderState
  bool status = false;
  std::string reason;
  std::string message;
  Time since;
  friend bool operator==(const Condition&, const Condition&) = default;
};

// The newest view of a workload that something was decided on. Another agent, or this one after a
// restart, may be shown an older one; on that nothing is decided.
struct SeenWorkload {
  // In the place of a uid: one was asked for, perhaps, and whether it was made is not known.
  static constexpr std::string_view kMayExist = "?";
  std::string uid;
  std::string version;
  friend bool operator==(const SeenWorkload&, const SeenWorkload&) = default;
};

struct GuardState {
  static constexpr size_t kMaxDecisions = 10;
  static constexpr size_t kMaxQuarantine = 20;
  static constexpr size_t kMaxHistory = 10;
  static constexpr size_t kMaxOutlived = 3;  // beyond those, until their snapshots are deleted
  static constexpr size_t kMaxScores = 6;

  Phase phase = Phase::kAdopting;
  std::string stable;    // revision
  int64_t sequence = 0;  // of decisions and releases: makes their ids
  std::optional<ReleaseState> release;
  std::vector<Rejection> quarantine;
  std::vector<StableRecord> history;
  std::vector<Time> rollbacks;  // of the last hour
  std::vector<double> scores;   // the last looks at the candidate's health
  std::optional<Time> last_look;
  int64_t confident_looks = 0;
  std::optional<LastOutcome> last;
  std::vector<Condition> conditions;
  std::vector<Decision> decisions;   // newest last, without evidence
  std::string seen;                  // candidate revision that was noticed and may not start
  std::string blocked_by;            // why, the last told
  std::optional<Time> queued_since;  // it waits for its turn among its concurrency key since then
  std::string yielded;               // a revision that gave way to another guard's: it only queues
  std::string retry;                 // revision a person let out of quarantine
  int64_t pause_conflicts = 0;       // times someone unpaused the target behind our back
  std::string pause_version;         // resourceVersion of the target we last put on hold
  bool released = false;             // a person took the hold off; it stays off until `resume`
  std::string baseline;              // two Deployments: the idle one's revision that is no news
  bool swapped = false;              // two Deployments: the second one holds production
  SeenWorkload seen_target;
  SeenWorkload seen_candidate;
  std::string seen_routes;           // a short hash of the versions of routes and Services
  std::vector<std::string> handled;  // ids of the last commands that were carried out

  const Condition* FindCondition(std::string_view type) const;
  const Rejection* Quarantined(std::string_view revision, Time now) const;
};

// The Guard's whole `status`. Reading is lenient about what is missing and strict about types.
Json ToJson(const GuardState& state);
Expected<GuardState> StateFromJson(const Json& status);

}  // namespace rollguard::release
