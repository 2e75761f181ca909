// SPDX-License-Identifier: Apache-2.0
#include "tests/api/api_world.h"

#include <stdexcept>

#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "agent/proof/stage.h"

namespace rollguard::testing {
namespace {

constexpr Duration kSettle = std::chrono::minutes(6);
constexpr Duration kPumpEvery{2};
constexpr Duration kSlice = std::chrono::seconds(1);

// What the simulated traffic has series for.
constexpr const char* kCompareRules = R"(
groups:
  - name: compare
    interval: 15s
    rules:
      - rollback: ErrorRatioAboveStable
        compare:
          proportion:
            bad: 'sum(increase(http_requests_total{namespace="$namespace",pod=~"$pods",code=~"5.."}[$window]))'
            total: 'sum(increase(http_requests_total{namespace="$namespace",pod=~"$pods"}[$window]))'
          tolerate: 1.2
      - rollback: SlowerThanStable
        severity: high
        compare:
          histogram: 'sum by (le) (increase(http_request_duration_seconds_bucket{namespace="$namespace",pod=~"$pods"}[$window]))'
)";

void Must(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.error().message);
}

bool MayDev(const Json& attributes) {
  std::string verb = attributes.At("verb").Str();
  bool verb_ok = api::IsReadVerb(verb) || verb == "pause" || verb == "approve" || verb == "resume";
  return verb_ok && attributes.At("namespace").Str() == "shop";
}

// Never gets anything across.
class DeafChannel final : public notify::Channel {
 public:
  void Deliver(const Notice&, notify::Delivered done) override {
    done(Error(ErrorCode::kInvalid, "the chat answered 404: no such webhook"));
  }
};

std::vector<notify::Dispatcher::Named> Channels() {
  std::vector<notify::Dispatcher::Named> all;
  all.push_back({"oncall", "slack", std::make_unique<DeafChannel>()});
  return all;
}

}  // namespace

void SafeHistory::Append(HistoryRecord record, Durable durable) {
  {
    std::lock_guard lock(mutex_);
    MemoryHistory::Append(std::move(record));
  }
  if (durable) durable({});
}
void SafeHistory::PutRelease(ReleaseRow row) {
  std::lock_guard lock(mutex_);
  MemoryHistory::PutRelease(std::move(row));
}
void SafeHistory::Measure(MeasurementRow row) {
  std::lock_guard lock(mutex_);
  MemoryHistory::Measure(std::move(row));
}
Expected<std::vector<StoredRecord>> SafeHistory::Find(const HistoryFilter& filter) {
  std::lock_guard lock(mutex_);
  return MemoryHistory::Find(filter);
}
Expected<std::vector<ReleaseRow>> SafeHistory::Releases(const HistoryFilter& filter) {
  std::lock_guard lock(mutex_);
  return MemoryHistory::Releases(filter);
}
Expected<std::vector<MeasurementRow>> SafeHistory::Measurements(const HistoryFilter& filter) {
  std::lock_guard lock(mutex_);
  return MemoryHistory::Measurements(filter);
}

Expected<std::string> SafeHistory::Given(const std::string& hash) {
  std::lock_guard lock(mutex_);
  return MemoryHistory::Given(hash);
}

Json Reply::json() const {
  auto parsed = ParseJson(body);
  if (!parsed) throw std::runtime_error(StrCat("not JSON: ", body));
  return std::move(*parsed);
}

std::string Reply::Header(std::string_view lower_name) const {
  for (std::string_view line : Split(head, '\n')) {
    size_t colon = line.find(':');
    if (colon != std::string_view::npos && ToLower(line.substr(0, colon)) == lower_name)
      return std::string(Trim(line.substr(colon + 1)));
  }
  return {};
}

std::string CanaryManifest(const std::string& ns, const std::string& name, const std::string& steps,
                           const std::string& more) {
  return StrCat(
      "apiVersion: rollguard.dev/v1alpha1\nkind: Guard\nmetadata: {name: ", name,
      ", namespace: ", ns, ", labels: {rollguard.dev/team: ", ns,
      "-team}}\nspec:\n  target: {apiVersion: apps/v1, kind: Deployment, name: ", name,
      "}\n  strategy:\n    canary:\n      stableService: ", name,
      "\n      routing:\n        - istio: {virtualService: ", name,
      ", routes: [primary], destinationRule: {name: ", name, "}}\n      steps: ", steps,
      "\n  bake: 5m\n  rollback:\n    rules: [http-golden-signals, compare]\n"
      "    alerts:\n      - matchers: ['severity=\"critical\"']\n        action: rollback\n",
      more);
}

sim::WorldOptions ApiWorld::WorldOptionsOf() {
  sim::WorldOptions options;
  options.seed = 11;
  options.traffic.seed = 12;
  options.users = {{"sre-token", {"sre@example", {"sre"}}},
                   {"dev-token", {"dev@example", {"developers"}}},
                   {"nobody-token", {"nobody@example", {}}}};
  options.allow = [this](const std::string& user, const Json& attributes) {
    {
      std::lock_guard lock(rights_mutex_);
      if (without_rights_.contains(user)) return false;
    }
    if (user == "sre@example" || user == "machine") return true;
    return user == "dev@example" && MayDev(attributes);
  };
  return options;
}

