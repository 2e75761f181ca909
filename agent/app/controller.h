// SPDX-License-Identifier: Apache-2.0
// The deciding loop: every guard this process owns, one thread, no locks. A guard is looked at when
// something it depends on changed, when a sensor learnt something, when a person said something,
// and at the time the last look asked for. A look is: gather, Step, write the state, carry out the
// actions; while that is under way the guard is busy and what happens in between makes it look
// again.
//
// The same class runs in the agent (ports wrapped so that callbacks come on the loop's thread), in
// simulation, rehearsal and rule tests (ports are the simulated ones).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/alerts/alert.h"
#include "agent/app/census.h"
#include "agent/app/environments.h"
#include "agent/app/executor.h"
#include "agent/app/guard_index.h"
#include "agent/app/mirror.h"
#include "agent/app/ownership.h"
#include "agent/app/peers.h"
#include "agent/app/sensor.h"
#include "agent/kube/packed.h"
#include "agent/ports/timers.h"
#include "agent/release/observe.h"
#include "agent/spec/load.h"

namespace rollguard::app {

inline constexpr std::string_view kFinalizer = "rollguard.dev/guard";

struct ControllerPorts {
  Cluster* cluster = nullptr;
  Timers* timers = nullptr;
  const Clock* clock = nullptr;
  kube::Executor executor;
  uint64_t seed = 1;
};

struct ControllerParts {
  std::vector<Sensor*> sensors;
  std::vector<Listener*> listeners;
  AnalysisActions* analysis = nullptr;
  GateActions* gates = nullptr;
  Environments* environments =
      nullptr;  // other clusters, for promotion.after; null: there are none
  // Which guards are looked at at all (namespaces); null: all.
  std::function<bool(const std::string& guard)> owns;
  // Which of them this replica decides on; the others are only known. Null: all of them.
  Ownership* ownership = nullptr;
  // Is given alerts that reached another replica and concern a guard of ours.
  std::function<void(const alerts::Alert&)> inbox{};
  // One that was taken from the guard's inbox is not there any more, and not by us.
  std::function<void(const std::string& guard, const alerts::Alert&)> inbox_lost{};
};

// What people and pages see of one guard. A copy.
struct GuardSummary {
  std::string id;
  spec::Guard guard;
  release::GuardState state;
  std::vector<std::string> reasons;  // of the last look: what is waited for
  std::string problem;               // the guard cannot be used, and why
  std::optional<Time> looked;
  std::string replica;  // that decides on it, by its status; empty: there are no others
};

class Controller {
 public:
  Controller(ControllerPorts ports, ControllerParts parts);
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  // What guards refer to: rule groups, templates, policies, strategies. Guards are resolved anew.
  void SetLibrary(spec::Library library);
  const spec::Library& library() const { return library_; }
  // Another number for each library that was set; 0: none was.
  uint64_t library_version() const { return library_version_; }

  // Ids of the newest decision that a history knows of each guard. Before Start.
  void Remember(std::map<std::string, std::string> newest) { newest_ = std::move(newest); }
  // Begins to watch guards.
  void Start();
  // The cluster's store was put back to an older state: everything is listed anew.
  void WentBack();
  bool synced() const;
  // No look begins any more; `done` runs once those under way have ended.
  void Quiesce(std::function<void()> done);

  // What is ours may be another set now: takes and lets go.
  void OwnershipChanged();
  // Whether something is under way for one of these guards.
  bool Busy(const std::function<bool(const std::string& guard)>& which) const;

  // Asks for a look, soon; at once when what was learnt may take the release back. Unknown guards
  // are ignored.
  void Touch(const std::string& guard, Turn turn = Turn::kInOrder);
  // A person's command. The answer comes when it was looked at, or at once when the guard is
  // unknown.
  using Answered = std::function<void(release::CommandAnswer)>;
  void Tell(const std::string& guard, release::Command command, Answered answered);

  // Makes an alert that concerns the guard survive this replica: whoever decides on the guard next
  // finds it. At once where there are no other replicas, and for a guard of ours that releases
  // nothing.
  void Keep(const std::string& guard, const alerts::Alert& alert, std::function<void(Status)> done);

  std::vector<std::string> GuardIds() const;
  std::optional<GuardSummary> Find(const std::string& guard) const;
  // Calls `visit` for every usable guard of a namespace (empty: of all) without copying.
  void ForEach(
      std::string_view ns,
      const std::function<void(const spec::Guard&, const release::GuardState&)>& visit) const;
  const Census& census() const { return census_; }
  Mirror& mirror() { return mirror_; }
  uint64_t looks() const { return looks_; }

 private:
  struct Slot;
  using SlotPtr = std::shared_ptr<Slot>;

