// SPDX-License-Identifier: Apache-2.0
// What a seed means: a setup, how each version of the service behaves, what happens when, and what
// goes wrong between the agent and the cluster. A plain value: named cases are written by hand.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/release/observation.h"
#include "agent/sim/behaviour.h"
#include "agent/sim/faults.h"
#include "agent/sim/sim_metrics.h"
#include "tests/simulation/harness/setup.h"

namespace rollguard::simulation {

using std::chrono::minutes;
using std::chrono::seconds;

enum class Quality {
  kGood,
  kFailing,     // answers 500 to many requests: a rule sees it
  kAlerted,     // an alert says it is bad
  kCrashing,    // its containers exit
  kUnready,     // its pods never become ready
  kUnpullable,  // its image cannot be pulled
};
const char* ToString(Quality quality);
bool NeverWorks(Quality quality);  // its pods do not come up, or do not stay up

struct Event {
  enum class Kind {
    kRelease,      // a person puts the template of `version` into the spec
    kCommand,      // a person says `verb`
    kScale,        // a person sets spec.replicas to `number`
    kCrash,        // the agent dies and starts again `number` seconds later
    kPartition,    // the agent is cut off for `number` seconds
    kDropWatches,  // every watch ends, with Gone when `number` is 1
    kMetrics,      // the metrics server is down for `number` seconds
    kSecondAgent,  // another agent runs beside for `number` seconds
    kUnpause,      // somebody takes the hold off the target
    kTouchRoute,   // the owner changes something of the routing object that is not ours
    kKillPod,      // the first pod in the list dies at once
    kDelete,       // the Guard is deleted; with `number` 1 it is created again afterwards
  };
  Duration at{0};
  Kind kind = Kind::kRelease;
  std::string version = {};
  release::Command::Verb verb = release::Command::Verb::kPause;
  bool full = false;
  int64_t number = 0;
};

// The agent dies at its Nth write from the beginning of the faults.
struct WriteCrash {
  uint64_t nth = 0;
  bool after_effect = false;
};

// What a guard may have besides its strategy.
struct Besides {
  enum class Hooks { kNone, kGood, kRollbackFails };
  Hooks hooks = Hooks::kNone;  // one of each: before, after, down, check
  bool configured = false;     // the pods read a ConfigMap and a Secret, set with each version
  Duration frozen_from{0};     // nothing new begins and no step is taken, after the start of all
  Duration frozen_for{0};      // 0: never
  bool approve_back = false;   // a rollback waits for people
  bool headers = false;        // a canary has a header route
  bool approve_step = false;   // ... and waits for people before half of the traffic
};

struct Plan {
  uint64_t seed = 0;
  const Setup* setup = nullptr;
  int64_t replicas = 4;
  std::map<std::string, Quality> versions = {};  // v1 is good
  std::string guard_extra = {};                  // YAML lines below `spec:`
  sim::FaultPlan faults = {};
  std::vector<WriteCrash> crashes = {};
  std::vector<Event> events = {};    // in order of time
  Duration faults_for = minutes(4);  // from the first event on; then all goes well
  bool delete_at_end = false;
  Besides besides = {};

  Quality QualityOf(const std::string& version) const;
  bool Has(Event::Kind kind) const;
  // Agents may see the world later than it is.
  bool SeesLate() const;
  // Nothing in it asks for a rollback: every version must end promoted.
  bool AllIsWell() const;
};

// The same seed gives the same plan. `setup`: instead of the drawn one.
Plan DrawPlan(uint64_t seed, const Setup* setup = nullptr);
Plan DrawPlainPlan(uint64_t seed, const Setup* setup = nullptr);  // with nothing besides
// By hand: v2 of that quality is set after one second, and nothing fails.
Plan OneRelease(const std::string& setup, Quality quality, const std::string& bake);
// besides.cc
Besides DrawBesides(uint64_t seed, const Setup& setup);
std::string BesidesYaml(const Besides& besides);  // lines below `spec:`
std::string StrategyYaml(const Plan& plan);
std::string Describe(const Besides& besides);
std::string Describe(const Event& event);
std::string Describe(const Plan& plan);
std::string GuardYaml(const Plan& plan);
sim::RevisionBehaviour BehaviourOf(Quality quality);

}  // namespace rollguard::simulation
