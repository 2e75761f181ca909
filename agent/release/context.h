// SPDX-License-Identifier: Apache-2.0
// What the phases of one Step share: the compiled strategy, the tracks, and the only ways to change
// state and to ask for actions. Lives for one call of Step.
#pragma once

#include <string>
#include <vector>

#include "agent/release/step.h"

namespace rollguard::release {

// How long a router may need to carry a change to all its proxies.
inline constexpr Duration kPropagation = std::chrono::seconds(3);

// A strategy boiled down to what the engine runs. Blue/green, A/B and mirror are canaries with
// other steps.
struct Plan {
  enum class Kind { kRolling, kSibling, kExternal };
  Kind kind = Kind::kRolling;
  std::vector<spec::Step> steps;
  std::vector<spec::Routing> routing;
  std::string stable_service;
  std::string candidate_service;
  std::string second;  // the second Deployment's name; empty: a clone
  const spec::AnalysisRef* background = nullptr;
  const spec::AnalysisRef* after = nullptr;  // post-promotion: must succeed before the bake ends
  int64_t min_replicas = 1;
  std::optional<spec::IntOrPercent> max_surge;  // with the replica ratio; absent: no limit
  Duration abort_delay{0};
  Duration drain_delay{0};
  bool hold = true;  // the target is kept from rolling while at rest
};
Plan CompilePlan(const spec::Guard& guard, bool bypass);

enum class Progress { kDone, kWaiting, kFailed };

class Context {
 public:
  Context(const spec::Guard& g, const Observation& o, StepResult& r);

  const spec::Guard& guard;
  const Observation& obs;
  Plan plan;
  routing::Tracks tracks;

  const GuardState& state() const { return out_.state; }
  const ReleaseState& rel() const { return *out_.state.release; }
  bool active() const { return out_.state.release.has_value(); }
  // Call only to change something: it marks the state as changed.
  GuardState& Edit() {
    out_.state_changed = true;
    return out_.state;
  }
  ReleaseState& EditRelease() { return *Edit().release; }
  void Enter(Phase phase);

  // Records a decision (action and ring) and gives it back to be completed before the next call.
  Decision& Decide(Verdict verdict, std::string reason, std::string actor = "rollguard",
                   std::vector<Signal> signals = {});
  void Wait(std::string reason) { out_.reasons.push_back(std::move(reason)); }
  void Wake(Time at);
  void Tell(std::string event, spec::RuleSeverity severity, std::string text);
  // In `mode: observe` a change of the cluster is said, not done.
  void Do(Action action);
  void Do(const routing::Change& change, std::string why, std::optional<int64_t> weight);
  void SetCondition(std::string type, bool status, std::string reason, std::string message);
  bool observing() const { return guard.mode == spec::Mode::kObserve; }
  StepResult& out() { return out_; }

  // spec.replicas of a track, with what was seen of it as precondition.
  void Scale(const WorkloadView& workload, const ObjectId& id, int64_t replicas, std::string why);

  // The two workloads by role; they change places with `state.swapped`.
  const WorkloadView& stable() const;
  const WorkloadView& candidate() const;
  ObjectId stable_id() const;
  ObjectId candidate_id() const;
  routing::View view() const;

