// SPDX-License-Identifier: Apache-2.0
// What only the agent knows about other guards and the time: freeze windows, artifacts, earlier
// environments, rivals, the group.
#include <algorithm>

#include "agent/app/controller.h"
#include "agent/app/slot.h"
#include "agent/artifact/verify.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "agent/release/upstream.h"
#include "agent/spec/cron.h"

namespace rollguard::app {
namespace {

using release::GuardState;

// The window that is open longest.
void AddFreeze(const spec::Guard& guard, Time now, release::StartView& start) {
  for (const spec::Freeze& freeze : guard.freeze) {
    auto cron = spec::ParseCron(freeze.cron);
    auto offset = spec::ParseOffset(freeze.timezone);
    if (!cron || !offset) continue;  // refused when the guard was loaded
    auto end = spec::WindowEnd(*cron, freeze.duration, *offset, now);
    if (!end || (start.frozen_until && *end <= *start.frozen_until)) continue;
    start.frozen_until = end;
    start.frozen =
        StrCat(freeze.reason, freeze.reason.empty() ? "" : ", ", "window ", Quote(freeze.cron),
               " of ", FormatShortDuration(freeze.duration), " until ", FormatRfc3339(*end));
  }
}

// Where the template that may be released next is.
const release::WorkloadView& NewsIn(const spec::Guard& guard, const GuardState& state,
                                    const release::Observation& seen) {
  const bool second = release::CandidateName(guard) != guard.target.name &&
                      release::TracksOf(guard, state, seen).roles_swap;
  return second && !state.swapped ? seen.candidate : seen.target;
}

bool HasNews(const spec::Guard& guard, const GuardState& state, const release::Observation& seen) {
  if (state.release || std::holds_alternative<spec::ExternalStrategy>(guard.strategy)) return true;
  if (state.stable.empty()) return false;  // still being taken over
  const release::WorkloadView& w = NewsIn(guard, state, seen);
  return w.exists && w.revision != state.stable;
}

// Nothing of the candidate's share is wanted or was read back; on the way back: it was read back
// that way.
bool TrafficIsHome(const GuardState& state) {
  const release::ReleaseState& rel = *state.release;
  const bool verified =
      state.phase != release::Phase::kRollingBack || rel.scratch.verified_at.has_value();
  return rel.weight == 0 && rel.wanted.candidate == 0 && verified;
}

release::PeerView PeerOf(const PeerIndex::Entry& peer, const std::string& us,
                         const GuardState& state) {
  release::PeerView view;
  view.guard = peer.id;
  view.phase = release::ToString(state.phase);
  const bool trigger = state.release && state.release->trigger;
  if (trigger && state.release->trigger->quarantine) {  // not one that merely gave way
    view.rolled_back = state.release->trigger->reason;
    view.rolled_back_at = state.release->trigger->at;
  } else if (state.last && state.last->outcome == "rolledBack") {
    view.rolled_back = state.last->reason;
    view.rolled_back_at = state.last->at;
  }
  view.releasing = state.release && state.phase != release::Phase::kHeld &&
                   state.phase != release::Phase::kVerifying;
  view.traffic_returned = !state.release || TrafficIsHome(state);
  view.depends_on_us =
      std::find(peer.depends_on.begin(), peer.depends_on.end(), us) != peer.depends_on.end();
  return view;
}

}  // namespace

// The state of any guard of the cluster, ours or not, as it is or is just being written.
std::optional<GuardState> Controller::StateOf(const std::string& id) const {
  auto found = slots_.find(id);
  if (found != slots_.end()) {
    const Slot& slot = *found->second;
    return slot.intended ? std::optional(*slot.intended) : slot.state;
  }
  const size_t slash = id.find('/');
  Arena arena;
  const Json* guard =
      mirror_.Get(kube::resources::Guards(), id.substr(0, slash), id.substr(slash + 1), arena);
  if (guard == nullptr) return std::nullopt;
  auto state = release::StateFromJson(guard->At("status"));
  return state ? std::optional(std::move(*state)) : std::nullopt;
}

void Controller::AddPeers(const Slot& slot, release::Observation& observation) const {
  const PeerIndex::Entry* us = peers_.Find(slot.id);
  if (us == nullptr) return;
  for (const PeerIndex::Entry* peer : peers_.OfGroup(*us)) {
    if (auto state = StateOf(peer->id)) observation.peers.push_back(PeerOf(*peer, slot.id, *state));
  }
  release::StartView& start = observation.start;
  const auto& running = slot.state->release;
  for (const PeerIndex::Entry* rival : peers_.OfKey(*us)) {
    auto state = StateOf(rival->id);
    if (!state) continue;
    if (state->release) {
      start.rivals.push_back({rival->id, state->release->id, state->release->started});
    } else if (state->queued_since) {
      start.rivals.push_back({rival->id, {}, *state->queued_since});
      const bool again = !state->yielded.empty() && state->yielded == state->seen;
      if (rival->supersedes && !again && running && *state->queued_since > running->started)
        start.superseded_by = rival->id;
    }
  }
}

void Controller::AddUpstream(const Slot& slot, release::Observation& observation) const {
  const spec::Guard& guard = *slot.guard;
  const release::WorkloadView& news = NewsIn(guard, *slot.state, observation);
  if (slot.state->release || guard.promotion_after.empty() || news.object == nullptr) return;
  const auto images = release::ImageKeys(news.object->At("spec", "template"));
  for (const spec::PromotionAfter& after : guard.promotion_after) {
    const std::string ns = after.guard.ns.empty() ? slot.ns : after.guard.ns;
    const std::string id = StrCat(ns, "/", after.guard.name);
    std::optional<GuardState> there;
    std::string name = id, trouble = "there is no such guard";
    if (after.context.empty()) {
      there = StateOf(id);
    } else {
      name += StrCat(" in ", after.context);
      trouble = "the agent knows no other clusters";
      if (parts_.environments != nullptr) {
        Environments::Reading reading =
            parts_.environments->Read(after.context, ns, after.guard.name);
        trouble = reading.trouble;
        auto state = release::StateFromJson(reading.status);
        if (reading.status.is_object() && state) there = std::move(*state);
      }
    }
    observation.start.upstream.push_back(
        there ? release::JudgeUpstream(name, *there, images, after.bake, observation.now)
              : release::StartView::Upstream{name, false, trouble, {}});
  }
}

// The verdict on one template is remembered: verifying costs more than a look.
void Controller::AddArtifacts(Slot& slot, release::Observation& observation) const {
  const spec::Artifacts& settings = slot.guard->artifacts;
  if (!settings.require_digest && settings.public_keys.empty()) return;
  const release::WorkloadView& news = NewsIn(*slot.guard, *slot.state, observation);
  if (news.object == nullptr) return;
  const Json& annotations = news.object->At("metadata", "annotations");
  std::string key = StrCat(slot.parsed_generation, "/", news.revision, "/",
                           annotations.At(settings.annotation).Str());
  if (slot.checked_artifacts != key) {
    Status status =
        artifact::CheckImages(settings, news.object->At("spec", "template"), annotations);
    slot.refused_artifacts = status ? std::string() : status.error().message;
    slot.checked_artifacts = std::move(key);
  }
  if (slot.refused_artifacts.empty()) return;
  observation.start.artifacts = {release::StartView::Artifacts::State::kRefused,
                                 slot.refused_artifacts};
}

void Controller::AddStart(Slot& slot, release::Observation& observation) const {
  AddPeers(slot, observation);
  if (!HasNews(*slot.guard, *slot.state, observation)) return;
  AddFreeze(*slot.guard, observation.now, observation.start);
  AddArtifacts(slot, observation);
  AddUpstream(slot, observation);
}

// Whoever stands in relation to this guard looks again.
void Controller::TouchPeers(const std::string& id) {
  for (const std::string& other : peers_.Concerned(id)) Touch(other);
}

void Controller::TouchPromoted() {
  for (const auto& [id, slot] : slots_) {
    if (slot->guard != nullptr && !slot->guard->promotion_after.empty()) Touch(id);
  }
}

}  // namespace rollguard::app
