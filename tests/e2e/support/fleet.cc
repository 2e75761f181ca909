// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/support/fleet.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "agent/app/mirror.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/support/free_port.h"

namespace rollguard::testing {
namespace {

using std::chrono::seconds;

constexpr const char* kAgentYaml = R"(kind: AgentConfig
cluster: {qps: 2000, burst: 2000}
limits: {maxTriggers: 1000, maxShare: 1, maxRollbacksPerHour: 1000}
auth: {tokens: [{name: reader, tokenFile: reader.token, verbs: ["*"]}]}
)";

Json CrdOf(const ResourceType& type, bool with_status) {
  Json schema = Json::Obj({{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}});
  Json version = Json::Obj({{"name", type.version},
                            {"served", true},
                            {"storage", true},
                            {"schema", Json::Obj({{"openAPIV3Schema", schema}})}});
  if (with_status) version.Set("subresources", Json::Obj({{"status", Json::Obj()}}));
  return Json::Obj(
      {{"apiVersion", "apiextensions.k8s.io/v1"},
       {"kind", "CustomResourceDefinition"},
       {"metadata", Json::Obj({{"name", StrCat(type.plural, ".", type.group)},
                               {"annotations", Json::Obj({{"api-approved.kubernetes.io",
                                                           "unapproved, only for tests"}})}})},
       {"spec", Json::Obj({{"group", type.group},
                           {"scope", type.namespaced ? "Namespaced" : "Cluster"},
                           {"names", Json::Obj({{"kind", type.kind},
                                                {"listKind", type.kind + "List"},
                                                {"plural", type.plural},
                                                {"singular", ToLower(type.kind)}})},
                           {"versions", Json::Arr({version})}})}});
}

// Durations of the simulation, which has its own time, made short.
std::string Quick(std::string strategy) {
  for (const char* duration : {"10s", "15s", "60s"})
    strategy = ReplaceAll(strategy, StrCat(": ", duration), ": 1s");
  return strategy;
}

// The same strategy, stopping where it can be judged.
Json Waiting(Json strategy) {
  for (auto& [kind, body] : strategy.members()) {
    if (body.Find("steps") != nullptr) {
      Json steps = Json::Arr();
      for (const Json& step : body.At("steps").items()) {
        if (step.Find("approval") == nullptr) steps.Push(step);
      }
      steps.Push(Json::Obj({{"pause", Json::Obj()}}));
      body.Set("steps", steps);
    }
    if (kind == "abTest") body.Set("interval", "10m");
    if (kind == "mirror") body.Set("duration", "10m");
  }
  return strategy;
}

void SetDelays(Json& strategy) {
  for (auto& [kind, body] : strategy.members()) {
    if (kind == "canary") {
      body.Set("abortScaleDownDelay", "0s");
      body.Set("scaleDownDelay", "0s");
    }
  }
}

// The last share that the steps give the candidate.
int64_t LastWeight(const Json& strategy) {
  int64_t weight = 0;
  for (const auto& [kind, body] : strategy.members()) {
    for (const Json& step : body.At("steps").items()) weight = step.At("setWeight").IntOr(weight);
  }
  return weight;
}

Json StrategyOf(const simulation::Setup& setup) { return ObjectsOf(Quick(setup.strategy))[0]; }

ResourceType TypeOf(const Json& object) { return app::TypeOf(app::IdOf(object)); }

std::string KeyOf(const Json& object) {
  return StrCat(object.At("kind").Str(), "/", object.At("metadata", "name").Str());
}

void Complain(const Expected<Json>& made) {
  if (!made && made.error().code != ErrorCode::kAlreadyExists)
    std::fprintf(stderr, "%s\n", made.error().message.c_str());
}

}  // namespace

std::string Kubeconfig() {
  const char* value = std::getenv("KUBECONFIG");
  return value != nullptr ? value : "";
}

Fleet::Fleet() : proxy_(Kubeconfig()), cluster_(Kubeconfig()), agent_port_(FreePort()) {
  static int fleets = 0;
  number_ = ++fleets;
  for (const char* name : {"rollguard.dev_guards.yaml", "rollguard.dev_rollbackrules.yaml"}) {
    for (const Json& crd : ObjectsOf(ReadFile(StrCat(ROLLGUARD_SOURCE_DIR, "/k8s/crds/", name))))
      Complain(cluster_.Create(crd));
  }
  InstallKinds({});
}

