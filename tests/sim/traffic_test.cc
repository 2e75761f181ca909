// SPDX-License-Identifier: Apache-2.0
// Requests follow the routes, losses are counted, samples appear.
#include "agent/sim/traffic.h"

#include "agent/promql/storage.h"
#include "agent/sim/sim_metrics.h"
#include "agent/sim/world.h"
#include "tests/sim/fixtures.h"

namespace rollguard::sim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

Json Service(const char* name, const char* app) {
  return MustParse(StrCat(R"({"apiVersion":"v1","kind":"Service","metadata":{"name":")", name,
                          R"(","namespace":"default"},"spec":{"selector":{"app":")", app,
                          R"("},"ports":[{"port":80}]}})"));
}

// Two Deployments, `a` and `b`, behind Services of their own.
struct Town {
  World world{{.seed = 9}};
  explicit Town() {
    world.api().types().Add(
        {"networking.istio.io", "v1", "virtualservices", "VirtualService", true});
    world.api().types().Add(
        {"networking.istio.io", "v1", "destinationrules", "DestinationRule", true});
    world.api().types().Add({"gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute", true});
    world.api().types().Add({"example.dev", "v1", "splits", "Split", true});
    for (const char* name : {"a", "b"}) {
      REQUIRE(world.Load(MakeDeployment(name, 2, StrCat("app:", name))).ok());
      REQUIRE(world.Load(Service(name, name)).ok());
    }
    world.scheduler().RunFor(seconds(20));
  }
  // The share of requests that reach pods of `b`.
  double ShareOfB(const RouteSource& source, std::map<std::string, std::string> headers = {}) {
    size_t flow = world.traffic().Add({.service = "a",
                                       .source = source,
                                       .requests_per_second = 1000,
                                       .headers = std::move(headers)});
    world.traffic().Start();
    world.scheduler().RunFor(seconds(10));
    CHECK(world.traffic().Totals(flow).lost == 0);
    return world.traffic().Share(flow, MustParse(R"({"app":"b"})"));
  }
};

TEST_CASE("every kind of route splits by its weights") {
  struct Row {
    const char* name;
    const char* object;
    RouteSource source;
    double want;
    std::map<std::string, std::string> headers;
  };
  RouteSource istio{.kind = RouteSource::Kind::kVirtualService,
                    .name = "r",
                    .route = "",
                    .type = {},
                    .backends = {}};
  RouteSource gateway{
      .kind = RouteSource::Kind::kHttpRoute, .name = "r", .route = "", .type = {}, .backends = {}};
  RouteSource nginx{.kind = RouteSource::Kind::kNginxIngress,
                    .name = "r",
                    .route = "",
                    .type = {},
                    .backends = {}};
  RouteSource generic{.kind = RouteSource::Kind::kGeneric,
                      .name = "r",
                      .route = "",
                      .type = {"example.dev", "v1", "splits", "Split", true},
                      .backends = {{"/spec/a", "a"}, {"/spec/b", "b"}}};
  const char* vs =
      R"([{"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":"r"},"spec":{"http":[
      {"match":[{"headers":{"x-user":{"exact":"beta"}}}],"route":[{"destination":{"host":"b"}}]},
      {"name":"primary","route":[{"destination":{"host":"a"},"weight":80},{"destination":{"host":"b.default.svc"},"weight":20}]}]}}])";
  const char* hr =
      R"([{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"r"},"spec":{"rules":[
      {"backendRefs":[{"name":"a","weight":3},{"name":"b","weight":1}]},
      {"matches":[{"headers":[{"name":"x-user","value":"beta"}]}],"backendRefs":[{"name":"b"}]}]}}])";
  const char* ing =
      R"([{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"r"},"spec":{"rules":[{"host":"h","http":{"paths":[{"backend":{"service":{"name":"a"}}}]}}]}},
      {"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"r-canary","annotations":{"nginx.ingress.kubernetes.io/canary":"true","nginx.ingress.kubernetes.io/canary-weight":"30","nginx.ingress.kubernetes.io/canary-by-header":"x-user","nginx.ingress.kubernetes.io/canary-by-header-value":"beta"}},"spec":{"rules":[{"host":"h","http":{"paths":[{"backend":{"service":{"name":"b"}}}]}}]}}])";
  const char* split =
      R"([{"apiVersion":"example.dev/v1","kind":"Split","metadata":{"name":"r"},"spec":{"a":"60","b":40}}])";
  const Row rows[] = {
      {"istio weights", vs, istio, 0.2, {}},
      {"istio header", vs, istio, 1, {{"X-User", "beta"}}},
      {"gateway weights", hr, gateway, 0.25, {}},
      {"gateway header", hr, gateway, 1, {{"x-user", "beta"}}},
      {"nginx weight", ing, nginx, 0.3, {}},
      {"nginx header", ing, nginx, 1, {{"x-user", "beta"}}},
      {"generic pointers", split, generic, 0.4, {}},
      {"a plain service", "[]", {}, 0, {}},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    Town town;
    Json objects = MustParse(row.object);
    for (const Json& object : objects.items()) REQUIRE(town.world.Load(object).ok());
    CHECK(town.ShareOfB(row.source, row.headers) == Approx(row.want).margin(0.05));
  }
}

