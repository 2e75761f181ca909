// SPDX-License-Identifier: Apache-2.0
// Names of what the engine creates, and how the tracks are told apart.
#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/release/external.h"

namespace rollguard::release {
namespace {

template <class S>
std::string SecondOf(const S& strategy) {
  if constexpr (requires { strategy.candidate.deployment; }) return strategy.candidate.deployment;
  return {};
}

std::string Second(const spec::Guard& guard) {
  return std::visit([](const auto& s) { return SecondOf(s); }, guard.strategy);
}

// A name within Kubernetes' 63 characters for labels; long ones end in a hash.
std::string Bounded(std::string name) {
  if (name.size() <= 63) return name;
  return StrCat(name.substr(0, 54), "-", ShortHash(name));
}

struct Services {
  std::string stable;
  std::string candidate;
};

Services ServicesOf(const spec::Guard& guard) {
  return std::visit(
      [&](const auto& s) -> Services {
        if constexpr (requires { s.active_service; }) return {s.active_service, s.preview_service};
        if constexpr (requires { s.stable_service; }) {
          return {s.stable_service.empty() ? guard.service : s.stable_service, s.candidate_service};
        }
        return {};
      },
      guard.strategy);
}

}  // namespace

std::string CandidateName(const spec::Guard& guard) {
  std::string second = Second(guard);
  return second.empty() ? Bounded(guard.target.name + "-candidate") : second;
}

std::string SnapshotName(const spec::Guard& guard, std::string_view revision) {
  return Bounded(StrCat("rollguard-", guard.metadata.name, "-", revision));
}

std::string HookJobName(const spec::Guard& guard, std::string_view release, std::string_view hook) {
  return Bounded(StrCat(guard.metadata.name, "-", release, "-", hook));
}

ObjectId TargetId(const spec::Guard& guard) {
  return {guard.target.api_version, guard.target.kind, guard.metadata.ns, guard.target.name};
}

ObjectId CandidateId(const spec::Guard& guard) {
  return {"apps/v1", "Deployment", guard.metadata.ns, CandidateName(guard)};
}

routing::Tracks TracksOf(const spec::Guard& guard, const GuardState& state,
                         const Observation& observation) {
  routing::Tracks tracks;
  tracks.guard = guard.metadata.name;
  tracks.ns = guard.metadata.ns;
  Services services = ServicesOf(guard);
  tracks.stable_service = services.stable;
  tracks.candidate_service = services.candidate;
  tracks.own_candidate_service = services.candidate.empty();
  if (const auto* external = std::get_if<spec::ExternalStrategy>(&guard.strategy)) {
    const bool argo = external->controller == spec::ExternalStrategy::Controller::kArgo;
    if (argo && state.release) {
      tracks.stable = {std::string(kArgoHashLabel), state.release->stable};
      tracks.candidate = {std::string(kArgoHashLabel), state.release->candidate};
    }
    return tracks;
  }
  tracks.roles_swap = !Second(guard).empty();
  if (tracks.roles_swap) {
    // Both Deployments have one ReplicaSet each that counts; their hashes tell them apart.
    tracks.stable = {std::string(routing::kHashLabel), observation.target.pod_hash};
    tracks.candidate = {std::string(routing::kHashLabel), observation.candidate.pod_hash};
    tracks.swapped = state.swapped;
    if (state.swapped) {
      std::swap(tracks.stable, tracks.candidate);
      std::swap(tracks.stable_service, tracks.candidate_service);
    }
    return tracks;
  }
  const std::string& stable = state.release ? state.release->stable : state.stable;
  const RevisionView* revision = observation.target.Find(stable);
  tracks.stable = {std::string(routing::kHashLabel),
                   revision != nullptr ? revision->pod_hash : std::string()};
  tracks.candidate = {std::string(routing::kTrackLabel), "candidate"};
  return tracks;
}

}  // namespace rollguard::release
