// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/harness/setup.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::simulation {
namespace {

using Kind = sim::RouteSource::Kind;

const char* const kSteps =
    "steps: [{setWeight: 10}, {pause: {duration: 10s}}, {setWeight: 50}, {pause: {duration: 15s}}]";
const char* const kServices = "stableService: checkout, candidateService: checkout-candidate, ";

// `slot`: of two Deployments, the one whose pods it finds.
std::string Service(std::string_view name, std::string_view slot = "") {
  const std::string narrowed = slot.empty() ? "" : StrCat(R"(,"slot":")", slot, "\"");
  return StrCat(R"({"apiVersion":"v1","kind":"Service","metadata":{"name":")", name,
                R"(","namespace":"shop","annotations":{"owner":"pay"}},"spec":{"selector":{"app":)",
                R"("checkout")", narrowed,
                R"(},"ports":[{"name":"http","port":80,"targetPort":8080}]}})");
}

const char* const kVirtualService =
    R"({"apiVersion":"networking.istio.io/v1beta1","kind":"VirtualService","metadata":{"name":
    "checkout","namespace":"shop","annotations":{"owner":"pay"}},"spec":{"hosts":["checkout"],
    "http":[{"name":"primary","route":[{"destination":{"host":"checkout","port":{"number":80}}}],
    "retries":{"attempts":3},"timeout":"5s"},{"name":"admin","match":[{"uri":{"prefix":"/admin"}}],
    "route":[{"destination":{"host":"admin"}}]}]}})";
const char* const kDestinationRule =
    R"({"apiVersion":"networking.istio.io/v1beta1","kind":"DestinationRule","metadata":{"name":
    "checkout","namespace":"shop"},"spec":{"host":"checkout","trafficPolicy":{"tls":{"mode":
    "ISTIO_MUTUAL"}},"subsets":[{"name":"everything","labels":{"app":"checkout"}}]}})";
const char* const kHttpRoute =
    R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":
    "checkout","namespace":"shop"},"spec":{"parentRefs":[{"name":"gw"}],"rules":[{"matches":[
    {"path":{"type":"PathPrefix","value":"/"}}],"backendRefs":[{"group":"","kind":"Service","name":
    "checkout","port":80,"weight":1}]},{"matches":[{"path":{"type":"PathPrefix","value":"/admin"}}],
    "backendRefs":[{"name":"admin","port":80}]}]}})";
const char* const kIngress =
    R"({"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"checkout",
    "namespace":"shop","annotations":{"nginx.ingress.kubernetes.io/limit-rps":"900"}},"spec":{
    "ingressClassName":"nginx","tls":[{"hosts":["shop.example"]}],"rules":[{"host":"shop.example",
    "http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"checkout",
    "port":{"number":80}}}},{"path":"/admin","pathType":"Prefix","backend":{"service":{"name":
    "admin","port":{"number":80}}}}]}}]}})";
const char* const kTraefik =
    R"({"apiVersion":"traefik.io/v1alpha1","kind":"TraefikService","metadata":{"name":"checkout",
    "namespace":"shop"},"spec":{"weighted":{"sticky":{"cookie":{"name":"s"}},"services":[{"name":
    "checkout","port":80}]}}})";
const char* const kHttpProxy =
    R"({"apiVersion":"projectcontour.io/v1","kind":"HTTPProxy","metadata":{"name":"checkout",
    "namespace":"shop"},"spec":{"virtualhost":{"fqdn":"shop.example"},"routes":[{"conditions":[
    {"prefix":"/"}],"services":[{"name":"checkout","port":80}]},{"conditions":[{"prefix":"/admin"}],
    "services":[{"name":"admin","port":80}]}]}})";
const char* const kApisixRoute =
    R"({"apiVersion":"apisix.apache.org/v2","kind":"ApisixRoute","metadata":{"name":"checkout",
    "namespace":"shop"},"spec":{"http":[{"name":"main","match":{"hosts":["shop.example"],"paths":[
    "/*"]},"backends":[{"serviceName":"checkout","servicePort":80}]}]}})";
const char* const kTrafficSplit =
    R"({"apiVersion":"split.smi-spec.io/v1alpha2","kind":"TrafficSplit","metadata":{"name":
    "checkout","namespace":"shop"},"spec":{"service":"checkout","backends":[{"service":"checkout",
    "weight":100}]}})";
const char* const kSplitter =
    R"({"apiVersion":"example.com/v1","kind":"Splitter","metadata":{"name":"checkout","namespace":
    "shop"},"spec":{"note":"ours","split":[{"to":"checkout","w":100},{"to":"checkout-candidate",
    "w":0}]}})";

