// SPDX-License-Identifier: Apache-2.0
// A guard's status counts its decisions. Who has seen it further than it is now, or finds later
// decisions in its history, knows that the cluster was put back to an older state.
#include <algorithm>

#include "agent/app/controller.h"
#include "agent/app/slot.h"
#include "agent/base/text.h"

namespace rollguard::app {
namespace {

// A history's decision that is none of the newest in the status is looked for so far ahead.
constexpr int64_t kFar = 5000;

// The sequence of a decision that this object will take later than its status says; 0: it is none.
int64_t LaterSequence(const std::string& guard, const std::string& uid,
                      const release::GuardState& state, const std::string& decision) {
  const bool recent =
      std::any_of(state.decisions.begin(), state.decisions.end(),
                  [&](const release::Decision& known) { return known.id == decision; });
  if (recent) return 0;
  for (int64_t sequence = state.sequence + 1; sequence <= state.sequence + kFar; ++sequence) {
    if (release::DecisionId(guard, uid, sequence) == decision) return sequence;
  }
  return 0;
}

}  // namespace

void Controller::Know(Slot& slot) const {
  const std::string& uid = slot.uid;
  if (slot.known_uid != uid) {
    slot.known_uid = uid;
    slot.known_sequence = 0;
    auto newest = newest_.find(slot.id);
    if (newest != newest_.end())
      slot.known_sequence = LaterSequence(slot.id, uid, *slot.state, newest->second);
  }
  slot.known_sequence = std::max(slot.known_sequence, slot.state->sequence);
}

void Controller::AddPast(const Slot& slot, release::Observation& observation) const {
  if (slot.known_sequence <= slot.state->sequence) return;
  observation.known_sequence = slot.known_sequence;
  const Json object = ObjectOf(slot);
  const auto accepted =
      ParseInt(object.At("metadata", "annotations").At(release::kAcceptOlder).Str());
  observation.older_accepted = accepted && *accepted >= slot.known_sequence;
}

// Versions count from the older state on: none of what is held says what is newer any more.
void Controller::WentBack() {
  left_.clear();
  for (auto& [id, slot] : slots_) slot->may_be_older = true;
  mirror_.Relist();
}

}  // namespace rollguard::app
