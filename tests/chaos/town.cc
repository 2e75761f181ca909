// SPDX-License-Identifier: Apache-2.0
#include "tests/chaos/town.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/support/routes.h"

namespace rollguard::chaos {
namespace {

using std::chrono::seconds;
using testing::PollUntil;

// The network's nodes: what the wires lead to, and then the agents.
constexpr size_t kServers = 0, kFirstAgent = 1;

constexpr const char* kPolicy = R"(
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: RequestResponse
    verbs: [create, update, patch, delete]
    resources:
      - {group: rollguard.dev, resources: [guards, guards/status]}
      - {group: networking.istio.io, resources: [virtualservices]}
  - level: None
)";

constexpr const char* kAgent = R"(kind: AgentConfig
cluster: {qps: 500, burst: 500}
metrics: [{name: prometheus, prometheus: {url: "http://METRICS", timeout: 2s}}]
history: {postgres: {url: "HISTORY"}}
rules: ["RULES"]
limits: {maxTriggers: 1000, maxShare: 1, maxRollbacksPerHour: 100000}
shards: {count: COUNT, namespace: default, identity: NAME, lease: LEASE, renew: 1s}
)";

constexpr const char* kRules = R"(groups:
  - name: errors
    interval: 1s
    rules:
      - rollback: ErrorsAreCounted
        expr: sum(rate(http_errors_total{namespace="$namespace"}[5s])) > 1
        severity: critical
)";

constexpr const char* kService = R"(
apiVersion: v1
kind: Namespace
metadata: {name: NS}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout, namespace: NS, labels: {app: checkout}}
spec:
  replicas: 1
  selector: {matchLabels: {app: checkout}}
  template:
    metadata: {labels: {app: checkout}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: app, image: "shop:0"}]
ROUTES
---
apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: checkout, namespace: NS}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: checkout}
  strategy:
    canary:
      stableService: checkout
      abortScaleDownDelay: 0s
      scaleDownDelay: 0s
      routing:
        - istio: {virtualService: checkout, routes: [primary], destinationRule: {name: checkout}}
      steps: [{setWeight: 50}, {pause: PAUSE}]
  progressDeadline: 3h
  bake: 1s
  rollback:
    rules: RULES
    alerts: [{matchers: ['severity="critical"'], action: rollback}]
    verify: {for: 1s}
    maxPerHour: 1000
    cooldown: 0s
)";

std::string AlertBody(const std::string& ns, Time starts, Time now, bool firing) {
  return StrCat(R"({"version":"4","groupKey":"g","status":")", firing ? "firing" : "resolved",
                R"(","alerts":[{"status":")", firing ? "firing" : "resolved",
                R"(","labels":{"alertname":"Broken","severity":"critical","rollguard_guard":")", ns,
                R"(/checkout"},"annotations":{},"startsAt":")", FormatRfc3339(starts),
                R"(","endsAt":")", firing ? "0001-01-01T00:00:00Z" : FormatRfc3339(now), R"("}]})");
}

}  // namespace

Town::~Town() {
  for (Replica& replica : replicas_) {
    replica.agent.reset();
    if (replica.disk) (void)::umount2(DataDir(replica).c_str(), MNT_DETACH);
  }
}

void Town::StartNetwork() {
  auto network = testing::Network::Start(kFirstAgent + kReplicas);
  if (network) {
    network_ = std::move(*network);
    site_ = {network_.get(), kServers};
    how_packets_are_lost_ = "by a router between network namespaces";
    ::setenv("no_proxy", "*", 1);
    ::setenv("NO_PROXY", "*", 1);
    return;
  }
  how_packets_are_lost_ = "by filters on sockets of the loopback";
  std::fprintf(stderr, "chaos: NO NETWORK NAMESPACES: packets are lost %s: %s\n",
               how_packets_are_lost_.c_str(), network.error().message.c_str());
}

std::string Town::HostOf(size_t replica) const {
  return network_ ? network_->HostOf(kFirstAgent + replica) : testing::Address().host;
}

