// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/stage.h"

#include <algorithm>

#include "agent/app/mirror.h"
#include "agent/base/text.h"
#include "agent/release/step.h"

namespace rollguard::proof {
namespace {

Json MetaOf(const std::string& ns, const std::string& name) {
  return Json::Obj({{"name", name}, {"namespace", ns}, {"labels", Json::Obj({{"app", name}})}});
}

Json Object(const std::string& api_version, const std::string& kind, const std::string& ns,
            const std::string& name, Json spec) {
  return Json::Obj({{"apiVersion", api_version},
                    {"kind", kind},
                    {"metadata", MetaOf(ns, name)},
                    {"spec", std::move(spec)}});
}

Json ServiceObject(const spec::Guard& guard, const std::string& name) {
  return Object(
      "v1", "Service", guard.metadata.ns, name,
      Json::Obj({{"selector", Json::Obj({{"app", guard.target.name}})},
                 {"ports", Json::Arr({Json::Obj(
                               {{"name", "http"}, {"port", 80}, {"targetPort", 8080}})})}}));
}

Json Workload(const spec::Guard& guard, const Scenario& scenario) {
  Json spec = Json::Obj(
      {{"selector", Json::Obj({{"matchLabels", Json::Obj({{"app", guard.target.name}})}})},
       {"template", TemplateFor(guard, scenario.stable)}});
  if (guard.target.kind != "DaemonSet") spec.Set("replicas", scenario.service.replicas);
  if (guard.target.kind == "StatefulSet") spec.Set("serviceName", guard.target.name);
  return Object(guard.target.api_version, guard.target.kind, guard.metadata.ns, guard.target.name,
                std::move(spec));
}

Json Autoscaler(const spec::Guard& guard, const Scenario& scenario) {
  return Object("autoscaling/v1", "HorizontalPodAutoscaler", guard.metadata.ns, guard.target.name,
                Json::Obj({{"scaleTargetRef", Json::Obj({{"apiVersion", guard.target.api_version},
                                                         {"kind", guard.target.kind},
                                                         {"name", guard.target.name}})},
                           {"minReplicas", scenario.service.replicas},
                           {"maxReplicas", scenario.service.max_replicas},
                           {"targetCPUUtilizationPercentage", 70}}));
}

// Names of the Services that the strategy speaks of, the one users call first.
std::vector<std::string> ServicesOf(const spec::Guard& guard) {
  std::vector<std::string> names;
  auto add = [&](const std::string& name) {
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
  };
  if (const auto* s = std::get_if<spec::CanaryStrategy>(&guard.strategy))
    add(s->stable_service), add(s->candidate_service);
  if (const auto* s = std::get_if<spec::BlueGreenStrategy>(&guard.strategy))
    add(s->active_service), add(s->preview_service);
  if (const auto* s = std::get_if<spec::AbTestStrategy>(&guard.strategy))
    add(s->stable_service), add(s->candidate_service);
  if (const auto* s = std::get_if<spec::MirrorStrategy>(&guard.strategy))
    add(s->stable_service), add(s->candidate_service);
  for (const spec::Routing& r : spec::RoutingOf(guard.strategy)) {
    if (const auto* service = std::get_if<spec::ServiceRouting>(&r.settings)) add(service->service);
  }
  if (names.empty()) add(guard.service.empty() ? guard.target.name : guard.service);
  return names;
}

struct Builder {
  const spec::Guard& guard;
  std::string service;
  Stage& stage;
  Status status;

  void Custom(Json object) {
    stage.types.push_back(app::TypeOf(app::IdOf(object)));
    stage.objects.push_back(std::move(object));
  }

  void operator()(const spec::IstioRouting& r) {
    std::string name = r.virtual_service.name.empty() ? service : r.virtual_service.name;
    Json destination = Json::Obj({{"host", service}});
    if (r.destination_rule) destination.Set("subset", r.destination_rule->stable_subset);
    Json routes = Json::Arr();
    for (const std::string& route :
         r.routes.empty() ? std::vector<std::string>{"primary"} : r.routes) {
      routes.Push(Json::Obj(
          {{"name", route},
           {"route", Json::Arr({Json::Obj({{"destination", destination}, {"weight", 100}})})}}));
    }
    Custom(Object("networking.istio.io/v1beta1", "VirtualService", guard.metadata.ns, name,
                  Json::Obj({{"hosts", Json::Arr({service})}, {"http", routes}})));
    if (r.destination_rule) {
      Json subsets = Json::Arr({Json::Obj({{"name", r.destination_rule->stable_subset},
                                           {"labels", Json::Obj({{"app", guard.target.name}})}}),
                                Json::Obj({{"name", r.destination_rule->candidate_subset},
                                           {"labels", Json::Obj({{"app", guard.target.name}})}})});
      Custom(Object("networking.istio.io/v1beta1", "DestinationRule", guard.metadata.ns,
                    r.destination_rule->name,
                    Json::Obj({{"host", service}, {"subsets", subsets}})));
    }
    stage.flow.source = {.kind = sim::RouteSource::Kind::kVirtualService,
                         .name = name,
                         .route = {},
                         .type = {},
                         .backends = {}};
  }

