// SPDX-License-Identifier: Apache-2.0
// Each router over one golden file: the objects as their owner wrote them, then the changes of
// pinning (0 %), a share, extra routes, and the way home. The objects carry foreign fields, foreign
// routes and foreign annotations; at the end they must be as they were, byte for byte.
#include "agent/routing/routing.h"

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "agent/base/json_patch.h"
#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::routing {
namespace {

// A cluster small enough to read: applies changes, counts versions.
class Shelf {
 public:
  void Put(Json object) {
    object["metadata"].Set("resourceVersion", std::to_string(++version_));
    ObjectId id{object.At("apiVersion").Str(), object.At("kind").Str(),
                object.At("metadata", "namespace").Str(), object.At("metadata", "name").Str()};
    objects_[id] = std::move(object);
  }

  View view() const {
    return [this](const ObjectId& id) -> const Json* {
      auto found = objects_.find(id);
      return found != objects_.end() ? &found->second : nullptr;
    };
  }

  void Apply(const Change& change) {
    if (change.kind == Change::Kind::kDelete) {
      REQUIRE(objects_.erase(change.object) == 1);
      return;
    }
    if (change.kind == Change::Kind::kCreate) {
      REQUIRE(objects_.count(change.object) == 0);
      Put(change.body);
      return;
    }
    Json object = objects_.at(change.object);
    // The first operation pins the version that was read.
    REQUIRE(change.body.At(size_t{0}).At("path").Str() == "/metadata/resourceVersion");
    REQUIRE(change.body.At(size_t{0}).At("value").Str() ==
            object.At("metadata", "resourceVersion").Str());
    Status done = ApplyJsonPatch(object, change.body);
    if (!done) FAIL(done.error().message);
    Put(std::move(object));
  }

  std::string Text() const {
    std::string out;
    for (const auto& [id, object] : objects_) {
      Json plain = object;
      plain["metadata"].Erase("resourceVersion");
      out += plain.Dump() + "\n";
    }
    return out;
  }

  // As a server gives them back: members in order of name.
  void Sort() {
    for (auto& [id, object] : objects_) object = *ParseJson(object.Canonical());
  }
  std::string Sorted() const {
    std::string out;
    for (const auto& [id, object] : objects_) {
      Json plain = object;
      plain["metadata"].Erase("resourceVersion");
      out += plain.Canonical() + "\n";
    }
    return out;
  }

  const Json& At(const std::string& kind, const std::string& name) const {
    for (const auto& [id, object] : objects_) {
      if (id.kind == kind && id.name == name) return object;
    }
    static const Json none;
    return none;
  }

 private:
  std::map<ObjectId, Json> objects_;
  int64_t version_ = 100;
};

struct Case {
  std::string name;
  spec::RoutingSettings settings;
  std::vector<std::string> objects;
  bool headers = false;
  bool mirror = false;
  bool shares = true;
};

Tracks TestTracks() {
  Tracks tracks;
  tracks.guard = "checkout";
  tracks.ns = "shop";
  tracks.stable_service = "checkout";
  tracks.stable = {"pod-template-hash", "5c4b"};
  tracks.candidate = {"rollguard.dev/track", "candidate"};
  return tracks;
}

const char* const kService =
    R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"checkout","namespace":"shop",
    "annotations":{"team":"pay"}},"spec":{"clusterIP":"10.0.0.7","selector":{"app":"checkout"},
    "ports":[{"name":"http","port":80,"targetPort":8080,"nodePort":31000}],"sessionAffinity":
    "None"}})";

