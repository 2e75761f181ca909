// SPDX-License-Identifier: Apache-2.0
// What must hold at every moment, whatever fails: the invariants of a release. The checker watches
// the simulated cluster itself (never the agent's memory): every commit of the store, every write
// an agent made, and the decisions and the intent that were durable in the Guard's status by then.
//
//   weights     the weights of a route sum to 100
//   ready       no track has traffic and no ready pod, unless its pods failed by themselves
//   capacity    stable has pods for the share it is given
//   quarantine  a rejected revision gets no traffic and no pods
//   abort       an agent that knows of the way back never gives the candidate more
//   record      a change of the cluster follows from a decision and an intent that are durable
//   once        a revision is released once for each time somebody asked for it
//   foreign     what is the owner's alone stays as it is
//   template    an agent replaces a template only when it is stable's, the released one, a rejected
//               one, or put away in the status to be put back
//   size        the status stays small
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/release/state.h"
#include "agent/sim/world.h"
#include "tests/simulation/harness/besides_checker.h"
#include "tests/simulation/harness/external_checker.h"
#include "tests/simulation/harness/plan.h"

namespace rollguard::simulation {

// Where the users' requests go at one moment.
struct Picture {
  double nowhere = 0;                      // to a destination without a ready pod
  std::map<std::string, double> by_image;  // evenly over the ready pods of each destination
  std::vector<std::string> empty;          // the destinations without a ready pod
  int64_t ready = 0;                       // pods with traffic

  double Share(const std::string& image) const;
};

class Checker {
 public:
  Checker(sim::World& world, const Plan& plan);

  // Call when an agent's write was served, in the event in which it was. `knows_back`: that agent
  // itself has decided to go back.
  void Wrote(const ClusterRequest& request, const sim::ApiReply& reply, bool knows_back);
  // Call after every event of the scheduler.
  void AfterEvent();

  // The world may do things that invariants must allow for.
  void Asked(const std::string& version);  // somebody wants it released (once more)
  void AskedForAnything();                 // ... or any version, by a command
  void Answered(release::FlaggerHook hook, bool yes) { external_.Answered(hook, yes, state_); }
  void PersonSpoke() { besides_.PersonSpoke(); }
  // Pods may come and go without the guard's leave for a while.
  void AroundTheGuard() { around_until_ = Now() + kAround; }
  void Scaled() { scaled_at_ = Now(); }
  // Views may be so much older than the world.
  void SetStaleness(Duration staleness) { staleness_ = staleness; }

  // At the end.
  void CheckAtRest();    // nothing is released: everything is as its owner wrote it, but held
  void CheckRestored();  // the guard is gone: and not held either
  void Violated(const std::string& rule, const std::string& what);

  const std::vector<std::string>& violations() const { return violations_; }
  const Picture& picture() const { return picture_; }
  const std::optional<release::GuardState>& state() const { return state_; }
  std::string StableImage() const;
  std::string ImageOfRevision(const std::string& revision) const;
  Time last_write() const { return last_write_; }
  uint64_t writes() const { return writes_; }  // that changed something, status left out
  uint64_t status_writes() const { return status_writes_; }
  // Every time a release began: its revision's image.
  const std::vector<std::string>& starts() const { return starts_; }
  bool WasQuarantined(const std::string& image) const { return rejected_.contains(image); }

 private:
  static constexpr Duration kAround = std::chrono::seconds(90);

  struct Pod {
    std::string image;
    Json labels;
    bool ready = false;  // and not on its way out
    bool terminating = false;
  };
  struct Write {
    ClusterRequest request;
    bool knows_back = false;
  };

  Time Now() const { return world_.scheduler().Now(); }
  static bool OnlyHolds(const ClusterRequest& request);
  void OnChange(const sim::Change& change);
  void OnPod(const sim::Change& change);
  void OnGuard(const sim::Change& change);
  void OnOwners(const sim::Change& change);
  bool Moved(const std::string& pointer) const;
  void LearnRevision(const Json& object);
  void LearnPromoted(const Json& before, const Json& canary);
  void NoteDecisions();
  Picture Look();
  bool around() const { return around_until_ && Now() < *around_until_; }
  // Nobody keeps a template from rolling there: the owner only asked for the undo.
  bool unheld() const { return observed_ || plan_.setup->second || plan_.setup->external(); }
  static std::string NameOf(const sim::Destination& d);
  bool HasReady(const sim::Destination& d) const;  // a ready pod behind it
  int64_t FullSize() const;
  double LatelyCarried(double now);
  bool WasReadyLately(const std::vector<std::string>& destinations) const;

  void CheckWeights();
  void CheckReady(const Picture& before, const Write* write, bool lost_by_deletion);
  void CheckCapacity(const Picture& before, const Write* write);
  bool OnItsWay(const Write& write) const;
  bool OvertookWhatRolls(const std::string& image) const;
  void NoteLetRoll();
  void CheckQuarantine(const Picture& before, const Write* write);
  void CheckAbort(const Picture& before, const Write* write);
  void CheckRecord(const Picture& before, const Write& write);
  void CheckTemplate();
  bool LeftToPeople() const;
  bool MayBeBroken(const std::string& image) const;
  void CheckOwners(bool held);
  std::string OwnersText(bool held);

  sim::World& world_;
  const Plan& plan_;
  BesidesChecker besides_;
  ExternalChecker external_;
  const bool observed_;
  int pods_type_, guard_type_;
  std::string guard_uid_;  // of the one that is there; made anew it counts from the beginning
  std::vector<std::string> violations_;

  // Of the event that runs.
  std::vector<Write> event_writes_;
  std::string replaced_;   // the template in the owner's workload was of this image until now
  bool dirty_ = true;      // the picture may have changed
  bool pod_left_ = false;  // a ready pod was told to stop
  bool first_ = true;

  std::map<std::string, Pod> pods_;
  Picture picture_;
  std::map<std::string, Time> ready_at_;  // destination -> last time it had a ready pod
  std::optional<release::GuardState> state_;
  std::optional<release::GuardState> state_before_;  // as it was before this event
  bool guard_there_ = false, guard_deleting_ = false;
  std::map<std::string, std::string> images_;  // revision -> image
  std::map<std::string, int64_t> asked_;       // image -> times
  std::map<std::string, Time> asked_at_;
  int64_t asked_any_ = 0;
  std::set<std::string> decisions_seen_;
  std::map<std::string, std::string> begun_;  // release id -> revision
  std::map<std::string, int> completed_;      // release id -> times
  std::vector<std::string> starts_;
  std::set<std::string> rejected_;  // images
  std::string owners_held_, owners_free_;
  std::map<std::string, Json> foreign_;  // "object pointer" -> value
  std::optional<Time> back_since_;
  std::optional<Time> scaled_at_;
  std::deque<std::pair<Time, double>> carried_;
  std::optional<Time> short_since_;  // stable has had fewer pods than its share needs
  std::optional<Time> around_until_;
  std::map<std::string, Time> unruly_since_;  // rejected image -> it has had traffic since
  std::set<std::string> let_roll_;  // rejected ones with traffic while people took the hold off
  Duration staleness_{0};
  Time last_write_{};
  uint64_t writes_ = 0, status_writes_ = 0;
};

}  // namespace rollguard::simulation