  void operator()(const spec::GatewayRouting& r) {
    for (const spec::ObjectRef& ref : r.http_routes) {
      Json backend = Json::Obj({{"name", service}, {"port", 80}});
      Custom(Object(
          "gateway.networking.k8s.io/v1", "HTTPRoute", guard.metadata.ns, ref.name,
          Json::Obj({{"rules", Json::Arr({Json::Obj({{"backendRefs", Json::Arr({backend})}})})}})));
      stage.flow.source = {.kind = sim::RouteSource::Kind::kHttpRoute,
                           .name = ref.name,
                           .route = {},
                           .type = {},
                           .backends = {}};
    }
  }

  void operator()(const spec::NginxRouting& r) {
    for (const std::string& name : r.ingresses) {
      Json path = Json::Obj(
          {{"path", "/"},
           {"pathType", "Prefix"},
           {"backend",
            Json::Obj({{"service",
                        Json::Obj({{"name", service}, {"port", Json::Obj({{"number", 80}})}})}})}});
      Custom(Object(
          "networking.k8s.io/v1", "Ingress", guard.metadata.ns, name,
          Json::Obj({{"ingressClassName", "nginx"},
                     {"rules", Json::Arr({Json::Obj(
                                   {{"host", service + ".example.com"},
                                    {"http", Json::Obj({{"paths", Json::Arr({path})}})}})})}})));
      stage.flow.source = {.kind = sim::RouteSource::Kind::kNginxIngress,
                           .name = name,
                           .route = {},
                           .type = {},
                           .backends = {}};
    }
  }

  void operator()(const spec::ServiceRouting&) {}
  void operator()(const spec::ReplicaRouting&) {}

  template <class Other>
  void operator()(const Other&) {
    status = Error(ErrorCode::kInvalid,
                   StrCat("the simulated data plane does not follow ",
                          spec::NameOf(spec::RoutingSettings(Other{})),
                          "; rehearse with istio, gatewayApi, nginx, service or replicas"));
  }
};

}  // namespace

std::string ImageOf(const spec::Guard& guard, const std::string& revision) {
  return StrCat("example.com/", guard.target.name, ":", revision);
}

Json TemplateFor(const spec::Guard& guard, const std::string& revision) {
  Json container =
      Json::Obj({{"name", "app"},
                 {"image", ImageOf(guard, revision)},
                 {"ports", Json::Arr({Json::Obj({{"name", "http"}, {"containerPort", 8080}})})},
                 {"resources", Json::Obj({{"requests", Json::Obj({{"cpu", "500m"}})}})}});
  return Json::Obj({{"metadata", Json::Obj({{"labels", Json::Obj({{"app", guard.target.name}})}})},
                    {"spec", Json::Obj({{"containers", Json::Arr({container})}})}});
}

Expected<Stage> SetStage(const spec::Guard& guard, const Scenario& scenario) {
  Stage stage;
  std::vector<std::string> services = ServicesOf(guard);
  stage.objects.push_back(Workload(guard, scenario));
  for (const std::string& name : services) stage.objects.push_back(ServiceObject(guard, name));
  if (scenario.service.max_replicas > scenario.service.replicas)
    stage.objects.push_back(Autoscaler(guard, scenario));
  stage.flow.ns = guard.metadata.ns;
  stage.flow.service = services[0];
  stage.flow.requests_per_second = scenario.service.requests_per_second;
  Builder builder{guard, services[0], stage, {}};
  for (const spec::Routing& routing : spec::RoutingOf(guard.strategy))
    std::visit(builder, routing.settings);
  if (!builder.status) return builder.status.error();
  return stage;
}

}  // namespace rollguard::proof