std::vector<Case> Cases() {
  spec::IstioRouting subsets;
  subsets.virtual_service.name = "checkout";
  subsets.routes = {"primary"};
  subsets.destination_rule = spec::IstioRouting::DestinationRule{};
  subsets.destination_rule->name = "checkout";
  spec::IstioRouting hosts;
  hosts.virtual_service.name = "checkout";
  hosts.tcp_ports = {5432};
  hosts.tls_routes = {{443, {"shop.example"}}};
  spec::GatewayRouting gateway;
  gateway.http_routes = {{"", "checkout"}};
  spec::NginxRouting nginx;
  nginx.ingresses = {"checkout"};
  spec::AlbRouting alb;
  alb.ingress = "checkout";
  alb.service_port = 80;
  spec::TraefikRouting traefik;
  traefik.service = "checkout-split";
  spec::ContourRouting contour;
  contour.http_proxies = {{"", "checkout"}};
  spec::ApisixRouting apisix;
  apisix.route.name = "checkout";
  spec::SmiRouting smi;
  spec::SmiRouting smi_owned;
  smi_owned.traffic_split = "checkout";
  spec::ServiceRouting service;
  service.service = "checkout";
  spec::GenericRouting generic;
  generic.api_version = "example.com/v1";
  generic.kind = "Splitter";
  generic.object.name = "checkout";
  generic.stable_path = "spec.split[0].w";
  generic.candidate_path = "/spec/split/1/w";
  generic.total = 1000;

  const std::string vs = R"({"apiVersion":"networking.istio.io/v1beta1","kind":"VirtualService",
    "metadata":{"name":"checkout","namespace":"shop","labels":{"team":"pay"}},"spec":{"hosts":
    ["shop.example"],"http":[{"name":"admin","match":[{"uri":{"prefix":"/admin"}}],"route":[
    {"destination":{"host":"admin"}}]},{"name":"primary","match":[{"uri":{"prefix":"/"}}],
    "retries":{"attempts":3},"route":[{"destination":{"host":"checkout.shop.svc.cluster.local",
    "port":{"number":80}}}]}],"exportTo":["."]}})";
  const std::string streams = R"({"apiVersion":"networking.istio.io/v1beta1","kind":
    "VirtualService","metadata":{"name":"checkout","namespace":"shop"},"spec":{"hosts":["x"],
    "tcp":[{"match":[{"port":5432}],"route":[{"destination":{"host":"checkout"}}]},{"match":[
    {"port":6379}],"route":[{"destination":{"host":"checkout"}}]}],"tls":[{"match":[{"port":443,
    "sniHosts":["shop.example"]}],"route":[{"destination":{"host":"checkout"},"weight":100}]}]}})";
  const std::string rule = R"({"apiVersion":"networking.istio.io/v1beta1","kind":"DestinationRule",
    "metadata":{"name":"checkout","namespace":"shop"},"spec":{"host":"checkout","trafficPolicy":
    {"tls":{"mode":"ISTIO_MUTUAL"}}}})";
  const std::string http_route = R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute",
    "metadata":{"name":"checkout","namespace":"shop"},"spec":{"parentRefs":[{"name":"gw"}],"rules":[
    {"matches":[{"path":{"type":"PathPrefix","value":"/"}}],"filters":[{"type":
    "RequestHeaderModifier","requestHeaderModifier":{"set":[{"name":"a","value":"b"}]}}],
    "backendRefs":[{"group":"","kind":"Service","name":"checkout","port":80,"weight":1}]},
    {"matches":[{"path":{"type":"PathPrefix","value":"/admin"}}],"backendRefs":[{"name":"admin",
    "port":80}]}]}})";
  const std::string ingress = R"({"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":
    {"name":"checkout","namespace":"shop","annotations":{"nginx.ingress.kubernetes.io/limit-rps":
    "9"}},"spec":{"ingressClassName":"nginx","tls":[{"hosts":["shop.example"]}],"rules":[{"host":
    "shop.example","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":
    "checkout","port":{"number":80}}}},{"path":"/admin","pathType":"Prefix","backend":{"service":
    {"name":"admin","port":{"number":80}}}}]}}]}})";
  const std::string traefik_service = R"({"apiVersion":"traefik.io/v1alpha1","kind":
    "TraefikService","metadata":{"name":"checkout-split","namespace":"shop"},"spec":{"weighted":
    {"sticky":{"cookie":{"name":"s"}},"services":[{"name":"checkout","port":80}]}}})";
  const std::string proxy = R"({"apiVersion":"projectcontour.io/v1","kind":"HTTPProxy","metadata":
    {"name":"checkout","namespace":"shop"},"spec":{"virtualhost":{"fqdn":"shop.example"},"routes":[
    {"conditions":[{"prefix":"/"}],"services":[{"name":"checkout","port":80}]},{"conditions":[
    {"prefix":"/admin"}],"services":[{"name":"admin","port":80}]}]}})";
  const std::string apisix_route = R"({"apiVersion":"apisix.apache.org/v2","kind":"ApisixRoute",
    "metadata":{"name":"checkout","namespace":"shop"},"spec":{"http":[{"name":"main","match":
    {"hosts":["shop.example"],"paths":["/*"]},"backends":[{"serviceName":"checkout","servicePort":
    80}]}]}})";
  const std::string split = R"({"apiVersion":"split.smi-spec.io/v1alpha2","kind":"TrafficSplit",
    "metadata":{"name":"checkout","namespace":"shop"},"spec":{"service":"checkout","backends":[
    {"service":"checkout","weight":60},{"service":"partner","weight":40}]}})";
  const std::string splitter = R"({"apiVersion":"example.com/v1","kind":"Splitter","metadata":
    {"name":"checkout","namespace":"shop"},"spec":{"split":[{"to":"checkout","w":"1000"},{"to":
    "checkout-candidate","w":"0"}],"note":"ours"}})";
  return {{"istio-subsets", subsets, {vs, rule}, true, true},
          {"istio-streams", hosts, {streams}},
          {"gateway", gateway, {http_route}, true, true},
          {"nginx", nginx, {ingress}, true},
          {"alb", alb, {ingress}},
          {"traefik", traefik, {traefik_service}},
          {"contour", contour, {proxy}, true, true},
          {"apisix", apisix, {apisix_route}, true},
          {"smi", smi, {}},
          {"smi-owned", smi_owned, {split}},
          {"service", service, {}, false, false, false},
          {"generic", generic, {splitter}}};
}