ApiWorld::ApiWorld(ApiWorldOptions options)
    : options_(std::move(options)),
      files_("api"),
      world_(WorldOptionsOf()),
      metrics_(world_.scheduler()),
      loop_(real_clock_) {
  Diagnostics problems;
  std::string file = StrCat(ROLLGUARD_SOURCE_DIR, "/rules/http-golden-signals.yaml");
  spec::LoadText(file, ReadFile(file), library_, problems);
  spec::LoadText("compare.yaml", kCompareRules, library_, problems);
  scenario_.stable = "v1";
  scenario_.service.replicas = 4;
  scenario_.service.requests_per_second = 200;
  world_.api().types().Add(kube::resources::Guards());
  world_.traffic().SetSink(&metrics_);
  for (const std::string& manifest : options_.guards) Load(manifest);
  world_.traffic().Start();

  connection_ = world_.Connect();
  writer_ = world_.Connect();
  spec::AuthConfig auth = options_.auth;
  identity_ = std::make_unique<api::Identity>(
      auth, api::IdentityPorts{.cluster = writer_.get(), .loop = &loop_, .clock = &clock_});
  api::ApiParts parts;
  parts.loop = &loop_;
  parts.history = &history_;
  parts.cluster = writer_.get();
  parts.clock = &clock_;
  parts.identity = identity_.get();
  parts.cluster_name = "test";
  parts.version = "1.2.3";
  parts.requests_per_second = 0;
  parts.keep_lists = Duration(0);
  parts.not_ready = parts.refuses_alerts = [this] { return not_ready_; };
  parts.dependencies = [] {
    return std::vector<api::DependencyHealth>{
        {.name = "kubernetes", .ok = true, .detail = "", .latency = Duration(3)}};
  };
  agent_ = std::make_unique<app::SimAgent>(world_.scheduler(), *connection_, metrics_, history_,
                                           library_, std::vector<app::Listener*>{&forward_}, 5);
  intake_ = std::make_unique<app::Intake>(loop_, agent_->alerts(), history_, clock_);
  parts.controller = &agent_->controller();
  parts.alerts = &agent_->alerts();
  parts.rules = &agent_->rules();
  parts.analysis = &agent_->analysis();
  parts.sensors = {&agent_->alerts(), &agent_->rules(), &agent_->analysis()};
  parts.intake = intake_.get();
  parts.senders = options_.senders;
  parts.source_links = {{"", "https://prometheus.example/"}};
  parts.webhooks_per_second = options_.webhooks_per_second;
  outlets_ = std::make_unique<notify::Dispatcher>(loop_, clock_, spec::NotificationsConfig{},
                                                  Channels(), 7);
  parts.notifier = outlets_.get();
  parts.verify_audit = [this] {
    return Expected<api::AuditFindings>(api::AuditFindings{history_.records().size(), 0, {}});
  };
  parts.metrics = [] {
    return http::Response{.content_type = "text/plain; version=0.0.4",
                          .body = "# TYPE rollguard_ready gauge\nrollguard_ready 1\n"};
  };
  api_ = std::make_unique<api::Api>(std::move(parts));
  forward_.api = api_.get();
  forward_.measurements = &measurements_;
  agent_->rules().SetObserver([this](const app::RuleReading& r) {
    api_->Observed(r);
    measurements_.Observed(r);
  });
  agent_->analysis().SetObserver([this](const app::AnalysisReading& r) {
    api_->Observed(r);
    measurements_.Observed(r);
  });
  api_->Register(router_);
  world_.scheduler().RunFor(kSettle);
  clock_.Set(world_.scheduler().Now());
  loop_.Start();
  Pump();
}

ApiWorld::~ApiWorld() {
  pumping_ = false;
  loop_.Stop();
}

void ApiWorld::Load(const std::string& manifest) {
  Diagnostics problems;
  spec::Library one;
  spec::LoadText("guard.yaml", manifest, one, problems);
  if (problems.has_errors()) throw std::runtime_error(problems.Sorted()[0].message);
  auto guard = spec::Resolve(one.guards.at(0), library_, problems);
  if (!guard) throw std::runtime_error(problems.Sorted()[0].message);
  auto stage = proof::SetStage(*guard, scenario_);
  if (!stage) throw std::runtime_error(stage.error().message);
  for (const ResourceType& type : stage->types) {
    if (world_.api().types().FindKind(type.group, type.kind) == nullptr)
      world_.api().types().Add(type);
  }
  for (const auto& [revision, text] : options_.behaviours) {
    auto behaviour = sim::RevisionBehaviour::FromJson(*ParseJson(text), {});
    if (!behaviour) throw std::runtime_error(behaviour.error().message);
    world_.behaviours().SetImage(proof::ImageOf(*guard, revision), *behaviour);
  }
  for (const Json& object : stage->objects) Must(world_.Load(object));
  world_.traffic().Add(stage->flow);
  Json object = Json::Obj({{"apiVersion", spec::kApiVersion}, {"kind", "Guard"}});
  Json labels = Json::Obj();
  for (const auto& [key, value] : one.guards[0].metadata.labels) labels.Set(key, value);
  object.Set("metadata", Json::Obj({{"name", guard->metadata.name},
                                    {"namespace", guard->metadata.ns},
                                    {"labels", std::move(labels)}}));
  object.Set("spec", yaml::ToJson(one.guards[0].raw));
  Must(world_.Load(object));
  guards_[guard->Id()] = std::move(*guard);
}

