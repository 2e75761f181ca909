// SPDX-License-Identifier: Apache-2.0
#include "tests/app/house.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "agent/spec/load.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

struct Name {
  std::string ns;
  std::string name;
};

Name Split(const std::string& id) {
  const size_t slash = id.find('/');
  return {id.substr(0, slash), id.substr(slash + 1)};
}

Json Object(const std::string& api_version, const std::string& kind, const Name& name,
            const std::string& spec) {
  Json metadata = Json::Obj({{"name", name.name}, {"namespace", name.ns}});
  return Json::Obj({{"apiVersion", api_version},
                    {"kind", kind},
                    {"metadata", std::move(metadata)},
                    {"spec", *ParseJson(ReplaceAll(spec, "NAME", name.name))}});
}

}  // namespace

bool Reads::Fails(const ResourceType& type) {
  const bool fails = fail && fail(type);
  if (fails) ++failed;
  return fails;
}

void Reads::Call(ClusterRequest request, ClusterDone done) {
  const bool read = request.verb == Verb::kGet || request.verb == Verb::kList;
  if (read && Fails(request.type)) {
    done(Error(ErrorCode::kUnavailable, "reads fail now"));
    return;
  }
  if (request.urgent)
    urgent.push_back(request.type.kind +
                     (request.subresource.empty() ? "" : "/" + request.subresource));
  inner_.Call(std::move(request), std::move(done));
}

WatchId Reads::Watch(WatchRequest request, WatchHandler handler) {
  return inner_.Watch(std::move(request), std::move(handler));
}

void Script::Contribute(const spec::Guard& guard, const release::GuardState& state,
                        release::Observation& observation) {
  observation.rollback_limit = rollback_limit;
  auto found = signals.find(guard.Id());
  if (found == signals.end() || !state.release) return;
  for (const release::Signal& signal : found->second) observation.signals.push_back(signal);
}

House::House(uint64_t seed) : world({.seed = seed}) {
  world.api().types().Add(kube::resources::Guards());
  AddType("networking.istio.io", "v1beta1", "virtualservices", "VirtualService");
  AddType("networking.istio.io", "v1beta1", "destinationrules", "DestinationRule");
}

House::~House() { KillAgent(); }

void House::AddType(const std::string& group, const std::string& version, const std::string& plural,
                    const std::string& kind) {
  if (world.api().types().Find(group, plural) == nullptr) {
    world.api().types().Add({group, version, plural, kind, true});
  }
}

void House::Load(const Json& object) {
  Status loaded = world.Load(object);
  if (!loaded) FAIL(loaded.error().message);
}

void House::AddService(const std::string& ns, const std::string& name) {
  const Name id{ns, name};
  Load(Object("apps/v1", "Deployment", id,
              R"({"replicas":4,"selector":{"matchLabels":{"app":"NAME"}},"template":{"metadata":
                 {"labels":{"app":"NAME"}},"spec":{"containers":[{"name":"app","image":"NAME:v1"}]
                 }}})"));
  Load(Object(
      "v1", "Service", id,
      R"({"selector":{"app":"NAME"},"ports":[{"name":"http","port":80,"targetPort":8080}]})"));
  Load(Object("networking.istio.io/v1beta1", "VirtualService", id,
              R"({"hosts":["NAME"],"http":[{"route":[{"destination":{"host":"NAME"}}]}]})"));
  Load(Object("networking.istio.io/v1beta1", "DestinationRule", id, R"({"host":"NAME"})"));
}

void House::AddGuard(const std::string& yaml) {
  spec::Library one;
  Diagnostics problems;
  spec::LoadText("guard.yaml", yaml, one, problems);
  for (const auto& d : problems.Sorted()) UNSCOPED_INFO(Render(d, yaml));
  REQUIRE_FALSE(problems.has_errors());
  REQUIRE(one.guards.size() == 1);
  const spec::Metadata& metadata = one.guards[0].metadata;
  Load(Json::Obj({{"apiVersion", spec::kApiVersion},
                  {"kind", "Guard"},
                  {"metadata", Json::Obj({{"name", metadata.name}, {"namespace", metadata.ns}})},
                  {"spec", yaml::ToJson(one.guards[0].raw)}}));
}

void House::StartAgent() {
  connection = world.Connect();
  auto fail = cluster != nullptr ? cluster->fail : nullptr;
  cluster = std::make_unique<Reads>(*connection);
  cluster->fail = fail;
  sim::Scheduler& s = world.scheduler();
  sources = std::make_unique<app::MetricsSources>(s);
  analysis = std::make_unique<app::AnalysisSensor>(s, s, *sources, *cluster, http);
  gates = std::make_unique<app::GateSensor>(s, s, http);
  app::ControllerPorts ports{.cluster = cluster.get(),
                             .timers = &s,
                             .clock = &s,
                             .executor = [](std::function<void()> fn) { fn(); },
                             .seed = 7};
  app::ControllerParts parts{.sensors = {&script, analysis.get(), gates.get()},
                             .listeners = {this},
                             .analysis = analysis.get(),
                             .gates = gates.get(),
                             .environments = environments,
                             .owns = {}};
  parts.ownership = ownership;
  controller = std::make_unique<app::Controller>(std::move(ports), std::move(parts));
  analysis->Attach(controller.get());
  gates->Attach(controller.get());
  controller->SetLibrary(library);
  controller->Start();
}