ResourceType Type(const char* group, const char* version, const char* plural, const char* kind) {
  return {group, version, plural, kind, true};
}

sim::RouteSource From(Kind kind, const char* route = "") {
  sim::RouteSource source;
  source.kind = kind;
  source.name = kApp;
  source.route = route;
  return source;
}

sim::RouteSource FromSplitter() {
  sim::RouteSource source = From(Kind::kGeneric);
  source.type = Type("example.com", "v1", "splitters", "Splitter");
  source.backends = {{"/spec/split/0/w", "checkout"}, {"/spec/split/1/w", "checkout-candidate"}};
  return source;
}

// One router: how it is written in a guard, what the owner has there, what nobody else may touch.
struct Router {
  const char* name;
  std::string yaml;
  sim::RouteSource source;
  std::vector<std::string> objects;
  std::vector<ResourceType> types;
  std::vector<Setup::Foreign> foreign;
};

std::vector<ResourceType> IstioTypes() {
  return {Type("networking.istio.io", "v1beta1", "virtualservices", "VirtualService"),
          Type("networking.istio.io", "v1beta1", "destinationrules", "DestinationRule")};
}

std::vector<Setup::Foreign> IstioForeign() {
  return {{"VirtualService/checkout", "/spec/http/0/retries"},
          {"VirtualService/checkout", "/spec/http/1"},
          {"VirtualService/checkout", "/metadata/annotations/owner"}};
}

Router IstioSubsets() {
  Router r{"istio subsets",
           "routing: [{istio: {virtualService: checkout, routes: [primary], destinationRule: "
           "{name: checkout}}}], ",
           From(Kind::kVirtualService, "primary"),
           {kVirtualService, kDestinationRule},
           IstioTypes(),
           IstioForeign()};
  r.foreign.push_back({"DestinationRule/checkout", "/spec/trafficPolicy"});
  r.foreign.push_back({"DestinationRule/checkout", "/spec/subsets/0"});
  return r;
}

std::vector<Router> Routers() {
  return {
      IstioSubsets(),
      {"istio services",
       "routing: [{istio: {virtualService: checkout, routes: [primary]}}], ",
       From(Kind::kVirtualService, "primary"),
       {kVirtualService},
       IstioTypes(),
       IstioForeign()},
      {"gateway",
       "routing: [{gatewayApi: {httpRoute: checkout}}], ",
       From(Kind::kHttpRoute),
       {kHttpRoute},
       {Type("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")},
       {{"HTTPRoute/checkout", "/spec/parentRefs"}, {"HTTPRoute/checkout", "/spec/rules/1"}}},
      {"nginx",
       "routing: [{nginx: {ingress: checkout}}], ",
       From(Kind::kNginxIngress),
       {kIngress},
       {},
       {{"Ingress/checkout", "/spec"},
        {"Ingress/checkout", "/metadata/annotations/nginx.ingress.kubernetes.io~1limit-rps"}}},
      {"alb",
       "routing: [{alb: {ingress: checkout, servicePort: 80}}], ",
       From(Kind::kAlbIngress),
       {kIngress},
       {},
       {{"Ingress/checkout", "/spec"}}},
      {"traefik",
       "routing: [{traefik: {service: checkout}}], ",
       From(Kind::kTraefik),
       {kTraefik},
       {Type("traefik.io", "v1alpha1", "traefikservices", "TraefikService")},
       {{"TraefikService/checkout", "/spec/weighted/sticky"}}},
      {"contour",
       "routing: [{contour: {httpProxy: checkout}}], ",
       From(Kind::kHttpProxy),
       {kHttpProxy},
       {Type("projectcontour.io", "v1", "httpproxies", "HTTPProxy")},
       {{"HTTPProxy/checkout", "/spec/virtualhost"}, {"HTTPProxy/checkout", "/spec/routes/1"}}},
      {"apisix",
       "routing: [{apisix: {route: checkout}}], ",
       From(Kind::kApisix),
       {kApisixRoute},
       {Type("apisix.apache.org", "v2", "apisixroutes", "ApisixRoute")},
       {{"ApisixRoute/checkout", "/spec/http/0/match"}}},
      {"smi",
       "routing: [{smi: {}}], ",
       From(Kind::kTrafficSplit),
       {},
       {Type("split.smi-spec.io", "v1alpha2", "trafficsplits", "TrafficSplit")},
       {}},
      {"smi owned",
       "routing: [{smi: {trafficSplit: checkout}}], ",
       From(Kind::kTrafficSplit),
       {kTrafficSplit},
       {Type("split.smi-spec.io", "v1alpha2", "trafficsplits", "TrafficSplit")},
       {}},
      {"generic",
       "routing: [{generic: {apiVersion: example.com/v1, kind: Splitter, name: checkout, "
       "stableWeight: /spec/split/0/w, candidateWeight: /spec/split/1/w}}], ",
       FromSplitter(),
       {kSplitter},
       {Type("example.com", "v1", "splitters", "Splitter")},
       {{"Splitter/checkout", "/spec/note"}, {"Splitter/checkout", "/spec/split/1/to"}}},
  };
}

