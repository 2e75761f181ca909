// SPDX-License-Identifier: Apache-2.0
#include "tests/chaos/town.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::chaos {
namespace {

using std::chrono::seconds;
using testing::PollUntil;

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
limits: {maxTriggers: 1000, maxShare: 1, maxRollbacksPerHour: 100000}
shards: {count: COUNT, namespace: default, identity: NAME, lease: LEASE, renew: 1s}
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
---
apiVersion: v1
kind: Service
metadata: {name: checkout, namespace: NS}
spec: {selector: {app: checkout}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: checkout, namespace: NS}
spec:
  hosts: [checkout]
  http:
    - name: primary
      route: [{destination: {host: checkout, subset: stable}, weight: 100}]
---
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: checkout, namespace: NS}
spec:
  host: checkout
  subsets:
    - {name: stable, labels: {app: checkout}}
    - {name: candidate, labels: {app: checkout}}
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
      steps: [{setWeight: 20}, {pause: {duration: 1s}}, {setWeight: 50}, {pause: PAUSE}]
  progressDeadline: 5m
  bake: 1s
  rollback:
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

Status Town::Start(int services) {
  auto kube = testing::RealCluster::Start(kPolicy);
  if (!kube) return kube.error();
  kube_ = std::move(*kube);
  cluster_ = std::make_unique<testing::BlockingCluster>(kube_->kubeconfig());
  http_ = std::make_unique<net::CurlClient>(clock_);
  kubelet_ = std::make_unique<testing::FakeKubelet>(cluster_->client(), *http_, *http_, clock_);
  if (auto played = kubelet_->Start(); !played) return played.error();
  const std::string root = ROLLGUARD_SOURCE_DIR;
  for (const char* file :
       {"/k8s/crds/rollguard.dev_guards.yaml", "/k8s/crds/rollguard.dev_rollbackrules.yaml",
        "/tests/e2e/crds/routes.yaml"}) {
    if (Status made = cluster_->CreateAll(testing::ReadFile(root + file)); !made) return made;
  }
  for (int i = 0; i < services; ++i) {
    for (bool bad : {true, false}) {
      Status made;
      PollUntil([&] { return (made = AddService(StrCat(bad ? "bad-" : "good-", i), bad)).ok(); },
                seconds(30), std::chrono::milliseconds(500));
      if (!made) return made;
    }
  }
  for (int i = 0; i < kReplicas; ++i) {
    Replica& replica = replicas_.emplace_back();
    replica.name = StrCat("agent-", i);
    replica.wire = std::make_unique<testing::CutProxy>(kube_->api_port());
    ::mkdir(DataDir(replica).c_str(), 0700);
    replica.disk = ::mount("tmpfs", DataDir(replica).c_str(), "tmpfs", 0, "size=8m") == 0;
    if (!StartReplica(replica)) return Error(ErrorCode::kUnavailable, "an agent did not start");
  }
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

Status Town::AddService(const std::string& ns, bool bad) {
  const std::string text = ReplaceAll(ReplaceAll(kService, "NS", ns), "PAUSE",
                                      bad ? "{duration: 10m}" : "{duration: 1s}");
  for (const Json& object : testing::ObjectsOf(text)) {
    auto made = cluster_->Create(object);
    if (!made && made.error().code != ErrorCode::kAlreadyExists) return made.error();
  }
  return {};
}

bool Town::StartReplica(Replica& replica) {
  const std::string folder = dir_.path() + "/" + replica.name;
  const std::string config = ReplaceAll(
      ReplaceAll(ReplaceAll(kAgent, "NAME", replica.name), "LEASE", StrCat(kLease.count(), "s")),
      "COUNT", StrCat(kShards));
  const std::string kubeconfig =
      ReplaceAll(testing::ReadFile(kube_->kubeconfig()), StrCat("127.0.0.1:", kube_->api_port()),
                 StrCat("127.0.0.1:", replica.wire->port()));
  replica.agent = testing::AgentProcess::Start(
      {"--config", dir_.Write(replica.name + ".yaml", config), "--kubeconfig",
       dir_.Write(replica.name + ".kubeconfig", kubeconfig), "--data-dir", folder,
       "--webhook-token", dir_.Write("token", "sesame\n")},
      folder + ".log");
  return replica.agent != nullptr;
}

int Town::Revive() {
  int revived = 0;
  for (Replica& replica : replicas_) {
    if (replica.agent && replica.agent->process().Running()) continue;
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
      [&] {
        ClusterRequest request;
        request.verb = Verb::kPatch;
        request.type = kube::resources::Deployments();
        request.ns = ns;
        request.name = "checkout";
        request.patch = PatchKind::kStrategic;
        request.field_manager = "owner";
        request.body = patch;
        return cluster_->Call(request).ok();
      },
      seconds(60), std::chrono::milliseconds(100));
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
  return testing::Ask(replica.agent->port(), "POST", "/api/v1/alerts",
                      AlertBody(ns, starts, clock_.Now(), firing),
                      {{"Authorization", "Bearer sesame"}})
             .status == 200;
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

}  // namespace rollguard::chaos
