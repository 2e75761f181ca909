// SPDX-License-Identifier: Apache-2.0
// The heart: policy, state and observation in; state, actions and reasons out. Pure and total: no
// clock, no I/O, no exceptions, the same answer for the same input.
//
// How to drive it: observe, Step, write the new state to the Guard's status when `state_changed`
// (if that fails: observe again, carry out nothing), then the actions in order. Call it again when
// anything that was observed changes, after the actions were carried out, and at `wake`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/release/action.h"
#include "agent/release/observation.h"
#include "agent/release/state.h"
#include "agent/spec/guard.h"

namespace rollguard::release {

struct CommandAnswer {
  std::string id;
  bool accepted = false;
  std::string message;
};

struct StepResult {
  GuardState state;
  bool state_changed = false;
  std::vector<Action> actions;
  std::vector<std::string> reasons;  // what is waited for, or why it was decided so
  std::optional<Time> wake;          // look again then at the latest
  std::vector<CommandAnswer> answers;
  bool finalized = false;  // the Guard is being deleted and nothing of ours is left: let it go
};

StepResult Step(const spec::Guard& guard, GuardState state, const Observation& observation);

// What Flagger's webhooks of a Canary are told: `rollback` is open (2xx) while the release must go
// back, the confirm hooks are open while nothing holds it.
enum class FlaggerHook { kConfirm, kRollback };
bool FlaggerGate(const GuardState& state, FlaggerHook hook);
// Why it is shut; empty: it is open.
std::string FlaggerReason(const GuardState& state, FlaggerHook hook);

// Names of what the engine creates for a guard.
std::string CandidateName(const spec::Guard& guard);  // the sibling or second Deployment
std::string SnapshotName(const spec::Guard& guard, std::string_view revision);
std::string HookJobName(const spec::Guard& guard, std::string_view release, std::string_view hook);
ObjectId TargetId(const spec::Guard& guard);
ObjectId CandidateId(const spec::Guard& guard);
// How the two tracks are told apart right now.
routing::Tracks TracksOf(const spec::Guard& guard, const GuardState& state,
                         const Observation& observation);

}  // namespace rollguard::release