std::string Line(const Change& change) {
  const char* verb = change.kind == Change::Kind::kCreate  ? "create "
                     : change.kind == Change::Kind::kPatch ? "patch "
                                                           : "delete ";
  std::string out = StrCat(verb, change.object.Text(), "\n");
  if (change.kind == Change::Kind::kCreate) out += change.body.Dump(2) + "\n";
  for (const Json& operation : change.body.items()) out += "  " + operation.Dump() + "\n";
  return out;
}

// Carries out what is planned until nothing is; every wave is written down.
template <class Planner>
void Settle(Shelf& shelf, std::string& text, Planner plan) {
  for (int wave = 0; wave < 6; ++wave) {
    auto changes = plan(shelf.view());
    if (!changes) FAIL(changes.error().message);
    if (changes->empty()) return;
    for (const Change& change : *changes) {
      text += Line(change);
      shelf.Apply(change);
    }
  }
  FAIL("planning never comes to an end");
}

void CheckGolden(const std::string& name, const std::string& text) {
  const std::string path = StrCat(ROLLGUARD_SOURCE_DIR, "/tests/golden/routing/", name, ".txt");
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ifstream file(path);
  std::stringstream want;
  want << file.rdbuf();
  CHECK(want.str() == text);
}

TEST_CASE("routers: there and back, as the golden files say") {
  for (const Case& c : Cases()) {
    INFO(c.name);
    Shelf shelf;
    auto service = ParseJson(kService);
    REQUIRE(service.ok());
    shelf.Put(*service);
    for (const std::string& object : c.objects) {
      auto parsed = ParseJson(object);
      REQUIRE(parsed.ok());
      shelf.Put(*parsed);
    }
    const std::vector<spec::Routing> routing = {{c.settings, {}}};
    const Tracks tracks = TestTracks();
    const std::string before = shelf.Text();
    CHECK(Read(routing, tracks, shelf.view()).state == Reading::State::kAtRest);

    std::string text;
    auto go = [&](const char* title, const Split& split) {
      text += StrCat("## ", title, "\n");
      Settle(shelf, text, [&](const View& v) { return PlanSplit(routing, tracks, split, v); });
      const Reading reading = Read(routing, tracks, shelf.view());
      CHECK(reading.state == Reading::State::kSplit);
      CHECK(reading.candidate == split.candidate);
      CHECK(reading.extra == (!split.headers.empty() || !split.mirrors.empty()));
    };
    go("pinned to stable", Split{});
    Split split;
    split.candidate = c.shares ? 20 : 100;
    go(c.shares ? "20 %" : "100 %", split);
    if (c.headers) {
      spec::RequestMatch match;
      match.headers.push_back({"x-canary", {spec::StringMatch::Kind::kExact, "yes"}});
      split.headers.push_back({"testers", {match}});
      go("20 % and a header route", split);
    }
    if (c.mirror) {
      split.headers.clear();
      split.mirrors.push_back({"copy", {}, 100});
      go("20 % and a mirror", split);
    }
    go("100 %", Split{100, {}, {}});
    go("back to 0 %", Split{});
    text += "## at rest\n";
    Settle(shelf, text,
           [&](const View& v) { return PlanRest(routing, tracks, RestAfter::kRollback, v); });
    CHECK(shelf.Text() == before);
    CheckGolden(c.name, text);
  }
}