bool Fleet::InstallKinds(const std::vector<ResourceType>& types, bool with_status) {
  std::vector<std::string> wanted = {"guards.rollguard.dev", "rollbackrules.rollguard.dev"};
  for (const ResourceType& type : types) {
    Complain(cluster_.Create(CrdOf(type, with_status)));
    wanted.push_back(StrCat(type.plural, ".", type.group));
  }
  return PollUntil(
      [&] {
        return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& name) {
          Json crd = cluster_.Get(kube::resources::CustomResourceDefinitions(), "", name);
          for (const Json& condition : crd.At("status", "conditions").items()) {
            if (condition.At("type").Str() == "Established" &&
                condition.At("status").Str() == "True")
              return true;
          }
          return false;
        });
      },
      seconds(60));
}

Member& Fleet::Add(const std::string& setup_name) {
  auto member = std::make_unique<Member>();
  member->setup = simulation::FindSetup(setup_name);
  if (member->setup == nullptr) {
    std::fprintf(stderr, "there is no setup %s\n", setup_name.c_str());
    std::exit(1);
  }
  InstallKinds(member->setup->types);
  // One cluster serves several test programs: none meets what another left.
  member->ns = ReplaceAll(
      ReplaceAll(StrCat("e2e", number_, "-", getpid(), "-", ToLower(setup_name)), " ", "-"), "/",
      "-");
  Complain(cluster_.Create(Json::Obj({{"apiVersion", "v1"},
                                      {"kind", "Namespace"},
                                      {"metadata", Json::Obj({{"name", member->ns}})}})));
  for (const std::string& text : member->setup->objects)
    member->objects.push_back(ObjectsOf(text)[0]);
  member->objects.push_back(simulation::WorkloadOf(*member->setup, simulation::kApp, 2));
  if (member->setup->second)
    member->objects.push_back(simulation::WorkloadOf(*member->setup, "checkout-b", 0));
  for (Json& object : member->objects) {
    object["metadata"].Set("namespace", member->ns);
    auto made = cluster_.Create(object);
    Complain(made);
    if (made) member->before[KeyOf(object)] = *made;
  }
  members_.push_back(std::move(member));
  return *members_.back();
}

bool Fleet::StartAgent() {
  const std::string reader = dir_.Write("reader.token", "reader\n");
  agent_ = AgentProcess::Start(
      {"--config", dir_.Write("agent.yaml", ReplaceAll(kAgentYaml, "reader.token", reader)),
       "--listen", StrCat("127.0.0.1:", agent_port_), "--kubeconfig", proxy_.kubeconfig(),
       "--data-dir", dir_.path() + "/data", "--webhook-token", dir_.Write("token", "sesame\n")},
      dir_.path() + "/agent.log");
  return agent_ != nullptr && agent_->AwaitReady();
}

void Fleet::KillAgent() {
  if (!agent_) return;
  agent_->process().Signal(SIGKILL);
  agent_->process().Wait();
  agent_.reset();
}

Status Fleet::PutGuard(const Member& member, bool waits) {
  Json strategy = StrategyOf(*member.setup);
  if (waits) strategy = Waiting(std::move(strategy));
  SetDelays(strategy);
  Json guard = ObjectsOf(StrCat(R"(
apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: checkout, namespace: )",
                                member.ns, R"(}
spec:
  progressDeadline: 5m
  rollback:
    alerts: [{matchers: ['severity="critical"'], action: rollback}]
    verify: {for: 1s}
    maxPerHour: 100
    cooldown: 0s
)"))[0];
  guard["spec"].Set("target", Json::Obj({{"apiVersion", "apps/v1"},
                                         {"kind", member.setup->kind},
                                         {"name", simulation::kApp}}));
  guard["spec"].Set("bake", waits ? "10m" : "1s");
  guard["spec"].Set("strategy", std::move(strategy));
  auto made = cluster_.Apply(guard);
  return made ? Status() : Status(made.error());
}