Setup Of(const Router& router, std::string name, std::string strategy) {
  Setup setup{.name = std::move(name), .strategy = std::move(strategy)};
  setup.source = router.source;
  setup.objects = router.objects;
  setup.types = router.types;
  setup.foreign = router.foreign;
  return setup;
}

void AddCanaries(std::vector<Setup>& out) {
  for (const Router& r : Routers()) {
    out.push_back(
        Of(r, StrCat("canary ", r.name), StrCat("canary: {", kServices, r.yaml, kSteps, "}")));
  }
  out.push_back({.name = "canary replicas", .strategy = StrCat("canary: {", kSteps, "}")});
}

// What a canary can have besides: an autoscaler, a second Deployment, header routes, approval.
void AddVariants(std::vector<Setup>& out) {
  const Router istio = IstioSubsets();
  Setup scaled = Of(istio, "canary istio with an autoscaler",
                    StrCat("canary: {", kServices, istio.yaml, kSteps, "}"));
  scaled.max_replicas = 10;
  out.push_back(std::move(scaled));

  const Router gateway = Routers()[2];
  Setup second = Of(gateway, "canary gateway second Deployment",
                    StrCat("canary: {stableService: checkout, candidateService: checkout-b, ",
                           gateway.yaml, "candidate: {deployment: checkout-b}, ", kSteps, "}"));
  second.second = true;
  second.objects.push_back(Service("checkout-b", "checkout-b"));
  out.push_back(std::move(second));
}

void AddOthers(std::vector<Setup>& out) {
  const Router istio = IstioSubsets();
  const std::string preview = Service("checkout-preview");
  out.push_back({.name = "blue/green",
                 .strategy = "blueGreen: {activeService: checkout, previewService: "
                             "checkout-preview, scaleDownDelay: 5s}",
                 .objects = {preview}});
  out.push_back(Of(istio, "a/b",
                   StrCat("abTest: {stableService: checkout, ", istio.yaml,
                          "match: [{headers: [{name: x-test, exact: yes-please}]}], iterations: ",
                          "2, interval: 10s}")));
  out.push_back(Of(
      istio, "mirror",
      StrCat("mirror: {stableService: checkout, ", istio.yaml, "percentage: 50, duration: 10s}")));
  out.push_back({.name = "rolling", .strategy = "rolling: {}"});
  out.push_back({.name = "rolling observed", .strategy = "rolling: {admission: observe}"});
  out.push_back({.name = "rolling StatefulSet",
                 .strategy = "rolling: {}",
                 .kind = "StatefulSet",
                 .lossless = false});
  out.push_back({.name = "rolling DaemonSet",
                 .strategy = "rolling: {}",
                 .kind = "DaemonSet",
                 .lossless = false});
}

const Router& Find(const std::vector<Router>& routers, std::string_view name) {
  return *std::find_if(routers.begin(), routers.end(),
                       [&](const Router& r) { return name == r.name; });
}

void AddFurther(std::vector<Setup>& out) {
  const std::vector<Router> routers = Routers();
  for (const char* name : {"istio subsets", "gateway", "nginx", "generic"}) {
    const Router& r = Find(routers, name);
    Setup blue =
        Of(r, StrCat("blue/green ", name),
           StrCat("blueGreen: {activeService: checkout, previewService: ", "checkout-candidate, ",
                  r.yaml, "scaleDownDelay: 5s}"));
    blue.objects.push_back(Service("checkout-candidate"));
    out.push_back(std::move(blue));
  }
  for (const char* name : {"gateway", "nginx", "apisix"}) {
    const Router& r = Find(routers, name);
    out.push_back(Of(r, StrCat("a/b ", name),
                     StrCat("abTest: {", kServices, r.yaml,
                            "match: [{headers: [{name: x-test, exact: yes-please}]}], iterations: ",
                            "2, interval: 10s}")));
  }
  for (const auto& [name, percentage] : {std::pair{"gateway", 50}, {"contour", 100}}) {
    const Router& r = Find(routers, name);
    out.push_back(
        Of(r, StrCat("mirror ", name),
           StrCat("mirror: {", kServices, r.yaml, "percentage: ", percentage, ", duration: 10s}")));
  }
  for (const char* name : {"istio services", "nginx", "smi owned", "generic"}) {
    const Router& r = Find(routers, name);
    Setup second = Of(r, StrCat("canary ", name, " second Deployment"),
                      StrCat("canary: {stableService: checkout, candidateService: checkout-b, ",
                             r.yaml, "candidate: {deployment: checkout-b}, ", kSteps, "}"));
    second.second = true;
    second.objects.push_back(Service("checkout-b", "checkout-b"));
    out.push_back(std::move(second));
  }
}