TEST_CASE("subsets narrow a service by labels, and one that is nowhere loses its share") {
  Town town;
  World& w = town.world;
  auto sets = w.api().List("apps", "replicasets", "default");
  std::string hash(LabelOf(*sets[0], "pod-template-hash"));
  REQUIRE(
      w
          .Load(MustParse(StrCat(
              R"({"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":{"name":"d"},"spec":{"host":"a","subsets":[{"name":"stable","labels":{"pod-template-hash":")",
              hash, R"("}}]}})")))
          .ok());
  REQUIRE(
      w
          .Load(MustParse(
              R"({"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":"r"},"spec":{"http":[{"route":[
     {"destination":{"host":"a","subset":"stable"},"weight":90},{"destination":{"host":"a","subset":"canary"},"weight":10}]}]}})"))
          .ok());
  size_t flow = w.traffic().Add({.service = "a",
                                 .source = {.kind = RouteSource::Kind::kVirtualService,
                                            .name = "r",
                                            .route = "",
                                            .type = {},
                                            .backends = {}},
                                 .requests_per_second = 1000,
                                 .headers = {}});
  w.traffic().Start();
  w.scheduler().RunFor(seconds(20));
  const TrafficTotals& totals = w.traffic().Totals(flow);
  CHECK(totals.lost / totals.requests == Approx(0.1).margin(0.02));
  CHECK(w.traffic().Revision(hash).requests == Approx(0.9 * totals.requests).epsilon(0.03));
}

