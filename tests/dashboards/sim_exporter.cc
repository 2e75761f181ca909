// SPDX-License-Identifier: Apache-2.0
#include "tests/dashboards/sim_exporter.h"

#include <mutex>

#include "agent/app/agent_metrics.h"
#include "agent/app/analysis_sensor.h"
#include "agent/app/gate_sensor.h"
#include "agent/app/telemetry_listener.h"
#include "agent/base/text.h"
#include "agent/history/memory_history.h"
#include "agent/http/router.h"
#include "agent/kube/resources.h"
#include "agent/proof/stage.h"
#include "agent/sim/sim_metrics.h"
#include "agent/sim/world.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"
#include "tests/support/real_clock.h"

namespace rollguard::dashboards {
namespace {

using telemetry::Metric;
using telemetry::Metrics;

constexpr const char* kGuard = R"(
apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: checkout, namespace: shop}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: checkout}
  strategy:
    canary:
      stableService: checkout
      routing:
        - istio: {virtualService: checkout, routes: [primary], destinationRule: {name: checkout}}
      steps:
        - setWeight: 20
        - pause: {duration: 90s}
        - setWeight: 50
        - pause: {duration: 3m}
  bake: 90s
  noData: pass
  rollback:
    rules: [http-golden-signals, compare-with-stable]
    alerts: [{matchers: ['severity="critical"'], action: rollback}]
    cooldown: 1s
    verify: {for: 1m}
)";

// Counts calls as the agent's client does.
class CountedCluster : public Cluster {
 public:
  CountedCluster(Cluster& inner, Metrics& metrics) : inner_(inner), metrics_(metrics) {}

  void Call(ClusterRequest request, ClusterDone done) override {
    const char* verb = request.verb == Verb::kPatch ? "patch" : "get";
    const std::string resource = request.type.plural;
    inner_.Call(std::move(request),
                [this, verb, resource, done = std::move(done)](Expected<Json> answer) {
                  app::CountApiCall(metrics_, {verb, resource, answer ? 200 : 409, Duration(5)});
                  done(std::move(answer));
                });
  }
  WatchId Watch(WatchRequest request, WatchHandler handler) override {
    app::CountApiCall(metrics_, {"watch", request.type.plural, 200, Duration(0)});
    return inner_.Watch(std::move(request), std::move(handler));
  }
  void CancelWatch(WatchId id) override { inner_.CancelWatch(id); }

 private:
  Cluster& inner_;
  Metrics& metrics_;
};

// Counts questions as the folding source does; answers are counted by the agent's own wrapper.
class AskedSource : public MetricsSource {
 public:
  AskedSource(MetricsSource& inner, prometheus::FoldCounters& counters)
      : inner_(inner), counters_(counters) {}

  void Query(MetricQuery query, MetricDone done) override {
    ++counters_.questions;
    ++counters_.requests;
    inner_.Query(std::move(query), std::move(done));
  }

 private:
  MetricsSource& inner_;
  prometheus::FoldCounters& counters_;
};

// Stands for the health checks, measured every minute: the candidate is a little worse than
// stable.
class SomeHealth : public app::Sensor {
 public:
  void Contribute(const spec::Guard&, const release::GuardState& state,
                  release::Observation& observation) override {
    const Time measured = std::chrono::floor<std::chrono::minutes>(observation.now);
    observation.stable_health = {1.0, false, "", measured};
    if (state.release) observation.health = {0.95, false, "", measured};
  }
  void Follow(const app::GuardView&) override {}
  void Forget(const std::string&) override {}
};

struct Cast {
  spec::Library library;
  spec::Guard guard;
};

Cast LoadCast() {
  Cast cast;
  Diagnostics problems;
  for (const char* name : {"http-golden-signals", "compare-with-stable"}) {
    const std::string file = StrCat(ROLLGUARD_SOURCE_DIR, "/rules/", name, ".yaml");
    spec::LoadText(file, testing::ReadFile(file), cast.library, problems);
  }
  spec::LoadText("guard.yaml", kGuard, cast.library, problems);
  REQUIRE_FALSE(problems.has_errors());
  auto guard = spec::Resolve(cast.library.guards.at(0), cast.library, problems);
  REQUIRE(guard.has_value());
  cast.guard = std::move(*guard);
  return cast;
}

}  // namespace

class SimExporter::Impl : public app::Listener {
 public:
  explicit Impl(Duration per_scrape)
      : per_scrape_(per_scrape),
        cast_(LoadCast()),
        world_(Options()),
        samples_(world_.scheduler()),
        telemetry_(metrics_, world_.scheduler()),
        loop_(clock_),
        sources_(world_.scheduler()),
        alerts_(world_.scheduler()) {
    SetStage();
    StartAgent();
    StartProcess();
    world_.scheduler().RunFor(std::chrono::minutes(10));
    Release("v2");
  }

