// SPDX-License-Identifier: Apache-2.0
// What Flagger hears when it asks. It writes nothing down: the next question is soon asked again.
#include "agent/base/text.h"
#include "agent/release/step.h"

namespace rollguard::release {
namespace {

// A revision was set again that was rejected before: see RefuseRejected.
bool Refuses(const GuardState& state) {
  const Condition* quarantined = state.FindCondition("Quarantined");
  return !state.release && quarantined != nullptr && quarantined->status &&
         !state.blocked_by.empty();
}

bool GoesBack(const GuardState& state) {
  return state.release && state.phase == Phase::kRollingBack && !state.release->awaiting_approval;
}

}  // namespace

bool FlaggerGate(const GuardState& state, FlaggerHook hook) {
  return FlaggerReason(state, hook).empty();
}

std::string FlaggerReason(const GuardState& state, FlaggerHook hook) {
  const bool back = GoesBack(state);
  if (hook == FlaggerHook::kRollback) {
    return back || Refuses(state) ? std::string() : std::string("nothing is to be rolled back");
  }
  if (back) return "the release is being rolled back";
  if (!state.blocked_by.empty()) return state.blocked_by;
  if (!state.release) return {};
  if (state.phase == Phase::kRollingBack) return "the rollback waits for approval";
  if (state.phase == Phase::kHeld) return StrCat("held: ", state.release->held_reason);
  return state.release->paused ? StrCat("paused: ", state.release->pause_reason) : std::string();
}

}  // namespace rollguard::release