TEST_CASE("a rolling update of a healthy version loses nothing; killing all pods does") {
  Town town;
  World& w = town.world;
  size_t flow =
      w.traffic().Add({.service = "a", .source = {}, .requests_per_second = 500, .headers = {}});
  w.traffic().Start();
  w.scheduler().RunFor(seconds(5));
  MustCall(
      w.api(),
      PatchRequest(
          DeploymentType(), "a", PatchKind::kStrategic,
          R"({"spec":{"template":{"spec":{"containers":[{"name":"app","image":"app:c"}]}}}})"));
  REQUIRE(w.WaitForDeployment("default", "a", minutes(3)));
  w.scheduler().RunFor(seconds(30));
  CHECK(w.traffic().Totals(flow).requests > 10'000);
  CHECK(w.traffic().Totals(flow).lost == 0);
  for (const ObjectPtr& pod : w.api().List("", "pods", "default"))
    w.api().Purge(ApiServer::KeyOf(w.api().TypeId("", "pods"), *pod));
  w.scheduler().RunFor(seconds(10));
  CHECK(w.traffic().Totals(flow).lost > 500);
}

TEST_CASE("samples carry errors and latency of each revision, and end with the pod") {
  Town town;
  World& w = town.world;
  RevisionBehaviour slow;
  slow.error_ratio = 0.2;
  slow.latency = Duration(400);
  w.behaviours().SetImage("app:a", slow);
  SimMetrics metrics(w.scheduler());
  w.traffic().SetSink(&metrics);
  w.traffic().Add({.service = "a", .source = {}, .requests_per_second = 200, .headers = {}});
  w.traffic().Start();
  w.scheduler().RunFor(minutes(2));
  Time now = w.scheduler().Now();
  auto sum = [&](std::string_view name, std::string_view key, std::string_view value) {
    std::vector<promql::SeriesView> out;
    std::vector<promql::LabelPredicate> none;
    metrics.store().Select(none, 0, ToUnixMillis(now), out);
    double total = 0;
    for (const auto& s : out) {
      if (s.labels->Name() == name && s.labels->Get("job") == "a" && s.labels->Get(key) == value)
        total += s.points.back().v;
    }
    return total;
  };
  double bad = sum("http_requests_total", "code", "500"),
         good = sum("http_requests_total", "code", "200");
  CHECK(bad / (bad + good) == Approx(0.2).margin(0.02));
  double all = sum("http_request_duration_seconds_bucket", "le", "+Inf");
  CHECK(all == bad + good);
  CHECK(sum("http_request_duration_seconds_bucket", "le", "0.5") / all ==
        Approx(0.67).margin(0.05));
  CHECK(sum("up", "service", "a") == 2);
  uint64_t queries = metrics.queries();
  w.traffic().SetScrapesDown(true);
  double before = all;
  w.scheduler().RunFor(minutes(1));
  CHECK(sum("http_request_duration_seconds_bucket", "le", "+Inf") == before);
  CHECK(queries == 0);
}

TEST_CASE("mirrored requests are copies: they count apart and are never lost") {
  Town town;
  World& w = town.world;
  REQUIRE(
      w
          .Load(MustParse(
              R"({"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":"r"},"spec":{"http":[{"route":[{"destination":{"host":"a"}}],
     "mirror":{"host":"b"},"mirrorPercentage":{"value":50}}]}})"))
          .ok());
  size_t flow = w.traffic().Add({.service = "a",
                                 .source = {.kind = RouteSource::Kind::kVirtualService,
                                            .name = "r",
                                            .route = "",
                                            .type = {},
                                            .backends = {}},
                                 .requests_per_second = 1000,
                                 .headers = {}});
  w.traffic().Start();
  w.scheduler().RunFor(seconds(20));
  const TrafficTotals& totals = w.traffic().Totals(flow);
  CHECK(totals.mirrored / totals.requests == Approx(0.5).margin(0.05));
  CHECK(totals.lost == 0);
}

// A soak without users kept every pod that ever was: a thousand releases, 26 MiB.
TEST_CASE("a pod that went is forgotten, with traffic and without") {
  for (bool traffic : {false, true}) {
    INFO("traffic: " << traffic);
    Town town;
    World& world = town.world;
    if (traffic) {
      Flow flow;
      flow.service = "a";
      world.traffic().Add(flow);
      world.traffic().Start();
      world.scheduler().RunFor(minutes(1));
    }
    std::vector<std::weak_ptr<const Json>> pods;
    for (const ObjectPtr& pod : world.api().List("", "pods")) pods.emplace_back(pod);
    REQUIRE(pods.size() == 4);
    for (const char* name : {"a", "b"})
      MustCall(world.api(), Request(Verb::kDelete, DeploymentType(), name));
    world.scheduler().RunFor(minutes(5));
    REQUIRE(world.api().List("", "pods").empty());
    world.api().Compact();
    for (const auto& pod : pods) CHECK(pod.expired());
  }
}

}  // namespace
}  // namespace rollguard::sim