  int port() const { return server_->port(); }
  bool Done() const { return done_; }
  std::string Story() const {
    std::lock_guard lock(mutex_);
    return story_;
  }

  std::string Scrape() {
    std::lock_guard lock(mutex_);
    if (!done_) world_.scheduler().RunFor(per_scrape_);
    return metrics_.Expose();
  }

  void DeleteGuard() {
    std::lock_guard lock(mutex_);
    ClusterRequest request;
    request.verb = Verb::kDelete;
    request.type = kube::resources::Guards();
    request.ns = cast_.guard.metadata.ns;
    request.name = cast_.guard.metadata.name;
    patched_ = world_.api().Call(request).ok();
    world_.scheduler().RunFor(std::chrono::minutes(2));
  }

  void Decided(const spec::Guard&, const release::Decision&) override {}
  void Told(const spec::Guard&, const release::Notify&) override {}
  void Removed(const std::string&) override {}
  // The next release begins a little after the last one has ended.
  void Changed(const spec::Guard&, const release::GuardState& before,
               const release::GuardState& after, const release::Observation&) override {
    if (!before.release || after.release || !after.last) return;
    story_ += StrCat(after.last->outcome, " ");
    const std::string next = story_ == "promoted " ? "v3" : "v4";
    if (story_ == "promoted rolledBack rolledBack ") {
      world_.scheduler().After(std::chrono::minutes(1), [this] { done_ = true; });
      return;
    }
    world_.scheduler().After(std::chrono::minutes(1), [this, next] { Release(next); });
    if (next == "v4") world_.scheduler().After(std::chrono::minutes(3), [this] { SendAlert(); });
  }

 private:
  static sim::WorldOptions Options() {
    sim::WorldOptions options;
    options.seed = 11;
    options.traffic.seed = 12;
    return options;
  }

  void SetStage() {
    proof::Scenario scenario;
    scenario.service.requests_per_second = 500;
    auto stage = proof::SetStage(cast_.guard, scenario);
    REQUIRE(stage);
    world_.api().types().Add(kube::resources::Guards());
    for (const ResourceType& type : stage->types) {
      if (world_.api().types().FindKind(type.group, type.kind) == nullptr)
        world_.api().types().Add(type);
    }
    for (const auto& [revision, errors] : {std::pair("v1", 0.001), std::pair("v2", 0.001),
                                           std::pair("v3", 0.2), std::pair("v4", 0.001)}) {
      auto behaviour = sim::RevisionBehaviour::FromJson(Json::Obj({{"errorRatio", errors}}), {});
      REQUIRE(behaviour);
      world_.behaviours().SetImage(proof::ImageOf(cast_.guard, revision), *behaviour);
    }
    for (const Json& object : stage->objects) REQUIRE(world_.Load(object));
    world_.traffic().SetSink(&samples_);
    world_.traffic().Add(stage->flow);
    world_.traffic().Start();
    const spec::Guard& guard = cast_.guard;
    REQUIRE(world_.Load(Json::Obj(
        {{"apiVersion", spec::kApiVersion},
         {"kind", "Guard"},
         {"metadata", Json::Obj({{"name", guard.metadata.name}, {"namespace", guard.metadata.ns}})},
         {"spec", yaml::ToJson(guard.raw)}})));
  }

  void StartAgent() {
    sim::Scheduler& scheduler = world_.scheduler();
    connection_ = world_.Connect(sim::FaultPlan::None());
    cluster_ = std::make_unique<CountedCluster>(*connection_, metrics_);
    source_ = std::make_unique<app::CountedSource>(
        metrics_, scheduler, "simulated", std::make_unique<AskedSource>(samples_, folding_));
    sources_.Add("simulated", source_.get());
    rules_ = std::make_unique<app::RuleSensor>(scheduler, scheduler, sources_);
    analysis_ =
        std::make_unique<app::AnalysisSensor>(scheduler, scheduler, sources_, *cluster_, nullptr);
    gates_ = std::make_unique<app::GateSensor>(scheduler, scheduler, nullptr);
    app::ControllerPorts ports{.cluster = cluster_.get(),
                               .timers = &scheduler,
                               .clock = &scheduler,
                               .executor = [](std::function<void()> fn) { fn(); },
                               .seed = 5};
    app::ControllerParts parts;
    parts.sensors = {&alerts_, rules_.get(), analysis_.get(), gates_.get(), &health_, &telemetry_};
    parts.listeners = {&telemetry_, this};
    parts.analysis = analysis_.get();
    parts.gates = gates_.get();
    controller_ = std::make_unique<app::Controller>(std::move(ports), std::move(parts));
    alerts_.Attach(controller_.get());
    rules_->Attach(controller_.get());
    analysis_->Attach(controller_.get());
    gates_->Attach(controller_.get());
    rules_->SetObserver([this](const app::RuleReading& r) { telemetry_.OnRule(r); });
    controller_->SetLibrary(cast_.library);
    controller_->Start();
  }