std::vector<Setup> Finished(std::vector<Setup> out) {
  for (Setup& setup : out) {
    // Extra routes stand before the owner's: there places in the list say nothing.
    const bool moved = setup.name.starts_with("a/b") || setup.name.starts_with("mirror");
    if (moved) {
      std::erase_if(setup.foreign, [](const Setup::Foreign& f) {
        return f.pointer.starts_with("/spec/http/") || f.pointer.starts_with("/spec/rules/") ||
               f.pointer.starts_with("/spec/routes/");
      });
    }
    setup.objects.push_back(Service(kApp, setup.second ? kApp : ""));
    setup.foreign.push_back({"Service/checkout", "/spec/ports"});
    setup.foreign.push_back({"Service/checkout", "/metadata/annotations/owner"});
  }
  return out;
}

std::vector<Setup> MakeSetups() {
  std::vector<Setup> out;
  AddCanaries(out);
  AddVariants(out);
  AddOthers(out);
  return Finished(std::move(out));
}

std::vector<Setup> MakeFurtherSetups() {
  std::vector<Setup> out;
  AddFurther(out);
  return Finished(std::move(out));
}

}  // namespace

const std::vector<Setup>& Setups() {
  static const std::vector<Setup> setups = MakeSetups();
  return setups;
}

const std::vector<Setup>& FurtherSetups() {
  static const std::vector<Setup> setups = MakeFurtherSetups();
  return setups;
}

const Setup* FindSetup(std::string_view name) {
  for (const std::vector<Setup>* setups : {&Setups(), &FurtherSetups(), &ExternalSetups()}) {
    for (const Setup& setup : *setups) {
      if (setup.name == name) return &setup;
    }
  }
  return nullptr;
}

std::string ImageOf(std::string_view version) { return StrCat("shop/checkout:", version); }

Json SettingsOf(std::string_view version) {
  return Json::Obj({{"apiVersion", "v1"},
                    {"kind", "ConfigMap"},
                    {"metadata", Json::Obj({{"name", "settings"}, {"namespace", kNs}})},
                    {"data", Json::Obj({{"for", version}, {"always", "the same"}})}});
}

Json KeysOf(std::string_view version) {
  // Base64 of itself; what it stands for does not matter here.
  return Json::Obj({{"apiVersion", "v1"},
                    {"kind", "Secret"},
                    {"metadata", Json::Obj({{"name", "keys"}, {"namespace", kNs}})},
                    {"type", "Opaque"},
                    {"data", Json::Obj({{"for", StrCat(version, "AA")}})}});
}

Json TemplateOf(std::string_view version, bool configured) {
  Json container =
      Json::Obj({{"name", "app"},
                 {"image", ImageOf(version)},
                 {"resources", Json::Obj({{"requests", Json::Obj({{"cpu", "500m"}})}})}});
  if (configured) {
    container.Set("envFrom",
                  Json::Arr({Json::Obj({{"configMapRef", Json::Obj({{"name", "settings"}})}}),
                             Json::Obj({{"secretRef", Json::Obj({{"name", "keys"}})}})}));
  }
  return Json::Obj({{"metadata", Json::Obj({{"labels", Json::Obj({{"app", kApp}})}})},
                    {"spec", Json::Obj({{"containers", Json::Arr({container})}})}});
}

Json WorkloadOf(const Setup& setup, const std::string& name, int64_t replicas, bool configured) {
  Json spec = Json::Obj({{"selector", Json::Obj({{"matchLabels", Json::Obj({{"app", kApp}})}})},
                         {"template", TemplateOf("v1", configured)}});
  if (setup.second) {
    spec["selector"]["matchLabels"].Set("slot", name);
    spec["template"]["metadata"]["labels"].Set("slot", name);
  }
  if (setup.kind != "DaemonSet") spec.Set("replicas", replicas);
  if (setup.kind == "StatefulSet") spec.Set("serviceName", kApp);
  return Json::Obj(
      {{"apiVersion", "apps/v1"},
       {"kind", setup.kind},
       {"metadata",
        Json::Obj({{"name", name}, {"namespace", kNs}, {"labels", Json::Obj({{"app", kApp}})}})},
       {"spec", std::move(spec)}});
}

}  // namespace rollguard::simulation
