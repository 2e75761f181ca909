// SPDX-License-Identifier: Apache-2.0
// One guard over the simulated cluster: observe, Step, carry out, again. The state goes through its
// JSON form every time, so every round is also a restart. Failing writes and cut-off rounds are
// drawn from the seed.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/base/random.h"
#include "agent/release/observe.h"
#include "agent/release/step.h"
#include "agent/sim/world.h"

namespace rollguard::testing {

class Drive {
 public:
  explicit Drive(const std::string& guard_yaml, uint64_t seed = 1);

  void Load(const std::string& json);
  void AddType(const std::string& group, const std::string& version, const std::string& plural,
               const std::string& kind);
  // Advances the world and looks once per second.
  void Run(Duration duration);
  // Until `done`, at most `limit`; false when it never held.
  bool RunUntil(const std::function<bool()>& done, Duration limit);
  bool RunToPhase(release::Phase phase, Duration limit);

  void SetImage(const std::string& image);  // as a person's `kubectl set image`
  release::CommandAnswer Say(release::Command::Verb verb, const std::string& to = "",
                             bool full = false);
  Json Get(const std::string& kind, const std::string& name);
  bool Exists(const std::string& kind, const std::string& name);
  int64_t PodsOf(const std::string& image, bool ready);
  // Changes of the cluster asked for in one more round; 0 when all is at rest.
  size_t Quiet();
  const release::Decision* LastDecision(release::Verdict verdict) const;

  sim::World world;
  spec::Guard guard;
  release::GuardState state;
  std::vector<release::Signal> signals;
  std::map<std::string, release::RunView::Phase> run_answers;  // default: Successful
  release::Observation extra;  // start, peers, blind, health, rollback_limit, deleting
  std::map<std::string, Json>
      late;                // ConfigMaps as a watch that lags shows them, until they are read
  double fail_share = 0;   // of writes that fail; half of them after their effect
  double crash_share = 0;  // of rounds that stop between two actions
  bool finalized = false;
  std::vector<std::string> trace;
  std::vector<release::Decision> decisions;
  std::vector<std::string> violations;
  std::vector<std::string> told;
  int64_t max_weight = 0;
  Json last_record;  // of the last Step that decided something
  size_t replayed = 0;

 private:
  // Every decision is replayed from its record the moment it is taken.
  void CheckReplay(const release::GuardState& before, const release::Observation& seen,
                   const release::StepResult& result);
  void CheckWrittenFirst(const release::Observation& seen, const release::StepResult& result);
  size_t Round();
  release::StepResult Look();
  bool Execute(const release::Action& action);
  bool Write(ClusterRequest request, const std::string& what);
  const sim::TypeInfo* TypeOf(const release::ObjectId& id);
  void CheckWorld();

  Random random_;
  release::RevisionCache cache_;
  std::string read_for_;
  std::string written_views_;  // what was seen when a state was last to be written
  std::vector<release::RunView> runs_;
  std::vector<release::GateView> gates_;
  std::vector<release::Command> commands_;
  std::vector<release::CommandAnswer> answers_;
  int64_t command_id_ = 0;
  int64_t weight_ceiling_ = 100;
};

spec::Guard GuardFrom(const std::string& yaml);
std::string DeploymentJson(const std::string& name, int replicas, const std::string& image);
std::string ServiceJson(const std::string& name);

}  // namespace rollguard::testing