Status Town::Start(int services) {
  StartNetwork();
  auto kube = testing::RealCluster::Start(kPolicy, [this](int etcd) {
    store_ = std::make_unique<testing::CutProxy>(etcd, site_);
    return store_->address();
  });
  if (!kube) return kube.error();
  kube_ = std::move(*kube);
  cluster_ = std::make_unique<testing::BlockingCluster>(kube_->kubeconfig());
  http_ = std::make_unique<net::CurlClient>(clock_);
  if (Status played = StartKubelet(); !played) return played;
  door_ = std::make_unique<testing::CutProxy>([this] { return Knock(); }, site_);
  if (Status made = AddServices(services); !made) return made;
  if (Status up = AddReplicas(); !up) return up;
  const bool owned = PollUntil(
      [&] {
        for (const std::string& holder : Holders()) {
          if (holder.empty()) return false;
        }
        return true;
      },
      seconds(60));
  return owned ? Status() : Status(Error(ErrorCode::kTimeout, StrCat("no owners\n", Logs())));
}

Status Town::StartKubelet() {
  kubelet_.reset();
  kubelet_ = std::make_unique<testing::FakeKubelet>(cluster_->client(), *http_, *http_, clock_);
  auto played = kubelet_->Start();
  return played ? Status() : Status(played.error());
}

Status Town::PutStoreBack() {
  if (Status back = kube_->PutStoreBack(); !back) return back;
  return StartKubelet();
}

Status Town::AddServices(int services) {
  const std::string root = ROLLGUARD_SOURCE_DIR;
  for (const char* file :
       {"/k8s/crds/rollguard.dev_guards.yaml", "/k8s/crds/rollguard.dev_rollbackrules.yaml",
        "/tests/e2e/crds/routes.yaml"}) {
    if (Status made = cluster_->CreateAll(testing::ReadFile(root + file)); !made) return made;
  }
  std::vector<std::string> namespaces;
  for (int i = 0; i < services; ++i) {
    for (bool bad : {true, false}) {
      namespaces.push_back(StrCat(bad ? "bad-" : "good-", i));
      Status made;
      PollUntil(
          [&] { return (made = AddService(namespaces.back(), bad, !bad || i % 2 == 1)).ok(); },
          seconds(30), std::chrono::milliseconds(500));
      if (!made) return made;
    }
  }
  return backstage_.Start(namespaces, door_->address(), "sesame", site_);
}

Status Town::AddReplicas() {
  dir_.Write("rules.yaml", kRules);
  for (int i = 0; i < kReplicas; ++i) {
    Replica& replica = replicas_.emplace_back();
    replica.name = StrCat("agent-", i);
    replica.api = std::make_unique<testing::CutProxy>(kube_->api_port(), site_);
    replica.metrics = std::make_unique<testing::CutProxy>(backstage_.prometheus_port(), site_);
    replica.history = std::make_unique<testing::CutProxy>(backstage_.postgres().port(), site_);
    SetClock(replica, std::chrono::nanoseconds(0));
    ::mkdir(DataDir(replica).c_str(), 0700);
    replica.disk = ::mount("tmpfs", DataDir(replica).c_str(), "tmpfs", 0, "size=8m") == 0;
    if (!StartReplica(replica)) return Error(ErrorCode::kUnavailable, "an agent did not start");
  }
  return {};
}

Status Town::AddService(const std::string& ns, bool bad, bool rules) {
  std::string text = ReplaceAll(kService, "NS", ns);
  text = ReplaceAll(text, "ROUTES\n", testing::RouteManifests(ns));
  text = ReplaceAll(text, "PAUSE", bad ? "{}" : "{duration: 1s}");
  text = ReplaceAll(text, "RULES", rules ? "[errors]" : "[]");
  for (const Json& object : testing::ObjectsOf(text)) {
    auto made = cluster_->Create(object);
    if (!made && made.error().code != ErrorCode::kAlreadyExists) return made.error();
  }
  return {};
}