void House::KillAgent() {
  if (connection != nullptr) connection->Crash();
  controller.reset();
  gates.reset();
  analysis.reset();
}

bool House::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Time end = world.scheduler().Now() + limit;
  while (!done()) {
    if (world.scheduler().Now() >= end) return false;
    Run(std::chrono::seconds(1));
  }
  return true;
}

void House::Patch(const std::string& kind, const std::string& id, const std::string& merge_patch) {
  ClusterRequest request;
  request.verb = Verb::kPatch;
  for (const sim::TypeInfo* type : world.api().types().All()) {
    if (type->type.kind == kind) request.type = type->type;
  }
  request.ns = Split(id).ns;
  request.name = Split(id).name;
  request.field_manager = "someone";
  request.body = *ParseJson(merge_patch);
  auto done = world.api().Call(request);
  if (!done) FAIL(done.error().message);
}

void House::SetImage(const std::string& id, const std::string& image) {
  Patch("Deployment", id,
        StrCat(R"({"spec":{"template":{"spec":{"containers":[{"name":"app","image":")", image,
               R"("}]}}}})"));
}

release::CommandAnswer House::Say(const std::string& id, release::Command::Verb verb,
                                  const std::string& actor,
                                  const std::vector<std::string>& groups) {
  release::Command command;
  command.id = StrCat("c", ++commands_);
  command.verb = verb;
  command.actor = actor;
  command.groups = groups;
  command.at = world.scheduler().Now();
  release::CommandAnswer answer;
  bool answered = false;
  controller->Tell(id, command, [&](release::CommandAnswer a) {
    answer = std::move(a);
    answered = true;
  });
  RunUntil([&] { return answered; }, std::chrono::minutes(1));
  REQUIRE(answered);
  return answer;
}

void House::Fire(const std::string& id, spec::TriggerAction action) {
  release::Signal signal;
  signal.name = "Bad";
  signal.state = release::Signal::State::kFiring;
  signal.action = action;
  signal.reason = "it is bad";
  signal.since = world.scheduler().Now();
  script.signals[id] = {signal};
  controller->Touch(id);
}

void House::Calm() { script.signals.clear(); }

release::GuardState House::State(const std::string& id) {
  auto found = controller->Find(id);
  return found ? found->state : release::GuardState{};
}

std::string House::Reasons(const std::string& id) {
  auto found = controller->Find(id);
  return found ? StrCat(Join(found->reasons, "; "), found->problem) : "no such guard";
}

bool House::Outcome(const std::string& id, const std::string& outcome, Duration limit) {
  return RunUntil(
      [&] {
        const release::GuardState state = State(id);
        return state.phase == release::Phase::kIdle && state.last && state.last->outcome == outcome;
      },
      limit);
}

Json House::Get(const std::string& kind, const std::string& id) {
  for (const sim::TypeInfo* type : world.api().types().All()) {
    if (type->type.kind != kind) continue;
    auto object =
        world.api().Get(type->type.group, type->type.plural, Split(id).ns, Split(id).name);
    if (object) return *object;
  }
  return {};
}

int64_t House::PodsOf(const std::string& image) {
  int64_t count = 0;
  for (const auto& pod : world.api().List("", "pods", "")) {
    if (pod->At("metadata", "deletionTimestamp").is_string()) continue;
    count += pod->At("spec", "containers").At(size_t{0}).At("image").Str() == image ? 1 : 0;
  }
  return count;
}

int64_t House::WeightOf(const std::string& id) {
  int64_t weight = 0;
  const Json service = Get("VirtualService", id);
  for (const Json& rule : service.At("spec", "http").items()) {
    for (const Json& to : rule.At("route").items()) {
      if (to.At("destination", "subset").Str() == "candidate")
        weight = std::max(weight, to.At("weight").IntOr(0));
    }
  }
  return weight;
}

void House::Decided(const spec::Guard& guard, const release::Decision& decision) {
  trace.push_back(StrCat(FormatRfc3339(decision.at), " ", guard.Id(), " [", decision.phase, "] ",
                         release::ToString(decision.verdict), ": ", decision.reason));
}

void House::Told(const spec::Guard& guard, const release::Notify& notice) {
  told.push_back(StrCat(guard.Id(), " ", notice.event));
}

std::string CanaryGuard(const std::string& ns, const std::string& name, const std::string& steps,
                        const std::string& rest) {
  return StrCat("apiVersion: rollguard.dev/v1alpha1\nkind: Guard\nmetadata: {name: ", name,
                ", namespace: ", ns, "}\nspec:\n  target: {name: ", name,
                "}\n  bake: 10s\n  strategy:\n    canary: {stableService: ", name,
                ", routing: [{istio: {virtualService: ", name, ", destinationRule: {name: ", name,
                "}}}], steps: [", steps, "]}\n",
                rest.find("rollback:") == std::string::npos
                    ? "  rollback: {verify: {for: 10s}, cooldown: 0s}\n"
                    : "",
                rest);
}

}  // namespace rollguard::testing
