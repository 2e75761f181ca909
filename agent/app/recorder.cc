// SPDX-License-Identifier: Apache-2.0
#include "agent/app/recorder.h"

#include <algorithm>

namespace rollguard::app {
namespace {

std::string OutcomeWord(const std::string& outcome) {
  return outcome == "rolledBack" ? "rolled_back" : outcome;
}

// When the oldest of the signals that took it back began.
std::optional<Time> BeganAt(const release::Observation& observation,
                            const std::vector<std::string>& names) {
  std::optional<Time> began;
  for (const release::Signal& signal : observation.signals) {
    bool named = std::find(names.begin(), names.end(), signal.name) != names.end();
    if (named && signal.since && (!began || *signal.since < *began)) began = signal.since;
  }
  return began;
}

std::string KindOf(const release::Observation& observation, const std::string& name) {
  for (const release::Signal& signal : observation.signals) {
    if (signal.name == name) return release::ToString(signal.source);
  }
  return {};
}

}  // namespace

void Recorder::Decided(const spec::Guard& guard, const release::Decision& decision) {
  history_.Append({.kind = "decision",
                   .id = decision.id,
                   .at = decision.at,
                   .guard = guard.Id(),
                   .release = decision.release,
                   .actor = decision.actor,
                   .body = release::ToJson(decision)});
}

ReleaseRow Recorder::RowOf(const spec::Guard& guard, const release::ReleaseState& state) const {
  ReleaseRow row;
  row.id = state.id;
  row.guard = guard.Id();
  row.strategy = spec::NameOf(guard.strategy);
  row.revision = state.candidate;
  row.previous = state.stable;
  row.started = state.started;
  return row;
}

void Recorder::Changed(const spec::Guard& guard, const release::GuardState& before,
                       const release::GuardState& after, const release::Observation& observation) {
  std::string id = guard.Id();
  if (after.release && (!open_.contains(id) || open_[id].id != after.release->id)) {
    open_[id] = RowOf(guard, *after.release);
    history_.PutRelease(open_[id]);
  }
  auto found = open_.find(id);
  if (found == open_.end()) return;
  ReleaseRow& row = found->second;
  if (after.release && after.release->trigger && row.trigger.empty()) {
    const release::Trigger& trigger = *after.release->trigger;
    row.trigger = trigger.signals.empty() ? "person" : trigger.signals[0];
    row.trigger_kind = trigger.signals.empty() ? "person" : KindOf(observation, trigger.signals[0]);
    row.trigger_at = BeganAt(observation, trigger.signals).value_or(trigger.at);
  }
  bool was_on = before.release && before.release->weight > 0;
  if (after.release && after.release->trigger && was_on && after.release->weight == 0 &&
      !row.safe_at)
    row.safe_at = observation.now;
  if (after.release || !before.release) return;
  row.ended = observation.now;
  row.outcome = after.last ? OutcomeWord(after.last->outcome) : "aborted";
  if (row.outcome == "rolled_back" && !row.safe_at) row.safe_at = observation.now;
  history_.PutRelease(row);
  open_.erase(found);
}

void Recorder::Removed(const std::string& guard) { open_.erase(guard); }

}  // namespace rollguard::app