  // Guards come and go.
  void OnChanged(const ResourceType& type, const Json& object, bool gone);
  void OnGuard(const Json& object);
  void OnGuardGone(const std::string& id);
  void Parse(Slot& slot, const Json& object);
  // The object and its status as they were kept.
  Json ObjectOf(const Slot& slot) const;
  Json StatusOf(const Slot& slot) const;
  void KeepObject(Slot& slot, const Json& object);
  void KeepStatus(Slot& slot, const Json& status);
  void Reindex(const SlotPtr& slot);
  void Count(const Slot& slot);
  void TouchDependents(const ResourceType& type, const Json& object);

  // Which guards are ours (tenure.cc).
  void AskOnceMore(const SlotPtr& slot);
  void Take(const SlotPtr& slot);
  void LetGo(const SlotPtr& slot);
  void Leave(const SlotPtr& slot);
  void Refresh(Slot& slot);
  bool ReadState(Slot& slot);
  bool MayWrite(const Slot& slot) const;
  bool Outgrown(const SlotPtr& slot);
  bool Signed(const Slot& slot) const;
  void Sign(const Slot& slot, Json& status) const;

  // How far a guard's status was known to be (past.cc).
  void Know(Slot& slot) const;
  void AddPast(const Slot& slot, release::Observation& observation) const;

  // What reaches the wrong replica (relay.cc).
  void Hand(const Slot& slot, const std::string& key, Json entry, std::function<void(Status)> done);
  void AskOwner(const SlotPtr& slot, const release::Command& command, Answered answered);
  void HearAnswers(Slot& slot);
  void TakeInbox(const SlotPtr& slot);
  void MissInbox(Slot& slot);
  static void DropKept(Slot& slot, const std::string& key, const Json& end);
  Json InboxAfter(const Slot& slot, const release::GuardState& state) const;
  bool InboxMoves(const Slot& slot, const release::GuardState& state) const;
  void InboxWritten(Slot& slot, bool written);
  void HandOver(const SlotPtr& slot);

  // One look.
  void Schedule(const SlotPtr& slot, Duration delay);
  void Look(const SlotPtr& slot);
  bool EnsureWatched(Slot& slot);
  bool MayGoBackUnseen(const Slot& slot) const;
  release::Observation Gather(Slot& slot, Arena& arena);
  void GatherWorkloads(Slot& slot, Arena& arena, release::WorldObjects& world) const;
  void GatherOthers(Slot& slot, Arena& arena, release::WorldObjects& world) const;

  // What is known of other guards and the time (start_view.cc).
  std::optional<release::GuardState> StateOf(const std::string& id) const;
  void AddStart(Slot& slot, release::Observation& observation) const;
  void AddPeers(const Slot& slot, release::Observation& observation) const;
  void AddUpstream(const Slot& slot, release::Observation& observation) const;
  void AddArtifacts(Slot& slot, release::Observation& observation) const;
  void TouchPeers(const std::string& id);
  void TouchPromoted();

  struct TakenStep;
  void Commit(const SlotPtr& slot, TakenStep taken);
  void Written(const SlotPtr& slot, const std::shared_ptr<TakenStep>& step);
  void Record(TakenStep& step) const;
  void Announce(const SlotPtr& slot, const release::GuardState& before,
                const release::Observation& view);
  void WriteStatus(const SlotPtr& slot, const release::GuardState& state,
                   std::function<void(Status)> done);
  void CarryOut(const SlotPtr& slot, std::vector<release::Action> actions, bool finalized,
                std::function<void()> news);
  void Finalize(const SlotPtr& slot);
  void AddFinalizer(const SlotPtr& slot);
  bool Overtaken(const Slot& slot) const;
  void ReadAgain(const SlotPtr& slot);
  void BackOff(const SlotPtr& slot, const Error& error);
  void Rest(const SlotPtr& slot, Status status);
  void AnswerCommands(Slot& slot, const std::vector<release::CommandAnswer>& answers);
  void Follow(Slot& slot, const release::Observation& observation);

  ControllerPorts ports_;
  ControllerParts parts_;
  Random random_;
  Mirror mirror_;
  ActionRunner runner_;
  spec::Library library_;
  uint64_t library_version_ = 0;
  release::RevisionCache revisions_;
  PeerIndex peers_;
  Census census_;
  kube::Packer packer_;  // of what slots keep
  std::map<std::string, SlotPtr> slots_;
  // Guards that were given back, by uid: what a watch tells late of them is not theirs any more.
  std::map<std::string, std::string> left_;
  // "kind ns/name" -> guards that look at that object; "ns/name" of workloads and siblings.
  GuardIndex index_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::map<std::string, std::string> newest_;  // by guard: decisions of earlier processes
  uint64_t looks_ = 0;
  bool quiescing_ = false;
};

}  // namespace rollguard::app