bool Town::StartReplica(Replica& replica) {
  const std::string folder = dir_.path() + "/" + replica.name;
  const std::string database =
      ReplaceAll(backstage_.database(), testing::Address(backstage_.postgres().port()).Text(),
                 replica.history->address().Text());
  std::string config = ReplaceAll(kAgent, "NAME", replica.name);
  config = ReplaceAll(config, "LEASE", StrCat(kLease.count(), "s"));
  config = ReplaceAll(config, "COUNT", StrCat(kShards));
  config = ReplaceAll(config, "METRICS", replica.metrics->address().Text());
  config = ReplaceAll(config, "HISTORY", database);
  config = ReplaceAll(config, "RULES", dir_.path() + "/rules.yaml");
  std::string kubeconfig =
      ReplaceAll(testing::ReadFile(kube_->kubeconfig()),
                 StrCat("https://", testing::Address(kube_->api_port()).Text(), "\""),
                 StrCat("https://", replica.api->address().Text(),
                        R"(", "tls-server-name": "kubernetes.default.svc")"));
  kubeconfig = ReplaceAll(kubeconfig, testing::kAdminToken, replica.name + "-token");
  const size_t number = NumberOf(replica);
  testing::AgentPlace place{{}, HostOf(number)};
  if (network_) place.enter = network_->Enter(kFirstAgent + number);
  replica.agent = testing::AgentProcess::Start(
      {"--config", dir_.Write(replica.name + ".yaml", config), "--kubeconfig",
       dir_.Write(replica.name + ".kubeconfig", kubeconfig), "--data-dir", folder,
       "--webhook-token", dir_.Write("token", "sesame\n")},
      folder + ".log", {{"LD_PRELOAD", CLOCK_JUMP}, {"CLOCK_JUMP_FILE", folder + ".clock"}}, place);
  SetReachable(replica, replica.agent != nullptr);
  return replica.agent != nullptr;
}

// In place: the agent has the file mapped.
void Town::SetClock(const Replica& replica, std::chrono::nanoseconds off) const {
  const int64_t value = off.count();
  const std::string file = dir_.path() + "/" + replica.name + ".clock";
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  (void)!::pwrite(fd, &value, sizeof value, 0);
  ::close(fd);
}

void Town::SetReachable(const Replica& replica, bool reachable) {
  doors_[NumberOf(replica)] = reachable && replica.agent ? replica.agent->port() : 0;
}

// One after the other.
testing::Address Town::Knock() {
  for (size_t tries = 0; tries < doors_.size(); ++tries) {
    const size_t at = knocks_++ % doors_.size();
    if (const int port = doors_[at]; port != 0) return {HostOf(at), port};
  }
  return 0;
}

// On both legs of the way.
Status Town::SetDoorLost(bool lost) {
  using Mode = testing::CutProxy::Mode;
  if (Status done = door_->Set(lost ? Mode::kStall : Mode::kPass); !done || !network_) return done;
  for (size_t i = 0; lost && i < replicas_.size(); ++i) {
    if (replicas_[i].agent)
      door_losses_.push_back({replicas_[i].agent->address(), {network_->HostOf(kServers), 0}});
  }
  for (const testing::Loss& loss : door_losses_) {
    if (Status done = network_->SetLost(loss, lost); !done) return done;
  }
  if (!lost) door_losses_.clear();
  return {};
}

Status Town::SetCutOff(Replica& replica, bool cut_off) {
  using Mode = testing::CutProxy::Mode;
  SetReachable(replica, !cut_off);
  if (network_) return network_->SetLost({{HostOf(NumberOf(replica)), 0}}, cut_off);
  for (testing::CutProxy* wire :
       {replica.api.get(), replica.metrics.get(), replica.history.get()}) {
    if (Status done = wire->Set(cut_off ? Mode::kStall : Mode::kPass); !done) return done;
  }
  return {};
}

int Town::Revive() {
  int revived = 0;
  for (Replica& replica : replicas_) {
    if (replica.agent && replica.agent->process().Running()) continue;
    SetReachable(replica, false);
    replica.agent.reset();
    ++revived;
    (void)StartReplica(replica);
  }
  return revived;
}

void Town::SetImage(const std::string& ns, const std::string& image) {
  const Json patch = testing::ObjectsOf(
      StrCat("spec: {template: {spec: {containers: [{name: app, image: \"", image, "\"}]}}}"))[0];
  PollUntil(
      [&] { return Patch(kube::resources::Deployments(), ns, PatchKind::kStrategic, patch).ok(); },
      seconds(60), std::chrono::milliseconds(100));
}

Status Town::Patch(const ResourceType& type, const std::string& ns, PatchKind kind,
                   const Json& patch) {
  ClusterRequest request;
  request.verb = Verb::kPatch;
  request.type = type;
  request.ns = ns;
  request.name = "checkout";
  request.patch = kind;
  request.field_manager = "owner";
  request.body = patch;
  if (auto done = cluster_->Call(request); !done) return done.error();
  return {};
}

Json Town::StatusOf(const std::string& ns) {
  ClusterRequest request;
  request.type = kube::resources::Guards();
  request.ns = ns;
  request.name = "checkout";
  request.timeout = seconds(2);
  auto guard = cluster_->Call(request);
  return guard ? guard->At("status") : Json();
}

bool Town::PostAlert(const Replica& replica, const std::string& ns, Time starts, bool firing) {
  if (!replica.agent) return false;
  return testing::Ask(replica.agent->address(), "POST", "/api/v1/alerts",
                      AlertBody(ns, starts, clock_.Now(), firing),
                      {{"Authorization", "Bearer sesame"}})
             .status == 200;
}

bool Town::AwaitsTheEnd(const std::string& ns) const {
  std::string last;  // the one that began last
  bool asked = false, ended = true;
  for (const Replica& replica : replicas_) {
    if (!replica.agent || !IsReachable(replica)) continue;
    const auto heard =
        testing::Ask(replica.agent->address(), "GET", StrCat("/api/v1/alerts?namespace=", ns), {},
                     {{"Authorization", StrCat("Bearer ", testing::kAdminToken)}});
    const auto list = ParseJson(heard.body);
    if (heard.status != 200 || !list) continue;
    asked = true;
    for (const Json& alert : list->At("items").items()) {
      const std::string began = alert.At("startsAt").Str();
      if (alert.At("labels", "alertname").Str() != kCountedAlert || began < last) continue;
      ended = (began == last && ended) || alert.At("status").Str() == "resolved";
      last = began;
    }
  }
  return !asked || !ended;
}

std::vector<std::string> Town::Holders() {
  std::vector<std::string> holders(kShards);
  ClusterRequest request;
  request.verb = Verb::kList;
  request.type = kube::resources::Leases();
  request.ns = "default";
  request.timeout = seconds(2);
  auto list = cluster_->Call(request);
  if (!list) return holders;
  for (const Json& lease : list->At("items").items()) {
    for (int shard = 0; shard < kShards; ++shard) {
      if (lease.At("metadata", "name").Str() == StrCat("rollguard-shard-", shard))
        holders[static_cast<size_t>(shard)] = lease.At("spec", "holderIdentity").Str();
    }
  }
  return holders;
}

std::string Town::Logs() const {
  constexpr size_t kEnd = 3000;
  std::string all;
  for (const Replica& replica : replicas_) {
    std::string log = testing::ReadFile(dir_.path() + "/" + replica.name + ".log");
    all += StrCat("-- ", replica.name, "\n",
                  log.size() > kEnd ? log.substr(log.size() - kEnd) : log, "\n");
  }
  return all;
}

void Town::SaveLogs(const std::string& folder) const {
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  auto keep = [&](const std::string& file) {
    const auto to = std::filesystem::path(folder) / std::filesystem::path(file).filename();
    std::filesystem::copy_file(file, to, std::filesystem::copy_options::overwrite_existing,
                               ignored);
  };
  for (const Replica& replica : replicas_) keep(dir_.path() + "/" + replica.name + ".log");
  if (kube_) keep(kube_->audit_log());
}

}  // namespace rollguard::chaos
