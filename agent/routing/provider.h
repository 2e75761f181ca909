// SPDX-License-Identifier: Apache-2.0
// What one router has to answer. One overload set per kind of settings, one file per router.
#pragma once

#include <vector>

#include "agent/routing/edit.h"
#include "agent/routing/routing.h"
#include "agent/routing/weighted.h"

namespace rollguard::routing {

using Changes = std::vector<Change>;

#define ROLLGUARD_ROUTER(Settings)                                                                \
  void Objects(const spec::Settings& settings, const Tracks& tracks, std::vector<ObjectId>& out); \
  Status PlanSplit(const spec::Settings& settings, const Tracks& tracks, const Split& split,      \
                   const View& view, Changes& out);                                               \
  Status PlanRest(const spec::Settings& settings, const Tracks& tracks, const View& view,         \
                  Changes& out);                                                                  \
  Reading Read(const spec::Settings& settings, const Tracks& tracks, const View& view);

ROLLGUARD_ROUTER(IstioRouting)
ROLLGUARD_ROUTER(GatewayRouting)
ROLLGUARD_ROUTER(NginxRouting)
ROLLGUARD_ROUTER(AlbRouting)
ROLLGUARD_ROUTER(TraefikRouting)
ROLLGUARD_ROUTER(ContourRouting)
ROLLGUARD_ROUTER(ApisixRouting)
ROLLGUARD_ROUTER(SmiRouting)
ROLLGUARD_ROUTER(ServiceRouting)
ROLLGUARD_ROUTER(ReplicaRouting)
ROLLGUARD_ROUTER(GenericRouting)
#undef ROLLGUARD_ROUTER

// Gives the stable subset back its owner's labels while the routes still go to the candidate: after
// a promotion the pods it was pinned to are gone, so it must find the new ones before routes
// return.
void UnpinStableSubset(const spec::IstioRouting& settings, const Tracks& tracks, const View& view,
                       Changes& out);

// Routers whose objects are lists of routes, each with a list of destinations. `PlanSplit` of such
// a router is: give the object back in memory, insert the extra routes, split every selected list,
// put the memo away.
struct RouteLists {
  // The list of routes inside the object ("/spec/http"), and of destinations inside a route.
  std::string routes;        // member path from the root, dotted
  std::string destinations;  // member of a route
  Shape shape;
  std::function<bool(const Json& route)> selected;  // of routes that have the stable destination
  // The route that carries requests that match to the candidate, made from the owner's route; null:
  // the router cannot. `destination` is the candidate's entry.
  std::function<Json(const Json& route, const HeaderRoute&, const Json& destination)> header_route;
  std::function<bool(const Json& route)> is_extra;  // made by header_route or mirror_route
  std::function<void(Json& route, const MirrorRoute&, const Json& destination)> mirror;
  std::vector<std::string> mirror_members;  // members of a route that `mirror` may change
  std::function<Json(const Json& route, const MirrorRoute&, const Json& destination)> mirror_route;
};

// Gives `object` back as its owner wrote it, memo included.
void RestRoutes(Json& object, const RouteLists& lists);
// The wish on top of an object at rest. The error has no object in it.
Status SplitRoutes(Json& object, const RouteLists& lists, const Split& split);
Reading ReadRoutes(const Json& object, const RouteLists& lists);

// The Services of both tracks. `PinServices` makes each find only its own pods; `skip_stable`
// leaves the production Service to a router that owns its selector.
Status PinServices(const Tracks& tracks, bool skip_stable, const View& view, Changes& out);
void UnpinStable(const Tracks& tracks, const View& view, Changes& out);
void UnpinCandidate(const Tracks& tracks, const View& view, Changes& out);
ObjectId ServiceId(const Tracks& tracks, const std::string& name);

// The condition of each match combined with each of the owner's (every one must hold).
Json CrossMatches(const Json& owner, const std::vector<Json>& ours,
                  const std::function<void(Json& match, const Json& add)>& merge);
// A header's regular expression that finds one cookie.
std::string CookieRegex(const spec::HeaderMatch& cookie);
std::string EscapeRegex(std::string_view text);

}  // namespace rollguard::routing