void Fleet::SetVersion(const Member& member, const std::string& version) {
  // A release changes the idle one of two Deployments.
  std::string name = simulation::kApp;
  if (member.setup->second && !StatusOf(member).At("swapped").BoolOr(false)) name = "checkout-b";
  Json object = simulation::WorkloadOf(*member.setup, name, 0);
  Json patch = Json::Obj({{"spec", Json::Obj({{"template", Json::Obj({{"spec", Json::Obj()}})}})}});
  patch["spec"]["template"]["spec"].Set("containers",
                                        simulation::TemplateOf(version).At("spec", "containers"));
  Complain(cluster_.Patch(TypeOf(object), member.ns, name, patch));
}

PlainAnswer Fleet::PostAlert(const Member& member, const std::string& name) {
  return PostAlertAbout(member.ns + "/checkout", name);
}

PlainAnswer Fleet::PostAlertAbout(const std::string& guard, const std::string& name,
                                  bool resolved) {
  const Time now = RealClock().Now();
  Time& since = firing_[StrCat(guard, " ", name)];
  if (!resolved) since = now + Duration(++alerts_ % 2);
  const char* status = resolved ? "resolved" : "firing";
  const std::string body = StrCat(
      R"({"version":"4","status":")", status, R"(","groupKey":"g","alerts":[{"status":")", status,
      R"(","labels":{"alertname":")", name, R"(","severity":"critical","rollguard_guard":")", guard,
      R"("},"annotations":{},"startsAt":")", FormatRfc3339(since), R"(","endsAt":")",
      resolved ? FormatRfc3339(now) : std::string("0001-01-01T00:00:00Z"), R"("}]})");
  return testing::Ask(agent_->port(), "POST", "/api/v1/alerts", body,
                      {{"Authorization", "Bearer sesame"}});
}

Json Fleet::StatusOf(const Member& member) {
  return cluster_.Get(kube::resources::Guards(), member.ns, "checkout").At("status");
}

Json Fleet::Workload(const Member& member) {
  return cluster_.Get(TypeOf(simulation::WorkloadOf(*member.setup, simulation::kApp, 0)), member.ns,
                      simulation::kApp);
}

Json Fleet::Current(const Member& member, const Json& object) {
  return cluster_.Get(TypeOf(object), member.ns, object.At("metadata", "name").Str());
}

std::string Fleet::AwaitAll(const std::function<bool(const Member&)>& holds,
                            std::chrono::milliseconds limit) {
  std::vector<const Member*> left;
  for (const auto& member : members_) left.push_back(member.get());
  PollUntil(
      [&] {
        std::erase_if(left, [&](const Member* member) { return holds(*member); });
        return left.empty();
      },
      limit, std::chrono::milliseconds(200));
  std::string names;
  for (const Member* member : left) {
    Json status = StatusOf(*member);
    status.Erase("decisions");
    names += StrCat(member->setup->name, ": ", status.Dump(), "\n");
  }
  return names;
}

bool Fleet::AtRest(const Member& member, const std::string& outcome) {
  Json status = StatusOf(member);
  if (status.At("phase").Str() != "Idle") return false;
  if (!outcome.empty() && status.At("last", "outcome").Str() != outcome) return false;
  return !member.held() || member.swaps() || Workload(member).At("spec", "paused").BoolOr(false);
}

bool Fleet::Waits(const Member& member) {
  const Json status = StatusOf(member);
  const std::string phase = status.At("phase").Str();
  const int64_t weight = status.At("release", "weight").IntOr(0);
  if (member.setup->rolling()) return phase == "Baking";
  if (member.setup->strategy.starts_with("blueGreen")) return phase == "Baking";
  return phase == "Progressing" && weight == LastWeight(StrategyOf(*member.setup)) &&
         status.At("release", "step").IntOr(0) + 1 >=
             static_cast<int64_t>(
                 Waiting(StrategyOf(*member.setup)).members()[0].second.At("steps").size());
}

std::vector<std::string> Fleet::Images(const Member& member) {
  std::vector<std::string> images;
  for (const Json& pod : cluster_.List(kube::resources::Pods(), member.ns)) {
    if (pod.At("metadata").Find("deletionTimestamp") == nullptr)
      images.push_back(pod.At("spec", "containers").At(size_t{0}).At("image").Str());
  }
  return images;
}

}  // namespace rollguard::testing