  // What the process around the controller tells: the same calls as in the agent.
  void StartProcess() {
    telemetry::ExposeProcess(metrics_, "test");
    app::ExposeLoop(metrics_, loop_);
    app::ExposeHistory(metrics_, history_);
    app::ExposeFolding(metrics_, "simulated", folding_);
    metrics_.GaugeOf(Metric::kReady).Set(true);
    metrics_.GaugeOf(Metric::kShards).Set(1.0);
    metrics_.GaugeOf(Metric::kShardOwned, {"0"}).Set(true);
    metrics_.GaugeOf(Metric::kAuditIntact).Set(true);
    metrics_.GaugeOf(Metric::kWatchdogMissing).Set(false);
    metrics_.CounterOf(Metric::kNotifications, {"slack", "sent"}).Add();
    metrics_.GaugeOf(Metric::kNotificationsWaiting).Set(0.0);
    metrics_.CounterOf(Metric::kConfigReloads, {"ok"}).Add();
    metrics_.GaugeOf(Metric::kConfigReloadOk).Set(true);
    metrics_.GaugeOf(Metric::kConfigReloadTime).Set(1.7e9);
    router_.Add("GET", "/metrics", [this](const http::Request&) {
      return http::Response{.content_type = std::string(telemetry::kContentType), .body = Scrape()};
    });
    server_ = std::make_unique<http::Server>(http::ServerOptions{.workers = 1}, router_, clock_);
    app::ExposeServer(metrics_, *server_);
    REQUIRE(server_->Start());
  }

  void Release(const std::string& revision) {
    ClusterRequest request;
    request.verb = Verb::kPatch;
    request.type = app::TypeOf(release::TargetId(cast_.guard));
    request.ns = cast_.guard.metadata.ns;
    request.name = cast_.guard.target.name;
    request.patch = PatchKind::kMerge;
    request.body =
        Json::Obj({{"spec", Json::Obj({{"template", proof::TemplateFor(cast_.guard, revision)}})}});
    patched_ = world_.api().Call(request).ok();
  }

  void SendAlert() {
    alerts::Alert alert;
    alert.labels = {{"alertname", "OrdersDropped"},
                    {"namespace", "shop"},
                    {"rollguard_guard", "shop/checkout"},
                    {"severity", "critical"}};
    alert.starts_at = world_.scheduler().Now();
    alert.fingerprint = alerts::FingerprintOf(alert.labels);
    const auto arrived = world_.scheduler().Monotonic();
    telemetry_.OnAlerts(alerts_, alerts_.Receive({alert}), arrived);
    alert.status = alerts::AlertStatus::kResolved;
    world_.scheduler().After(std::chrono::seconds(30), [this, alert] {
      telemetry_.OnAlerts(alerts_, alerts_.Receive({alert}), world_.scheduler().Monotonic());
    });
  }

  const Duration per_scrape_;
  testing::RealClock clock_;
  Cast cast_;
  sim::World world_;
  sim::SimMetrics samples_;
  Metrics metrics_;
  app::TelemetryListener telemetry_;
  prometheus::FoldCounters folding_;
  history::MemoryHistory history_;
  app::Loop loop_;
  app::MetricsSources sources_;
  app::AlertDesk alerts_;
  SomeHealth health_;
  std::unique_ptr<sim::SimCluster> connection_;
  std::unique_ptr<CountedCluster> cluster_;
  std::unique_ptr<app::CountedSource> source_;
  std::unique_ptr<app::RuleSensor> rules_;
  std::unique_ptr<app::AnalysisSensor> analysis_;
  std::unique_ptr<app::GateSensor> gates_;
  std::unique_ptr<app::Controller> controller_;
  mutable std::mutex mutex_;
  std::string story_;
  std::atomic<bool> done_{false};
  bool patched_ = false;
  http::Router router_;
  std::unique_ptr<http::Server> server_;
};

SimExporter::SimExporter(Duration per_scrape) : impl_(std::make_unique<Impl>(per_scrape)) {}
SimExporter::~SimExporter() = default;
int SimExporter::port() const { return impl_->port(); }
std::string SimExporter::Scrape() { return impl_->Scrape(); }
void SimExporter::DeleteGuard() { impl_->DeleteGuard(); }
bool SimExporter::Done() const { return impl_->Done(); }
std::string SimExporter::Story() const { return impl_->Story(); }

}  // namespace rollguard::dashboards