TEST_CASE("routers: weights sum to what they summed to, for every share") {
  for (const Case& c : Cases()) {
    if (!c.shares) continue;
    INFO(c.name);
    Shelf shelf;
    shelf.Put(*ParseJson(kService));
    for (const std::string& object : c.objects) shelf.Put(*ParseJson(object));
    const std::vector<spec::Routing> routing = {{c.settings, {}}};
    std::string text;
    for (int64_t share : {1, 3, 33, 50, 99, 100, 0}) {
      Settle(shelf, text, [&](const View& v) {
        return PlanSplit(routing, TestTracks(), Split{share, {}, {}}, v);
      });
      const int64_t read = Read(routing, TestTracks(), shelf.view()).candidate;
      CHECK(std::abs(read - share) <= (c.name == "smi-owned" ? 1 : 0));
    }
  }
}

TEST_CASE("routers: what the owner changes meanwhile stays") {
  const Case c = Cases().front();
  Shelf shelf;
  for (const std::string& object : c.objects) shelf.Put(*ParseJson(object));
  const std::vector<spec::Routing> routing = {{c.settings, {}}};
  std::string text;
  Settle(shelf, text, [&](const View& v) {
    return PlanSplit(routing, TestTracks(), Split{20, {}, {}}, v);
  });
  Json vs = shelf.At("VirtualService", "checkout");
  vs["spec"]["http"].items()[1].Set("timeout", "7s");
  vs["spec"]["http"].items().insert(
      vs["spec"]["http"].items().begin(),
      Json::Obj({{"name", "new"},
                 {"route",
                  Json::Arr({Json::Obj({{"destination", Json::Obj({{"host", "elsewhere"}})}})})}}));
  shelf.Put(vs);
  // The owner's edit is no reason for a change of ours, and survives the way home.
  auto again = PlanSplit(routing, TestTracks(), Split{20, {}, {}}, shelf.view());
  REQUIRE(again.ok());
  CHECK(again->empty());
  Settle(shelf, text,
         [&](const View& v) { return PlanRest(routing, TestTracks(), RestAfter::kRollback, v); });
  const Json& http = shelf.At("VirtualService", "checkout").At("spec", "http");
  CHECK(http.size() == 3);
  CHECK(http.At(size_t{2}).At("timeout").Str() == "7s");
  CHECK(http.At(size_t{2}).At("route").Dump() ==
        R"([{"destination":{"host":"checkout.shop.svc.cluster.local","port":{"number":80}}}])");
}

