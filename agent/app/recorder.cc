// SPDX-License-Identifier: Apache-2.0
#include "agent/app/recorder.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/replay.h"

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

struct TriggerName {
  std::string name;
  std::string kind;
};

TriggerName NameOf(const release::Trigger& trigger, const release::GuardState& state) {
  for (const release::Decision& decision : state.decisions) {
    if (decision.id != trigger.decision || decision.signals.empty()) continue;
    const release::Signal& first = decision.signals[0];
    bool deadline = first.name == "ProgressDeadline";
    return {first.name, deadline ? "deadline" : release::ToString(first.source)};
  }
  if (trigger.actor != "rollguard") return {"person", "person"};
  if (trigger.reason.starts_with("blind")) return {"blind", "blind"};
  return {"confidence", "health"};
}

std::optional<Time> CommitTime(const Json& workload) {
  for (const Json* annotations : {&workload.At("spec", "template", "metadata", "annotations"),
                                  &workload.At("metadata", "annotations")}) {
    if (auto time = ParseRfc3339(annotations->At(kCommitTimeAnnotation).Str())) return *time;
  }
  return std::nullopt;
}

}  // namespace

void Recorder::Restore(const std::vector<ReleaseRow>& running) {
  for (const ReleaseRow& row : running) {
    if (!row.ended) open_[row.guard] = row;
  }
}

void Recorder::Stepped(const SteppedView& view) {
  std::string id = view.guard.Id();
  Pending& pending = pending_[id];
  pending.decisions.clear();
  for (const release::Action& action : view.result.actions) {
    if (const auto* record = std::get_if<release::RecordDecision>(&action))
      pending.decisions.insert(record->decision.id);
  }
  pending.given =
      release::RecordStep(view.guard_object, view.before, view.observation, view.result).Dump();
  if (view.observation.target.object == nullptr) return;
  if (auto time = CommitTime(*view.observation.target.object)) {
    committed_[id] = *time;
  } else {
    committed_.erase(id);
  }
}

void Recorder::Decided(const spec::Guard& guard, const release::Decision& decision) {
  HistoryRecord record{.kind = "decision",
                       .id = decision.id,
                       .at = decision.at,
                       .guard = guard.Id(),
                       .release = decision.release,
                       .actor = decision.actor,
                       .body = release::ToJson(decision)};
  auto pending = pending_.find(guard.Id());
  if (pending != pending_.end() && pending->second.decisions.erase(decision.id) > 0) {
    bool last = pending->second.decisions.empty();
    record.given = last ? std::move(pending->second.given) : pending->second.given;
    if (last) pending_.erase(pending);
  }
  history_.Append(std::move(record));
}

ReleaseRow Recorder::RowOf(const spec::Guard& guard, const release::ReleaseState& state) const {
  ReleaseRow row;
  row.id = state.id;
  row.guard = guard.Id();
  row.strategy = spec::NameOf(guard.strategy);
  row.revision = state.candidate;
  row.previous = state.stable;
  row.started = state.started;
  auto committed = committed_.find(row.guard);
  if (committed != committed_.end()) row.commit_time = committed->second;
  return row;
}

// An agent that was killed between the state's write and the record of its decision left the
// decision in the state only. What is already in the history stands as it is.
void Recorder::CatchUp(const std::string& guard, const release::GuardState& state) {
  if (!caught_up_.insert(guard).second) return;
  for (const release::Decision& decision : state.decisions) {
    history_.Append({.kind = "decision",
                     .id = decision.id,
                     .at = decision.at,
                     .guard = guard,
                     .release = decision.release,
                     .actor = decision.actor,
                     .body = release::ToJson(decision)});
  }
}

void Recorder::Changed(const spec::Guard& guard, const release::GuardState& before,
                       const release::GuardState& after, const release::Observation& observation) {
  std::string id = guard.Id();
  CatchUp(id, before);
  if (after.release && (!open_.contains(id) || open_[id].id != after.release->id)) {
    open_[id] = RowOf(guard, *after.release);
    history_.PutRelease(open_[id]);
  }
  auto found = open_.find(id);
  if (found == open_.end()) return;
  ReleaseRow& row = found->second;
  if (after.release && after.release->trigger && row.trigger.empty()) {
    const release::Trigger& trigger = *after.release->trigger;
    TriggerName named = NameOf(trigger, after);
    row.trigger = std::move(named.name);
    row.trigger_kind = std::move(named.kind);
    row.trigger_at = BeganAt(observation, trigger.signals).value_or(trigger.at);
    history_.PutRelease(row);
  }
  bool was_on = before.release && before.release->weight > 0;
  if (after.release && after.release->trigger && was_on && after.release->weight == 0 &&
      !row.safe_at) {
    row.safe_at = observation.now;
    history_.PutRelease(row);
  }
  if (after.release || !before.release) return;
  row.ended = observation.now;
  row.outcome = after.last ? OutcomeWord(after.last->outcome) : "aborted";
  if (row.outcome == "rolled_back" && !row.safe_at) row.safe_at = observation.now;
  history_.PutRelease(row);
  closed_[id] = std::move(row);
  open_.erase(found);
}

// The verdict on a rollback comes with the notice that tells it, after the row has ended.
void Recorder::Told(const spec::Guard& guard, const release::Notify& notice) {
  if (notice.event != "verified" && notice.event != "notTheCause") return;
  std::string id = guard.Id();
  auto open = open_.find(id), closed = closed_.find(id);
  ReleaseRow* row = open != open_.end()       ? &open->second
                    : closed != closed_.end() ? &closed->second
                                              : nullptr;
  if (row == nullptr || row->trigger.empty()) return;
  row->right = notice.event == "verified";
  history_.PutRelease(*row);
}

void Recorder::Removed(const std::string& guard) {
  pending_.erase(guard);
  open_.erase(guard);
  closed_.erase(guard);
  committed_.erase(guard);
  caught_up_.erase(guard);
}

}  // namespace rollguard::app
