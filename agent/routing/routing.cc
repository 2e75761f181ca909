// SPDX-License-Identifier: Apache-2.0
#include "agent/routing/routing.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/routing/provider.h"

namespace rollguard::routing {
namespace {

template <class T>
bool Is(const spec::Routing& routing) {
  return std::holds_alternative<T>(routing.settings);
}

// Subsets and pure pod counts need no Services of their own.
bool NeedsServices(const spec::Routing& routing) {
  if (const auto* istio = std::get_if<spec::IstioRouting>(&routing.settings)) {
    return !istio->destination_rule.has_value();
  }
  return !Is<spec::ReplicaRouting>(routing) && !Is<spec::ServiceRouting>(routing);
}

// With subsets the one Service must go on finding the pods of both tracks.
bool UsesServices(const std::vector<spec::Routing>& routing, const Tracks& tracks) {
  return std::any_of(routing.begin(), routing.end(), [&](const spec::Routing& one) {
    const bool preview = Is<spec::ServiceRouting>(one) && !tracks.candidate_service.empty();
    return preview || NeedsServices(one);
  });
}

// A router that moves the production Service's selector itself.
bool SelectorIsRouted(const std::vector<spec::Routing>& routing, const Tracks& tracks) {
  return std::any_of(routing.begin(), routing.end(), [&](const spec::Routing& one) {
    const auto* service = std::get_if<spec::ServiceRouting>(&one.settings);
    return service != nullptr &&
           (service->service.empty() || service->service == tracks.stable_service);
  });
}

// The server keeps `metadata` an object, but not the `spec` of a kind without a schema. What is in
// another shape is the owner's to put right, not ours to write over.
Status CheckShapes(const std::vector<ObjectId>& ids, const View& view) {
  for (const ObjectId& id : ids) {
    const Json* object = view(id);
    if (object == nullptr) continue;
    const Json& spec = object->At("spec");
    if (!spec.is_null() && !spec.is_object())
      return Error(ErrorCode::kInvalid, StrCat(id.Text(), ": its `spec` is no object: correct it"));
  }
  return {};
}

}  // namespace

std::vector<ObjectId> ObjectsOf(const std::vector<spec::Routing>& routing, const Tracks& tracks) {
  std::vector<ObjectId> out;
  for (const auto& one : routing) {
    std::visit([&](const auto& settings) { Objects(settings, tracks, out); }, one.settings);
  }
  if (UsesServices(routing, tracks) && !tracks.stable_service.empty()) {
    out.push_back(ServiceId(tracks, tracks.stable_service));
    out.push_back(ServiceId(tracks, tracks.CandidateService()));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Expected<std::vector<Change>> PlanSplit(const std::vector<spec::Routing>& routing,
                                        const Tracks& tracks, const Split& split,
                                        const View& view) {
  if (split.candidate < 0 || split.candidate > 100) {
    return Error(ErrorCode::kInvalid, StrCat("a share of ", split.candidate, " % is none"));
  }
  if (Status shapes = CheckShapes(ObjectsOf(routing, tracks), view); !shapes) return shapes.error();
  Changes out;
  if (UsesServices(routing, tracks)) {
    if (Status done = PinServices(tracks, SelectorIsRouted(routing, tracks), view, out); !done) {
      return done.error();
    }
  }
  for (const auto& one : routing) {
    Status done = std::visit(
        [&](const auto& settings) { return PlanSplit(settings, tracks, split, view, out); },
        one.settings);
    if (!done) return done.error();
  }
  return out;
}

Expected<std::vector<Change>> PlanRest(const std::vector<spec::Routing>& routing,
                                       const Tracks& tracks, RestAfter after, const View& view) {
  const bool services = UsesServices(routing, tracks);
  Changes out;
  if (after == RestAfter::kPromotion) {
    if (services && !SelectorIsRouted(routing, tracks)) UnpinStable(tracks, view, out);
    for (const auto& one : routing) {
      const auto* istio = std::get_if<spec::IstioRouting>(&one.settings);
      if (istio != nullptr) UnpinStableSubset(*istio, tracks, view, out);
    }
    if (!out.empty()) return out;
  }
  for (const auto& one : routing) {
    Status done = std::visit(
        [&](const auto& settings) { return PlanRest(settings, tracks, view, out); }, one.settings);
    if (!done) return done.error();
  }
  if (!out.empty()) return out;
  if (services) {
    if (!SelectorIsRouted(routing, tracks)) UnpinStable(tracks, view, out);
    UnpinCandidate(tracks, view, out);
  }
  return out;
}

Reading Read(const std::vector<spec::Routing>& routing, const Tracks& tracks, const View& view) {
  Reading all;
  for (const auto& one : routing) {
    Reading reading = std::visit([&](const auto& settings) { return Read(settings, tracks, view); },
                                 one.settings);
    if (reading.state == Reading::State::kInvalid) return reading;
    if (reading.state == Reading::State::kSplit) all.state = reading.state;
    all.candidate = std::max(all.candidate, reading.candidate);
    all.extra = all.extra || reading.extra;
  }
  return all;
}

bool FollowsReplicas(const std::vector<spec::Routing>& routing) {
  return std::all_of(routing.begin(), routing.end(), Is<spec::ReplicaRouting>);
}

bool HasWeights(const std::vector<spec::Routing>& routing) {
  return std::none_of(routing.begin(), routing.end(), Is<spec::ServiceRouting>);
}

}  // namespace rollguard::routing