void ApiWorld::Pump() {
  loop_.After(kPumpEvery, [this] {
    if (!pumping_) return;
    double step = static_cast<double>(kPumpEvery.count()) * options_.pace;
    world_.scheduler().RunFor(Duration(static_cast<int64_t>(step)));
    clock_.Set(world_.scheduler().Now());
    Pump();
  });
}

void ApiWorld::Do(const std::function<void()>& on_loop) {
  auto done = loop_.Ask<bool>(
      [&] {
        on_loop();
        clock_.Set(world_.scheduler().Now());
        return true;
      },
      std::chrono::minutes(2));
  if (!done) throw std::runtime_error("the deciding thread is stuck");
}

void ApiWorld::Advance(Duration duration) {
  Do([&] { world_.scheduler().RunFor(duration); });
}

bool ApiWorld::AdvanceUntil(const std::function<bool()>& holds, Duration limit) {
  for (Duration passed{0}; passed < limit; passed += kSlice) {
    if (holds()) return true;
    Advance(kSlice);
  }
  return holds();
}

void ApiWorld::Release(const std::string& id, const std::string& revision) {
  const spec::Guard& guard = guards_.at(id);
  ClusterRequest request;
  request.verb = Verb::kPatch;
  request.type = kube::resources::Deployments();
  request.ns = guard.metadata.ns;
  request.name = guard.target.name;
  request.patch = PatchKind::kMerge;
  request.field_manager = "someone";
  request.body =
      Json::Obj({{"spec", Json::Obj({{"template", proof::TemplateFor(guard, revision)}})}});
  Do([&] { Must(world_.api().Call(request).ok() ? Status() : Status(Error())); });
}

void ApiWorld::SendAlert(const std::string& name, const std::string& guard, bool firing) {
  Do([&] {
    alerts::Alert alert;
    alert.status = firing ? alerts::AlertStatus::kFiring : alerts::AlertStatus::kResolved;
    alert.labels = {{"alertname", name}, {"rollguard_guard", guard}, {"severity", "critical"}};
    alert.fingerprint = alerts::FingerprintOf(alert.labels);
    alert.starts_at = world_.scheduler().Now();
    for (const auto& receipt : agent_->alerts().Receive({alert})) api_->Received(receipt);
  });
}

std::string ApiWorld::LoseNotice(const std::string& guard, const std::string& text) {
  size_t slash = guard.find('/');
  Notice notice;
  notice.event = "rolledBack";
  notice.at = clock_.Now();
  notice.ns = guard.substr(0, slash);
  notice.guard = guard.substr(slash + 1);
  notice.text = text;
  notice.channels = {"oncall"};
  std::string id;
  Do([&] {
    outlets_->Send(notice);
    id = outlets_->DeadLetters().at(0).id;
  });
  return id;
}

void ApiWorld::TakeRights(const std::string& user) {
  std::lock_guard lock(rights_mutex_);
  without_rights_.insert(user);
}

app::GuardSummary ApiWorld::Look(const std::string& guard) {
  std::optional<app::GuardSummary> found;
  Do([&] { found = agent_->controller().Find(guard); });
  if (!found) throw std::runtime_error(StrCat("no guard ", guard));
  return std::move(*found);
}

std::string ApiWorld::StateOf(const std::string& guard) {
  return Ask({.path = StrCat("/api/v1/guards/", guard)}).json().At("summary", "state").Str();
}

Json ApiWorld::Object(const ResourceType& type, const std::string& ns, const std::string& name) {
  Json object;
  Do([&] {
    auto found = world_.api().Get(type.group, type.plural, ns, name);
    if (found) object = *found;
  });
  return object;
}

Reply ApiWorld::Ask(const Request& request) {
  http::Request r;
  r.method = request.method;
  r.target = request.path;
  r.headers = request.headers;
  r.headers.emplace_back("host", "agent");
  if (!request.token.empty())
    r.headers.emplace_back("authorization", StrCat("Bearer ", request.token));
  if (!request.body.empty() && r.Header("content-type").empty())
    r.headers.emplace_back("content-type", "application/json");
  r.body = request.body;
  r.remote_address = "127.0.0.1";
  http::Rendered rendered = router_.Render(std::move(r), true);
  Reply reply;
  size_t end = rendered.bytes.find("\r\n\r\n");
  reply.head = rendered.bytes.substr(0, end);
  if (end != std::string::npos) reply.body = rendered.bytes.substr(end + 4);
  reply.status = static_cast<int>(ParseInt(reply.head.substr(9, 3)).value_or(0));
  reply.streams = rendered.subscription.has_value();
  reply.subscription = std::move(rendered.subscription);
  return reply;
}

}  // namespace rollguard::testing