 private:
  StepResult& out_;
};

// plan.cc
int64_t FullSize(const Context& c);
int64_t CandidateNeed(const Context& c, int64_t weight);
int64_t StableNeed(const Context& c, int64_t weight);  // only when traffic follows replicas
// Pods that stable needs to carry everything: with autoscalers the load that is seen counts, not
// only the size the release began with.
int64_t CarrySize(const Context& c);
int64_t Surge(const Context& c);  // pods that both tracks together may have above the full size
bool FollowsReplicas(const Context& c);

// workload.cc: what is done to Deployments and their kin.
Json CandidateObject(const Context& c, int64_t replicas);
Json TemplateOf(const RevisionView& revision);  // as its owner wrote it
Json TemplateOf(const Json& workload);
// Images (see ImageKeys) of a revision of either workload; empty when its template is not known.
std::vector<std::string> ImagesOf(const Context& c, const std::string& revision);
void Hold(Context& c, const std::string& why);
void Unhold(Context& c, const std::string& why);
// Puts `pod_template` into the target; `held`: and keeps it from rolling, else lets it roll.
void PutTemplate(Context& c, const Json& pod_template, bool held, const std::string& why);
// parked.cc: puts a newer template away until `first` is in place; false: that cannot be done yet.
bool ParkTemplate(Context& c, const std::string& first);
Json ParkedTemplate(const Context& c);  // null when none waits, or when it is found no more
// keep_held.cc: false while the hold is being put back, or when the release was ended for it.
bool KeepHeld(Context& c);
bool RollsAround(const Context& c);  // the target rolls, or has rolled, and should not
// Pods of another revision in the target: they slipped in while nobody held it, or took the place
// of one that died (a DaemonSet's).
bool HasStrays(const Context& c, const std::string& stable);
// broken_pods.cc: pods of a StatefulSet that are not ready and of a revision that is neither
// stable's nor the template's now. Only while the target may roll.
void DeleteBrokenPods(Context& c);
void GiveBack(Context& c);         // hold taken off, memo dropped
bool GivenBack(const Context& c);  // nothing of ours is left in the target
void FloorHpa(Context& c);         // the target's autoscaler may not shrink it now
bool UnfloorHpa(Context& c);       // true: as its owner wrote it
bool CreatedByUs(const Context& c, const Json* object);
// What serves nobody once the Guard is gone goes with it.
void OwnByGuard(const Context& c, Json& metadata);

// start.cc: why a release may not begin now.
struct Block {
  enum class Kind { kNone, kWait, kTurn, kRejected };
  Kind kind = Kind::kNone;
  std::string reason;
  bool frozen = false;
};
// May reject the revision for good (then kRejected). kTurn: it takes its place in the queue of its
// concurrency key, which is nothing to tell people.
Block StartBlock(Context& c, const std::string& revision);
bool WayBack(const Context& c, const std::string& revision);  // asked for by a person

// capacity.cc
Progress EnsureCandidate(Context& c, int64_t need);
Progress EnsureStable(Context& c, int64_t need);
Progress RemoveCandidate(Context& c);
// A candidate that was there when a state was last written and is not seen now: gone, or not seen
// yet by a watch that began anew. The server says which, and where routes stand.
Progress ConfirmGone(Context& c);
// ratio.cc: traffic follows replicas: both tracks move towards their sizes within the surge.
Progress ExchangePods(Context& c, int64_t weight);
// Somebody else gave the target another size: from now on that is the full size of both tracks.
void FollowScaling(Context& c);
// Why stable could not carry its share now; empty: it can.
std::string StableShort(const Context& c);

// traffic.cc
Progress ApplySplit(Context& c, const routing::Split& split, const std::string& why);
Progress ApplyRest(Context& c, routing::RestAfter after);
// The status has gone back behind what is known of it (older.cc).
bool IsOlderThanKnown(const Context& c);
void RefuseOlder(Context& c);
void AcceptOlder(Context& c);
bool Settled(Context& c);  // verified, and long enough ago for every proxy to know
int64_t MeasuredWeight(const Context& c);
void StageWayBack(Context& c);
// unseen.cc: the cluster cannot be read; the way back can still be gone as it was staged.
void StepUnseen(Context& c);

// hooks.cc
Progress RunHooks(Context& c, const std::vector<spec::Hook>& hooks, std::string& failure);
bool AnyHookMade(const Context& c, const std::vector<spec::Hook>& hooks);
// The hook whose failure keeps this phase from ending and was told; empty: there is none.
std::string FailedHook(const Context& c);

// configs.cc
Progress SnapshotConfigs(Context& c);
// Of the stable revision. kWaiting: they are being put back and will be read again.
Progress RestoreConfigs(Context& c);
Progress ConfirmConfigs(Context& c);  // the same, on what the server has, not on what a watch shows
void ReconcileConfigs(Context& c);
// At rest: snapshots of revisions that nobody goes back to any more are deleted.
void DropConfigs(Context& c);

// judge.cc: signals -> rollback, pause, hold.
void Judge(Context& c);
std::vector<std::string> HoldReasons(const Context& c);
void WatchProgress(Context& c, int64_t mark, bool complete);
// After the phase has compared what it sees with what it saw: an agent that was away may find much
// done. True when it has left the phase for it.
bool JudgeProgress(Context& c);
// Something is asked for only now (nobody could before): what follows from it gets its own time.
void AllowTime(Context& c);
void EnsureBackground(Context& c);

// fault.cc: whether any of these is the candidate's doing.
bool IsAtFault(const Context& c, const std::vector<Signal>& signals);

// rollback_begin.cc
void BeginRollback(Context& c, const std::string& reason, const std::string& actor,
                   std::vector<Signal> signals, bool quarantine, bool person);
void Quarantine(Context& c, const std::string& revision, const std::string& reason);
bool Irreversible(const Context& c);
void HoldAndPage(Context& c, const std::string& reason, const std::string& limit,
                 std::vector<Signal> signals);

// rollback.cc
bool WaitsForApproval(Context& c);
// Ends a verified rollback; `judge`: a trigger that stays makes it "probably not the cause".
void ConcludeRollback(Context& c, bool judge);

// What tells pods of the two revisions apart, for analysis: pod hashes.
std::string StableHash(const Context& c);
std::string CandidateHash(const Context& c);

// One function per phase.
void Adopt(Context& c);
void Rest(Context& c);  // kIdle and kPending
// prepare.cc: true when the template moved on and the release was ended for it.
bool EndedBySuperseding(Context& c);
void Prepare(Context& c);
void Advance(Context& c);  // kProgressing
void Bake(Context& c);
void Promote(Context& c);
void RollBack(Context& c);
void Verify(Context& c);
void StayHeld(Context& c);

void RunStep(Context& c, const spec::Step& step);  // steps.cc
void FinishStep(Context& c, const std::string& reason);
void External(Context& c);        // external.cc: everything, for Argo and Flagger
void RemoveExternal(Context& c);  // external_back.cc
void Remove(Context& c);          // remove.cc: the Guard is being deleted
void HandleCommands(Context& c);  // commands.cc
void Complete(Context& c, const std::string& outcome, const std::string& reason);
void UpdateConditions(Context& c);  // conditions.cc

}  // namespace rollguard::release
