// SPDX-License-Identifier: Apache-2.0
#include "tests/k8s/permissions.h"

#include <algorithm>
#include <filesystem>

#include "agent/app/simulation.h"
#include "agent/base/text.h"
#include "agent/kube/call.h"
#include "agent/kube/resources.h"
#include "agent/proof/stage.h"
#include "agent/spec/load.h"
#include "agent/yaml/yaml.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::shipped {
namespace {

std::string Source(const std::string& path) { return StrCat(ROLLGUARD_SOURCE_DIR, "/", path); }

class RecordingCluster : public Cluster {
 public:
  explicit RecordingCluster(Cluster& inner) : inner_(inner) {}
  void Call(ClusterRequest request, ClusterDone done) override {
    std::string resource = request.type.plural;
    if (!request.subresource.empty()) resource += StrCat("/", request.subresource);
    asked.insert(StrCat(request.type.group, "/", resource, " ", kube::VerbName(request.verb)));
    inner_.Call(std::move(request), std::move(done));
  }
  WatchId Watch(WatchRequest request, WatchHandler handler) override {
    asked.insert(StrCat(request.type.group, "/", request.type.plural, " watch"));
    return inner_.Watch(std::move(request), std::move(handler));
  }
  void CancelWatch(WatchId id) override { inner_.CancelWatch(id); }

  Permissions asked;

 private:
  Cluster& inner_;
};

// The example with waits of seconds: what it asks for does not depend on them.
std::string Hurried(std::string text) {
  for (const char* wait : {"30m", "20m", "10m", "5m", "4h", "2m"})
    text = ReplaceAll(text, StrCat(": ", wait), ": 20s");
  return text;
}

// One guard's life.
class Life {
 public:
  explicit Life(const std::string& guard_file)
      : world_(sim::WorldOptions{.seed = 3}), metrics_(world_.scheduler()) {
    Diagnostics problems;
    for (const std::string& rules : FilesIn("rules"))
      spec::LoadText(rules, testing::ReadFile(Source(rules)), library_, problems);
    spec::LoadText(guard_file, Hurried(testing::ReadFile(Source(guard_file))), library_, problems);
    auto guard = spec::Resolve(library_.guards.at(0), library_, problems);
    REQUIRE(guard.has_value());
    guard_ = std::move(*guard);
  }

  std::string Play() {
    proof::Scenario scenario;
    scenario.service = {.replicas = 2, .max_replicas = 6, .requests_per_second = 50};
    auto stage = proof::SetStage(guard_, scenario);
    if (!stage) return stage.error().message;
    world_.api().types().Add(kube::resources::Guards());
    for (const ResourceType& type : stage->types) {
      if (world_.api().types().FindKind(type.group, type.kind) == nullptr)
        world_.api().types().Add(type);
    }
    for (const Json& object : stage->objects) {
      if (Status loaded = world_.Load(object); !loaded) return loaded.error().message;
    }
    if (Status loaded = world_.Load(GuardObject()); !loaded) return loaded.error().message;
    world_.traffic().SetSink(&metrics_);
    world_.traffic().Add(stage->flow);
    world_.traffic().Start();
    connection_ = world_.Connect(sim::FaultPlan::None());
    cluster_ = std::make_unique<RecordingCluster>(*connection_);
    agent_ = std::make_unique<app::SimAgent>(world_.scheduler(), *cluster_, metrics_, history_,
                                             library_, std::vector<app::Listener*>{}, 4);
    world_.scheduler().RunFor(std::chrono::minutes(3));
    Release("v2");
    world_.scheduler().RunFor(std::chrono::minutes(14));
    Release("v3");
    world_.scheduler().RunFor(std::chrono::seconds(50));
    SendAlert();
    world_.scheduler().RunFor(std::chrono::minutes(5));
    Change(Verb::kDelete, kube::resources::Guards(), guard_.metadata.name, {});
    world_.scheduler().RunFor(std::chrono::minutes(2));
    return {};
  }

  Permissions Asked() const { return cluster_ ? cluster_->asked : Permissions(); }

 private:
  Json GuardObject() const {
    return Json::Obj({{"apiVersion", spec::kApiVersion},
                      {"kind", "Guard"},
                      {"metadata", Json::Obj({{"name", guard_.metadata.name},
                                              {"namespace", guard_.metadata.ns}})},
                      {"spec", yaml::ToJson(guard_.raw)}});
  }

  void Change(Verb verb, const ResourceType& type, const std::string& name, Json body) {
    ClusterRequest request;
    request.verb = verb;
    request.type = type;
    request.ns = guard_.metadata.ns;
    request.name = name;
    request.body = std::move(body);
    changed_ = world_.api().Call(request).ok();
  }

  void Release(const std::string& revision) {
    Change(Verb::kPatch, app::TypeOf(release::TargetId(guard_)), guard_.target.name,
           Json::Obj({{"spec", Json::Obj({{"template", proof::TemplateFor(guard_, revision)}})}}));
  }

  void SendAlert() {
    alerts::Alert alert;
    alert.labels = {
        {"alertname", "OrdersDropped"}, {"rollguard_guard", guard_.Id()}, {"severity", "critical"}};
    alert.starts_at = world_.scheduler().Now();
    alert.fingerprint = alerts::FingerprintOf(alert.labels);
    agent_->alerts().Receive({alert});
  }

