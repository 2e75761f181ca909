// SPDX-License-Identifier: Apache-2.0
// The agent in a simulated cluster with users, for tests: guards by YAML, revisions by behaviour,
// everything in virtual time. Every decision is replayed as it is taken; a test ends with
// Healthy().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/app/replay_check.h"
#include "agent/app/simulation.h"
#include "agent/proof/stage.h"

namespace rollguard::testing {

class SimRig : public app::Listener {
 public:
  explicit SimRig(const std::vector<std::string>& guards, const std::string& rules = "",
                  uint64_t seed = 1);

  sim::Scheduler& scheduler() { return world.scheduler(); }
  void StartAgent();
  void KillAgent();
  void Release(const std::string& guard, const std::string& revision);
  // As in scenarios: {errors: 0.2}.
  void Behave(const std::string& guard, const std::string& revision, const std::string& behaviour);
  bool RunUntil(const std::function<bool()>& done, Duration limit);
  bool RunToPhase(const std::string& guard, release::Phase phase, Duration limit);
  // The guard has begun a release and sent traffic to it.
  bool RunToTraffic(const std::string& guard, int64_t weight, Duration limit);
  bool RunToEnd(const std::string& guard, Duration limit);
  app::GuardSummary Guard(const std::string& guard);
  alerts::Alert Firing(const std::string& name, const std::string& guard, Time starts_at) const;
  size_t Count(release::Verdict verdict, const std::string& guard = "") const;
  // Why the last look of the guard waits, in one line.
  std::string Waits(const std::string& guard);
  // Every decision was replayed to the same answer.
  void CheckReplays() const;

  void Decided(const spec::Guard& guard, const release::Decision& decision) override;
  void Changed(const spec::Guard&, const release::GuardState&, const release::GuardState&,
               const release::Observation&) override {}
  void Told(const spec::Guard& guard, const release::Notify& notice) override;
  void Removed(const std::string&) override {}

  sim::World world;
  sim::SimMetrics metrics;
  history::MemoryHistory history;
  app::ReplayCheck replays;
  std::vector<release::Decision> decisions;
  std::vector<std::string> told;  // "event guard: text"
  std::unique_ptr<sim::SimCluster> connection;
  std::unique_ptr<app::SimAgent> agent;

 private:
  const spec::Guard& SpecOf(const std::string& guard) const;
  spec::Library library_;
  std::vector<spec::Guard> guards_;
  uint64_t seed_;
};

// A canary behind an Istio route with steps 20, 50, 100 of a minute each and no bake.
// Critical alerts take it back. `more`: further keys of the spec; `rollback`: of its rollback.
std::string CanaryYaml(const std::string& name, const std::string& more = "",
                       const std::string& rollback = "");

}  // namespace rollguard::testing