// Two Deployments: a promotion changes who is stable and leaves the routes where they lead.
TEST_CASE("routers: two Deployments change places again and again, and the owner gets all back") {
  for (const Case& c : Cases()) {
    if (c.name == "service" || c.name == "generic" || c.name == "istio-subsets") continue;
    INFO(c.name);
    Shelf shelf;
    for (const std::string& object : c.objects) shelf.Put(*ParseJson(object));
    const std::vector<spec::Routing> routing = {{c.settings, {}}};
    Tracks tracks = TestTracks();
    tracks.candidate_service = "checkout-b";
    tracks.own_candidate_service = false;
    tracks.roles_swap = true;
    const std::string before = shelf.Sorted();
    std::string text, swapped;
    for (int release = 0; release < 4; ++release) {
      for (const int64_t share : {int64_t{0}, int64_t{30}, int64_t{100}}) {
        Settle(shelf, text, [&](const View& v) {
          return PlanSplit(routing, tracks, Split{share, {}, {}}, v);
        });
        const int64_t read = Read(routing, tracks, shelf.view()).candidate;
        CHECK(std::abs(read - share) <= (c.name == "smi-owned" ? 1 : 0));
      }
      std::swap(tracks.stable_service, tracks.candidate_service);
      tracks.swapped = !tracks.swapped;
      CHECK(Read(routing, tracks, shelf.view()).candidate == 0);
      if (release == 2) swapped = shelf.Sorted();
    }
    const auto rest = [&](const View& v) {
      return PlanRest(routing, tracks, RestAfter::kRollback, v);
    };
    Settle(shelf, text, rest);
    CHECK(shelf.Sorted() == before);
    // Given back while the second one holds production, everything leads there and nothing is ours.
    Shelf other;
    for (const std::string_view line : rollguard::Split(swapped, '\n')) {
      if (!line.empty()) other.Put(*ParseJson(line));
    }
    std::swap(tracks.stable_service, tracks.candidate_service);
    tracks.swapped = true;
    Settle(other, text, rest);
    CHECK(other.Sorted().find(kRestAnnotation) == std::string::npos);
    CHECK(other.Sorted().find("checkout-b") != std::string::npos);
    CHECK(Read(routing, tracks, other.view()).candidate == 0);
  }
}

// API servers give the members of an object in order of name: what is erased may stand before what
// is looked at next.
TEST_CASE("routers: a route with sorted members returns after a mirror") {
  for (const Case& c : Cases()) {
    if (!c.mirror) continue;
    INFO(c.name);
    Shelf shelf;
    shelf.Put(*ParseJson(kService));
    for (const std::string& object : c.objects) shelf.Put(*ParseJson(object));
    const std::string before = shelf.Sorted();
    const std::vector<spec::Routing> routing = {{c.settings, {}}};
    std::string text;
    for (const Split& split : {Split{}, Split{0, {}, {{"copy", {}, 50}}},
                               Split{30, {}, {{"copy", {}, 50}}}, Split{100, {}, {}}}) {
      Settle(shelf, text,
             [&](const View& v) { return PlanSplit(routing, TestTracks(), split, v); });
      shelf.Sort();
    }
    Settle(shelf, text,
           [&](const View& v) { return PlanRest(routing, TestTracks(), RestAfter::kRollback, v); });
    CHECK(shelf.Sorted() == before);
  }
}

TEST_CASE("routers: an owner's apply in the middle is put right again") {
  const Case c = Cases().front();
  Shelf shelf;
  for (const std::string& object : c.objects) shelf.Put(*ParseJson(object));
  const std::vector<spec::Routing> routing = {{c.settings, {}}};
  std::string text;
  const Split wanted{20, {}, {}};
  Settle(shelf, text, [&](const View& v) { return PlanSplit(routing, TestTracks(), wanted, v); });
  shelf.Put(*ParseJson(c.objects[0]));
  auto again = PlanSplit(routing, TestTracks(), wanted, shelf.view());
  REQUIRE(again.ok());
  CHECK(again->size() == 1);
}

