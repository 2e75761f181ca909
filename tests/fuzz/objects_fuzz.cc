// SPDX-License-Identifier: Apache-2.0
// Objects as others wrote them: routes of every router, leases, pods, workloads, and records that
// quote them. Shares stay shares, plans are patches, and numbers of any size are counted with.
#include <cstdlib>
#include <string_view>

#include "agent/app/health_requests.h"
#include "agent/kube/leases.h"
#include "agent/release/observation_json.h"
#include "agent/release/observe.h"
#include "agent/routing/routing.h"

namespace {

using namespace rollguard;

std::vector<spec::Routing> Routers() {
  spec::IstioRouting istio;
  istio.virtual_service.name = "a";
  istio.destination_rule = spec::IstioRouting::DestinationRule{};
  istio.destination_rule->name = "a";
  istio.tcp_ports = {5432};
  istio.tls_routes = {{443, {"shop.example"}}};
  spec::GatewayRouting gateway;
  gateway.http_routes = {{"", "a"}};
  spec::NginxRouting nginx;
  nginx.ingresses = {"a"};
  spec::AlbRouting alb;
  alb.ingress = "a";
  spec::TraefikRouting traefik;
  traefik.service = "a";
  spec::ContourRouting contour;
  contour.http_proxies = {{"", "a"}};
  spec::ApisixRouting apisix;
  apisix.route.name = "a";
  spec::SmiRouting smi;
  smi.traffic_split = "a";
  spec::ServiceRouting service;
  service.service = "a";
  spec::GenericRouting generic;
  generic.api_version = "example.com/v1";
  generic.kind = "Splitter";
  generic.object.name = "a";
  generic.stable_path = "spec.split[0].w";
  generic.candidate_path = "/spec/split/1/w";
  return {{istio, {}},   {gateway, {}}, {nginx, {}}, {alb, {}},     {traefik, {}},
          {contour, {}}, {apisix, {}},  {smi, {}},   {service, {}}, {generic, {}}};
}

// Whatever a router looks for, it finds this object.
void Route(const Json& object) {
  static const std::vector<spec::Routing> routers = Routers();
  routing::Tracks tracks;
  tracks.guard = tracks.stable_service = "checkout";
  tracks.ns = "shop";
  tracks.stable = {"pod-template-hash", "5c4b"};
  tracks.candidate = {"rollguard.dev/track", "candidate"};
  const routing::View view = [&](const routing::ObjectId&) { return &object; };
  for (const spec::Routing& router : routers) {
    for (bool swapped : {false, true}) {
      tracks.swapped = swapped;
      const routing::Reading reading = routing::Read({router}, tracks, view);
      if (reading.candidate < 0 || reading.candidate > 100) std::abort();
      for (auto plan : {routing::PlanSplit({router}, tracks, {30, {{"beta", {{}}}}, {}}, view),
                        routing::PlanRest({router}, tracks, routing::RestAfter::kRollback, view)}) {
        if (!plan && plan.error().message.empty()) std::abort();
        if (!plan) continue;
        for (const routing::Change& change : *plan) {
          if (change.kind == routing::Change::Kind::kPatch && !change.body.is_array()) std::abort();
        }
      }
    }
  }
}

void Observe(const Json& object) {
  static const spec::Guard guard;
  release::RevisionCache cache;
  release::WorldObjects world;
  world.target = world.candidate = world.hpa = world.candidate_hpa = &object;
  world.revisions = world.pods = world.jobs = world.others = world.configs = {&object, &object};
  const release::GuardState state;
  (void)release::Observe(guard, state, world, FromUnixMillis(1'767'225'600'000), cache);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto object = ParseJson(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!object) return 0;
  if (kube::ParseLease(*object).duration < Duration(0)) std::abort();
  (void)app::ReadPod(*object);
  (void)release::RevisionOf(*object);
  (void)release::ImageKeys(*object);
  if (auto read = release::ObservationFromJson(*object)) (void)read->objects.size();
  Route(*object);
  Observe(*object);
  return 0;
}
