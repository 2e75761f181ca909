// SPDX-License-Identifier: Apache-2.0
// Plays one plan: the agent's own controller and sensors in a simulated cluster, under virtual
// time.
//
//   settle      the workload comes up, the guard takes it over; nothing fails
//   faults      what the plan says happens, while calls and watches fail as it says
//   recovery    no more faults; people answer what waits for them; all must come to rest
//   quiet       an hour in which nothing may be written
//   goodbye     in some plans: the Guard is deleted and everything is given back
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/app/replay_check.h"
#include "agent/app/simulation.h"
#include "tests/simulation/harness/checker.h"
#include "tests/simulation/harness/foreign.h"
#include "tests/simulation/harness/plan.h"

namespace rollguard::simulation {

struct Report {
  std::vector<std::string> violations;
  std::vector<std::string> trace;  // only when asked for
  std::string outcome;             // of the last release
  std::string stable;              // image at the end
  uint64_t writes = 0;             // of agents, that changed the cluster
  uint64_t status_writes = 0;
  uint64_t starts = 0;     // releases begun
  uint64_t rollbacks = 0;  // revisions rejected
  uint64_t kills = 0;      // agents killed
  uint64_t events = 0;     // of the scheduler
  double virtual_seconds = 0;
  double requests = 0, lost = 0;
};

class Simulation : public app::Listener {
 public:
  explicit Simulation(Plan plan, bool trace = false);
  ~Simulation() override;
  Report Run();

  // For tests of single stories: what to look at while it runs.
  sim::World& world() { return world_; }
  Checker& checker() { return *checker_; }
  const Plan& plan() const { return plan_; }
  // The writes of agents, one line each ("patch VirtualService checkout"), status left out.
  const std::vector<std::string>& written() const { return written_; }
  // False when it was not so within `limit`.
  bool SetUp();
  bool RunUntil(const std::function<bool()>& done, Duration limit);
  void RunFor(Duration duration);
  void Happen(const Event& event);
  void Recover();
  release::CommandAnswer Say(release::Command::Verb verb, bool full = false);
  std::optional<app::GuardSummary> Guard() const;
  // 0 when no agent runs.
  uint64_t WritesReceived() const;

  void Stepped(const app::SteppedView& view) override { replays_.Stepped(view); }
  void Decided(const spec::Guard& guard, const release::Decision& decision) override;
  void Changed(const spec::Guard& guard, const release::GuardState& before,
               const release::GuardState& after, const release::Observation& observation) override;
  void Told(const spec::Guard& guard, const release::Notify& notice) override;
  void Removed(const std::string& guard) override;

 private:
  struct Process {
    std::string name;
    std::unique_ptr<sim::SimCluster> connection;
    std::unique_ptr<app::SimAgent> agent;
  };
  using ProcessPtr = std::unique_ptr<Process>;

  static sim::WorldOptions OptionsOf(const Plan& plan);
  void LoadWorld();
  void LoadWorkload();
  void LoadScaler();
  void PlayCarrier();  // external.cc, as the next four
  bool AnswersGate(release::FlaggerHook hook);
  void HelpCarrier(const release::GuardState& state);
  bool LeftToPeople();
  bool CarrierWorks();
  void LoadGuard();
  void Connect(Process& process, const std::string& name, bool faulty);
  void StartAgent(Process& process);
  void Kill(Process& process, Duration down);
  void PlanWriteCrash();
  void Observe(Process& process, const ClusterRequest& request, const sim::ApiReply& reply);
  void PatchTarget(Json patch, const std::string& name);
  bool Swapped() const;  // two Deployments: the second one holds production
  void NoteUnheld();
  std::string ImageOfWorkload(const std::string& name);  // of its template
  void SetVersion(const std::string& version);
  void Command(release::Command::Verb verb, bool full, app::Controller::Answered answered);
  void SecondAgent(Duration life);
  void KillPod();
  void TouchRoute();
  void DeleteGuard(bool again);
  void WatchAlerts();
  void NoteHeard(const std::string& version);
  void SendAlert(const std::string& version, bool firing);
  void Help();
  bool AtRest();
  bool Gone();
  void CheckEnd();
  void CheckOutcome();
  void BeQuiet();
  void Goodbye();
  void Note(const std::string& text);

  Plan plan_;
  bool tracing_;
  Report report_;
  sim::World world_;
  sim::SimMetrics metrics_;
  history::MemoryHistory history_;
  app::ReplayCheck replays_;  // every decision is taken again from its record
  spec::Library library_;
  Json guard_object_;
  std::unique_ptr<Checker> checker_;
  Process main_;
  Process second_;
  std::unique_ptr<sim::Controller> carrier_;  // of another controller's workload
  uint64_t asked_gates_ = 0;
  Time asked_gate_at_{};  // and answered
  size_t flow_ = 0;
  size_t next_crash_ = 0;
  uint64_t faults_base_ = 0;  // writes before the faults began
  uint64_t agents_ = 0;
  int64_t commands_ = 0;
  bool faulty_ = false;
  bool uses_rules_ = false;
  std::string wanted_ = "v1";           // the version in the spec
  std::map<std::string, Time> alerts_;  // firing, by version
  std::set<std::string> heard_;         // versions whose alert a release must have followed
  std::set<std::string> overruled_;     // versions that were let begin while their alert fired
  std::vector<std::string> written_;
  sim::TrafficTotals before_;
};

}  // namespace rollguard::simulation
