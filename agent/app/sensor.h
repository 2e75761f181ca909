// SPDX-License-Identifier: Apache-2.0
// Those who gather what Step decides on: rules, analysis runs, health checks, alerts, gates. Each
// lives on the deciding thread, works through ports, and asks for another look when what it knows
// has changed.
#pragma once

#include <string>

#include "agent/release/observation.h"
#include "agent/release/state.h"
#include "agent/release/step.h"
#include "agent/spec/guard.h"

namespace rollguard::app {

// One guard as it stands after a look. Borrowed for the call.
struct GuardView {
  const spec::Guard& guard;
  const release::GuardState& state;
  const release::Observation& observation;
  const routing::Tracks& tracks;
};

class Sensor {
 public:
  virtual ~Sensor() = default;
  // Adds what is known about the guard to the observation, before Step.
  virtual void Contribute(const spec::Guard& guard, const release::GuardState& state,
                          release::Observation& observation) = 0;
  // After Step and its state write: start, adjust or end what is measured for this guard.
  virtual void Follow(const GuardView& view) = 0;
  // The guard is gone or belongs to another replica now.
  virtual void Forget(const std::string& guard) = 0;
};

// Sensors that carry out actions of the engine.
class AnalysisActions {
 public:
  virtual ~AnalysisActions() = default;
  virtual void Start(const spec::Guard& guard, const release::StartAnalysis& action) = 0;
  virtual void Stop(const std::string& guard, const std::string& run) = 0;
};
class GateActions {
 public:
  virtual ~GateActions() = default;
  virtual void Ask(const spec::Guard& guard, const release::AskGate& action) = 0;
};

// One Step that decided something: all it was given, and its answer. Borrowed for the call.
struct SteppedView {
  const spec::Guard& guard;
  const Json& guard_object;  // as the API has it, its spec resolved: loading it gives `guard`
  const release::GuardState& before;
  const release::Observation& observation;  // with the objects it points to
  const release::StepResult& result;
};

// Is told what happened, after it was made durable in the guard's status. For the history, metrics,
// event streams and notifications.
class Listener {
 public:
  virtual ~Listener() = default;
  // Before anything of it is known to be written: the decisions in `result` follow with Decided once
  // the state is durable, or never.
  virtual void Stepped(const SteppedView& view) { (void)view; }
  virtual void Decided(const spec::Guard& guard, const release::Decision& decision) = 0;
  virtual void Changed(const spec::Guard& guard, const release::GuardState& before,
                       const release::GuardState& after,
                       const release::Observation& observation) = 0;
  virtual void Told(const spec::Guard& guard, const release::Notify& notice) = 0;
  virtual void Removed(const std::string& guard) = 0;
  // Another replica decides on the guard from now on; it is still there.
  virtual void LetGo(const std::string& guard) { Removed(guard); }
  // The Guard object cannot be used as it is: nothing is decided about it until it is mended. Once
  // for each problem.
  virtual void Unusable(const Json& object, const std::string& problem) {
    (void)object;
    (void)problem;
  }
};

}  // namespace rollguard::app
