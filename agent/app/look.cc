// SPDX-License-Identifier: Apache-2.0
// One look at one guard: gather -> Step -> write the state -> carry out -> rest.
#include <utility>

#include "agent/app/controller.h"
#include "agent/app/slot.h"

namespace rollguard::app {
namespace {

constexpr Duration kIdleLook{1000};
constexpr Duration kLookUnseen = std::chrono::seconds(1);

bool Decides(const release::StepResult& result) {
  for (const release::Action& action : result.actions) {
    if (std::holds_alternative<release::RecordDecision>(action)) return true;
  }
  return false;
}

// Once routes were read back as home nothing of it is urgent: the candidate is kept for a while yet.
bool GoesBack(const release::GuardState& state) {
  if (state.phase != release::Phase::kRollingBack || !state.release) return false;
  const release::ReleaseState& rel = *state.release;
  const auto& verified = rel.scratch.verified_at;
  const bool home = rel.weight == 0 && rel.trigger && verified && *verified >= rel.trigger->at;
  return !home;
}

// The guard as it was understood: loading this gives the same.
Json GuardObject(const Json& object, const std::string& resolved_spec) {
  Json metadata = Json::Obj();
  for (const char* member : {"name", "namespace", "uid", "generation", "labels", "annotations"}) {
    if (const Json* found = object.At("metadata").Find(member)) metadata.Set(member, *found);
  }
  Json spec = object.At("spec");
  if (!resolved_spec.empty()) {
    if (auto parsed = ParseJson(resolved_spec)) spec = std::move(*parsed);
  }
  return Json::Obj({{"apiVersion", object.At("apiVersion")},
                    {"kind", object.At("kind")},
                    {"metadata", std::move(metadata)},
                    {"spec", std::move(spec)}});
}

// What listeners and sensors see of the observation afterwards: the objects are gone by then.
void ForgetObjects(release::Observation& observation) {
  observation.objects.clear();
  observation.configs = {};
  observation.target.object = observation.candidate.object = nullptr;
  observation.hpa.object = observation.candidate_hpa.object = nullptr;
  for (auto& revision : observation.target.revisions) revision.object = nullptr;
  for (auto& revision : observation.candidate.revisions) revision.object = nullptr;
}

}  // namespace

// One Step and what it was given, while its state is being written. The objects of its observation
// lie in the arena.
struct Controller::TakenStep {
  Arena arena;
  std::shared_ptr<const spec::Guard> guard;
  std::string packed_object, resolved_spec;
  release::GuardState before;
  release::Observation observation;
  release::StepResult result;
  bool recorded = false;
};

void Controller::Look(const SlotPtr& slot) {
  if (slot->gone || slot->busy || slot->guard == nullptr || !slot->mine) return;
  // Guards are listed first, and alone: alerts can be taken in then.
  if (!synced()) {
    slot->waits_for_list = true;
    return;
  }
  if (parts_.ownership != nullptr && !(parts_.ownership->Mine(slot->id) && MayWrite(*slot))) {
    // Nobody tells of a lease that ran out for a moment and was renewed.
    Schedule(slot, kIdleLook);
    return;
  }
  if (Overtaken(*slot)) {
    ReadAgain(slot);
    return;
  }
  // The answer to a write of ours may have brought a newer spec than the watch.
  if (slot->generation != slot->parsed_generation) {
    Parse(*slot, ObjectOf(*slot));
    Reindex(slot);
    if (slot->guard == nullptr) return;
  }
  if (!slot->state) {
    if (!ReadState(*slot)) return;
    Reindex(slot);
  }
  if (Outgrown(slot)) return;
  TakeInbox(slot);
  if (!slot->has_finalizer && !slot->deleting && slot->guard->mode == spec::Mode::kEnforce) {
    AddFinalizer(slot);
    return;
  }
  slot->urgent = false;
  const bool watched = EnsureWatched(*slot);
  if (!watched && !MayGoBackUnseen(*slot)) {
    if (slot->state->release) Schedule(slot, kLookUnseen);
    return;
  }
  ++looks_;
  Arena arena;
  const std::vector<std::string> configs = std::exchange(slot->configs, {});
  release::Observation observation = Gather(*slot, arena);
  if (slot->configs != configs) Reindex(slot);  // their drift is to be noticed
  // At rest an old view does no harm: what begins is written down first, and refused then.
  observation.stale = !watched || slot->unread || (slot->behind && slot->state->release);
  slot->unread = false;
  slot->looked_unseen = observation.stale;
  release::StepResult result = release::Step(*slot->guard, *slot->state, observation);
  slot->looked = observation.now;
  slot->reasons = result.reasons;
  Commit(slot, {.arena = std::move(arena),
                .guard = slot->guard,
                .packed_object = {},
                .resolved_spec = {},
                .before = {},
                .observation = std::move(observation),
                .result = std::move(result)});
}

// Something that is needed cannot be listed. A release under way must still find back.
bool Controller::MayGoBackUnseen(const Slot& slot) const {
  return slot.state->release && !slot.problem.empty();
}

// The state is written before anything follows from it, so that a crash in between finds the
// intent.
void Controller::Commit(const SlotPtr& slot, TakenStep taken) {
  release::StepResult& result = taken.result;
  AnswerCommands(*slot, result.answers);
  slot->urgent = slot->urgent || GoesBack(result.state);
  const bool inbox_moves = InboxMoves(*slot, result.state);
  // What is as it was is not written: a look follows each write, and would write it again.
  if (result.state_changed && result.actions.empty())
    result.state_changed = release::ToJson(*slot->state) != release::ToJson(result.state);
  bool quiet = !result.state_changed && result.actions.empty() && !inbox_moves;
  // Once it was let go only the news of its end is waited for.
  bool lets_go = result.finalized && slot->deleting && slot->has_finalizer;
  if (quiet && !lets_go) {
    slot->failures = 0;
    Follow(*slot, taken.observation);
    // Nothing was to be done although the time has come: waiting is for something else.
    const Time now = ports_.clock->Now();
    if (result.wake) Schedule(slot, *result.wake > now ? *result.wake - now : kIdleLook);
    return;
  }
  slot->busy = true;
  taken.packed_object = slot->packed_object;
  taken.resolved_spec = slot->resolved_spec;
  taken.before = *slot->state;
  // Nobody acts under an owner's name that is not its own.
  const bool told = result.actions.empty() || Signed(*slot);
  if (!result.state_changed && !inbox_moves && told) {
    Record(taken);
    Follow(*slot, taken.observation);
    CarryOut(slot, std::move(taken.result.actions), taken.result.finalized, {});
    return;
  }
  slot->intended = std::make_unique<release::GuardState>(result.state);
  auto step = std::make_shared<TakenStep>(std::move(taken));
  WriteStatus(slot, step->result.state, [this, slot, step](Status written) {
    slot->intended.reset();
    if (written) {
      Written(slot, step);
    } else {
      Record(*step);
      Rest(slot, std::move(written));
    }
  });
  // Recording takes as long as the step itself. The write does not wait for it; a way back is told
  // to nobody before its first change is on its way.
  if (!slot->urgent) Record(*step);
}

void Controller::Written(const SlotPtr& slot, const std::shared_ptr<TakenStep>& step) {
  slot->state = step->result.state;
  Count(*slot);
  Know(*slot);
  const bool follow_later = slot->urgent;
  if (!follow_later) Follow(*slot, step->observation);
  // What is not recorded yet still needs them.
  std::vector<release::Action> actions =
      step->recorded ? std::move(step->result.actions) : step->result.actions;
  CarryOut(slot, std::move(actions), step->result.finalized, [this, slot, step, follow_later] {
    if (follow_later) Follow(*slot, step->observation);
    Record(*step);
    if (step->result.state_changed) Announce(slot, step->before, step->observation);
  });
}

// Once; the objects are not needed any more then.
void Controller::Record(TakenStep& step) const {
  if (std::exchange(step.recorded, true)) return;
  if (Decides(step.result)) {
    const Json object = GuardObject(packer_.Unpack(step.packed_object), step.resolved_spec);
    for (Listener* listener : parts_.listeners)
      listener->Stepped({*step.guard, object, step.before, step.observation, step.result});
  }
  ForgetObjects(step.observation);
  step.arena.clear();
}

void Controller::Announce(const SlotPtr& slot, const release::GuardState& before,
                          const release::Observation& view) {
  Reindex(slot);
  TouchPeers(slot->id);
  for (Listener* listener : parts_.listeners)
    listener->Changed(*slot->guard, before, *slot->state, view);
}

void Controller::CarryOut(const SlotPtr& slot, std::vector<release::Action> actions, bool finalized,
                          std::function<void()> news) {
  ActionRunner::Manner manner{[this, slot, tenure = slot->tenure] {
                                return !slot->gone && slot->tenure == tenure && MayWrite(*slot);
                              },
                              parts_.ownership != nullptr && !slot->looked_unseen, slot->urgent,
                              std::move(news)};
  runner_.Run(slot->guard, std::move(actions), std::move(manner),
              [this, slot, finalized, alive = std::weak_ptr(alive_)](RunOutcome outcome) {
                if (alive.expired()) return;
                slot->unread = outcome.unread;
                if (!outcome.read_for.empty()) slot->configs_read_for = outcome.read_for;
                Status done = std::move(outcome.status);
                if (done && finalized && slot->deleting && slot->has_finalizer && MayWrite(*slot)) {
                  Finalize(slot);
                  return;
                }
                Rest(slot, std::move(done));
              });
}

// The look is over. After success look again at once: the next step may already be possible. After
// a failure: a conflict means our view was old, anything else waits longer each time.
void Controller::Rest(const SlotPtr& slot, Status status) {
  slot->busy = false;
  slot->again = false;
  if (!slot->mine) {  // let go meanwhile
    Leave(slot);
    return;
  }
  if (!status) slot->reasons = {status.error().message};
  const bool conflict = !status && (status.error().code == ErrorCode::kConflict ||
                                    status.error().code == ErrorCode::kNotFound);
  if (conflict || Overtaken(*slot)) {
    ReadAgain(slot);
  } else if (status) {
    slot->failures = 0;
    Schedule(slot, Duration(0));
  } else {
    BackOff(slot, status.error());
  }
}

void Controller::AnswerCommands(Slot& slot, const std::vector<release::CommandAnswer>& answers) {
  for (const release::CommandAnswer& answer : answers) {
    Slot::Errands& errands = slot.Want();
    std::erase_if(errands.commands, [&](const release::Command& c) { return c.id == answer.id; });
    auto waiting = errands.answered.extract(answer.id);
    if (!waiting.empty()) waiting.mapped()(answer);
  }
}

void Controller::Follow(Slot& slot, const release::Observation& observation) {
  routing::Tracks tracks = release::TracksOf(*slot.guard, *slot.state, observation);
  for (Sensor* sensor : parts_.sensors)
    sensor->Follow({*slot.guard, *slot.state, observation, tracks});
}

}  // namespace rollguard::app