TEST_CASE("routers: what cannot be done is said with the object and the remedy") {
  Shelf shelf;
  const std::vector<spec::Routing> routing = {{Cases().front().settings, {}}};
  auto missing = PlanSplit(routing, TestTracks(), Split{}, shelf.view());
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().message ==
        "VirtualService shop/checkout is not there: create it or correct the guard's routing");
  auto share = PlanSplit(routing, TestTracks(), Split{101, {}, {}}, shelf.view());
  CHECK_FALSE(share.ok());

  spec::CanaryStrategy canary;
  canary.routing = {{spec::ServiceRouting{"checkout"}, {}}};
  canary.steps = {{"", spec::SetWeight{20}, {}}, {"", spec::SetMirrorRoute{"m", 10, {}}, {}}};
  CHECK(Unsupported(spec::Strategy(canary)) ==
        std::vector<std::string>{
            "router \"service\" cannot do shares of traffic: use 0 and 100 only, or a router with "
            "weights",
            "router \"service\" cannot do mirroring: use istio, gatewayApi or contour",
            "router \"service\" cannot do mirroring a part of the requests: mirror all of them "
            "(percent: 100)"});
}

TEST_CASE("routers: an object of another shape is refused, and ends nothing") {
  for (const Case& c : Cases()) {
    CAPTURE(c.name);
    for (const char* shape : {R"("text")", "7", "[1]", R"({"http":"x","rules":[7],"routes":[[]],
        "weighted":3,"backends":{"a":1},"subsets":"y","selector":5,"split":"z"})"}) {
      CAPTURE(shape);
      Json object = *ParseJson(c.objects.empty() ? kService : c.objects.front().c_str());
      object["metadata"].Set("annotations", *ParseJson(shape));
      object.Set("spec", *ParseJson(shape));
      const View view = [&](const ObjectId&) { return &object; };
      const std::vector<spec::Routing> routing = {{c.settings, {}}};
      auto plan = PlanSplit(routing, TestTracks(), Split{50, {}, {}}, view);
      if (!object.At("spec").is_object()) {
        REQUIRE_FALSE(plan.ok());
        CHECK(plan.error().message.find("its `spec` is no object") != std::string::npos);
      }
      (void)PlanRest(routing, TestTracks(), RestAfter::kPromotion, view);
      CHECK(Read(routing, TestTracks(), view).candidate <= 100);
    }
  }
}

TEST_CASE("routers: weights that no router would take are read as a share all the same") {
  for (const Case& c : Cases()) {
    if (!c.shares) continue;
    CAPTURE(c.name);
    Shelf shelf;
    shelf.Put(*ParseJson(kService));
    for (const std::string& object : c.objects) shelf.Put(*ParseJson(object));
    const std::vector<spec::Routing> routing = {{c.settings, {}}};
    std::string text;
    Settle(shelf, text, [&](const View& view) {
      return PlanSplit(routing, TestTracks(), Split{25, {}, {}}, view);
    });
    for (const char* weight :
         {"9223372036854775807", "-9223372036854775808", "4611686018427387904"}) {
      // Written over our 25 of 100, 15 of 60 and 250 of 1,000.
      std::map<ObjectId, Json> altered;
      const View view = [&](const ObjectId& id) -> const Json* {
        const Json* object = shelf.view()(id);
        if (object == nullptr) return nullptr;
        std::string json = object->Dump();
        for (const char* ours : {"\"weight\":25", "\"weight\":15", "\\\"Weight\\\":25",
                                 "canary-weight\":\"25", "\"w\":\"250"}) {
          const std::string_view key(ours);
          const size_t digits = key.find_last_not_of("0123456789") + 1;
          json = ReplaceAll(json, key, StrCat(key.substr(0, digits), weight));
        }
        return &(altered[id] = *ParseJson(json));
      };
      const Reading reading = Read(routing, TestTracks(), view);
      CHECK(reading.candidate >= 0);
      CHECK(reading.candidate <= 100);
      CHECK(reading.candidate != 25);  // else nothing was written over
      CHECK(PlanSplit(routing, TestTracks(), Split{50, {}, {}}, view).ok());
    }
  }
}

}  // namespace
}  // namespace rollguard::routing