  sim::World world_;
  sim::SimMetrics metrics_;
  history::MemoryHistory history_;
  spec::Library library_;
  spec::Guard guard_;
  std::unique_ptr<sim::SimCluster> connection_;
  std::unique_ptr<RecordingCluster> cluster_;
  std::unique_ptr<app::SimAgent> agent_;
  bool changed_ = false;
};

void AddRules(const Json& role, Permissions& out) {
  for (const Json& rule : role.At("rules").items()) {
    for (const Json& group : rule.At("apiGroups").items()) {
      for (const Json& resource : rule.At("resources").items()) {
        for (const Json& verb : rule.At("verbs").items())
          out.insert(StrCat(group.Str(), "/", resource.Str(), " ", verb.Str()));
      }
    }
  }
}

}  // namespace

std::vector<Json> DocumentsOf(const std::string& file) {
  Diagnostics problems;
  std::vector<Json> out;
  for (const yaml::Node& node : yaml::Parse(file, testing::ReadFile(Source(file)), problems))
    out.push_back(yaml::ToJson(node));
  INFO(file);
  REQUIRE_FALSE(problems.has_errors());
  return out;
}

std::vector<std::string> FilesIn(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(Source(folder))) {
    if (entry.path().extension() == ".yaml")
      files.push_back(StrCat(folder, "/", entry.path().filename().string()));
  }
  std::sort(files.begin(), files.end());
  REQUIRE_FALSE(files.empty());
  return files;
}

Permissions GrantedBy(const std::vector<std::string>& files) {
  Permissions out;
  for (const std::string& file : files) {
    for (const Json& document : DocumentsOf(file)) {
      const std::string kind = document.At("kind").Str();
      if (kind == "ClusterRole" || kind == "Role") AddRules(document, out);
    }
  }
  return out;
}

Permissions AskedBy(const std::string& guard_file, std::string& problem) {
  Life life(guard_file);
  problem = life.Play();
  return life.Asked();
}

const std::vector<Asked>& AskedElsewhere() {
  static const std::vector<Asked> kAsked = {
      {"rollguard.dev/rollbackrules list", "rules as objects (agent/serve/object_library)"},
      {"rollguard.dev/rollbackrules watch", "the same"},
      {"rollguard.dev/rollbackpolicies list", "policies as objects"},
      {"rollguard.dev/rollbackpolicies watch", "the same"},
      {"rollguard.dev/releasestrategies list", "strategies as objects"},
      {"rollguard.dev/releasestrategies watch", "the same"},
      {"rollguard.dev/strategymatrices list", "the matrix as an object"},
      {"rollguard.dev/strategymatrices watch", "the same"},
      {"argoproj.io/analysistemplates list", "Argo's templates, where they are installed"},
      {"argoproj.io/analysistemplates watch", "the same"},
      {"argoproj.io/clusteranalysistemplates list", "the same"},
      {"argoproj.io/clusteranalysistemplates watch", "the same"},
      {"authentication.k8s.io/tokenreviews create", "who calls (agent/kube/reviews)"},
      {"authorization.k8s.io/subjectaccessreviews create", "what they may do"},
      {"events.k8s.io/events create", "telling people (agent/kube/events)"},
      {"coordination.k8s.io/leases get", "shards (app/shard_keeper)"},
      {"coordination.k8s.io/leases list", "the same"},
      {"coordination.k8s.io/leases watch", "the same"},
      {"coordination.k8s.io/leases delete", "the same: its own, when it stops"},
      {"coordination.k8s.io/leases create", "the same"},
      {"coordination.k8s.io/leases update", "the same"},
      {"/pods delete", "pods of a StatefulSet that crash are replaced in a rollback"},
      {"/secrets get", "secrets that templates and health checks name; a snapshot that was there"},
      {"/secrets create", "snapshots of what a revision runs with (release/configs)"},
      {"/secrets patch", "and putting them back"},
      {"/secrets delete", "snapshots that nobody goes back to any more"},
      {"/services create", "a candidate's Service when there is none (agent/routing/services)"},
      {"/services delete", "and taken away again"},
      {"/configmaps create", "one that was deleted comes back with its revision"},
      {"/configmaps patch", "putting the configuration back with its revision"},
      {"batch/jobs create", "hooks, and measurements that are Jobs"},
      {"batch/jobs get", "measurements that are Jobs are asked for (app/analysis_sensor)"},
      {"batch/jobs list", "the same"},
      {"batch/jobs watch", "the same"},
      {"traefik.io/traefikservices list",
       "routers the rehearsal's stage does not set: agent/routing"},
      {"traefik.io/traefikservices watch", "the same"},
      {"traefik.io/traefikservices patch", "the same"},
      {"projectcontour.io/httpproxies list", "the same"},
      {"projectcontour.io/httpproxies watch", "the same"},
      {"projectcontour.io/httpproxies patch", "the same"},
      {"apisix.apache.org/apisixroutes list", "the same"},
      {"apisix.apache.org/apisixroutes watch", "the same"},
      {"apisix.apache.org/apisixroutes patch", "the same"},
      {"split.smi-spec.io/trafficsplits list", "the same"},
      {"split.smi-spec.io/trafficsplits watch", "the same"},
      {"split.smi-spec.io/trafficsplits create", "made when there is none"},
      {"split.smi-spec.io/trafficsplits patch", "the same"},
      {"split.smi-spec.io/trafficsplits delete", "and taken away again"},
      {"argoproj.io/rollouts list", "Rollouts are watched (strategy external)"},
      {"argoproj.io/rollouts watch", "the same"},
      {"argoproj.io/rollouts patch", "undo, pause (release/argo)"},
      {"argoproj.io/rollouts/status patch", "abort, promote (release/argo)"},
      {"flagger.app/canaries list", "Canaries are watched (strategy external)"},
      {"flagger.app/canaries watch", "the same"},
  };
  return kAsked;
}

}  // namespace rollguard::shipped
