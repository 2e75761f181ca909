// SPDX-License-Identifier: Apache-2.0
#include "tests/release/drive.h"

#include <algorithm>
#include <deque>

#include "agent/base/text.h"
#include "agent/release/replay.h"
#include "agent/spec/load.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

constexpr const char* kNs = "shop";
using release::Phase;

}  // namespace

spec::Guard GuardFrom(const std::string& yaml) {
  spec::Library library;
  Diagnostics diagnostics;
  spec::LoadText("guard.yaml", yaml, library, diagnostics);
  for (const auto& d : diagnostics.Sorted()) UNSCOPED_INFO(Render(d, yaml));
  REQUIRE_FALSE(diagnostics.has_errors());
  REQUIRE(library.guards.size() == 1);
  auto guard = spec::Resolve(library.guards[0], library, diagnostics);
  for (const auto& d : diagnostics.Sorted()) UNSCOPED_INFO(Render(d, yaml));
  REQUIRE(guard.has_value());
  return *guard;
}

std::string DeploymentJson(const std::string& name, int replicas, const std::string& image) {
  return StrCat(
      R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":")", name,
      R"(","namespace":"shop","labels":{"app":"checkout"}},"spec":{"replicas":)", replicas,
      R"(,"selector":{"matchLabels":{"app":"checkout"}},"template":{"metadata":{"labels":)",
      R"({"app":"checkout"}},"spec":{"containers":[{"name":"app","image":")", image, R"("}]}}}})");
}

std::string ServiceJson(const std::string& name) {
  return StrCat(R"({"apiVersion":"v1","kind":"Service","metadata":{"name":")", name,
                R"(","namespace":"shop"},"spec":{"selector":{"app":"checkout"},"ports":[)",
                R"({"name":"http","port":80,"targetPort":8080}]}})");
}

Drive::Drive(const std::string& guard_yaml, uint64_t seed)
    : world({.seed = seed}), guard(GuardFrom(guard_yaml)), random_(seed) {
  // What is made for a guard belongs to it: it must be there.
  AddType("rollguard.dev", "v1alpha1", "guards", "Guard");
  Load(StrCat(R"({"apiVersion":"rollguard.dev/v1alpha1","kind":"Guard","metadata":{"name":")",
              guard.metadata.name, R"(","namespace":")", guard.metadata.ns, R"("}})"));
  guard.metadata.uid = world.api()
                           .Get("rollguard.dev", "guards", guard.metadata.ns, guard.metadata.name)
                           ->At("metadata", "uid")
                           .Str();
  AddType("networking.istio.io", "v1beta1", "virtualservices", "VirtualService");
  AddType("networking.istio.io", "v1beta1", "destinationrules", "DestinationRule");
  AddType("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute");
  AddType("networking.k8s.io", "v1", "ingresses", "Ingress");
}

void Drive::AddType(const std::string& group, const std::string& version, const std::string& plural,
                    const std::string& kind) {
  if (world.api().types().Find(group, plural) == nullptr) {
    world.api().types().Add({group, version, plural, kind, true});
  }
}

void Drive::Load(const std::string& json) {
  auto parsed = ParseJson(json);
  REQUIRE(parsed.ok());
  Status loaded = world.Load(*parsed);
  if (!loaded) FAIL(loaded.error().message);
}

const sim::TypeInfo* Drive::TypeOf(const release::ObjectId& id) {
  const size_t slash = id.api_version.find('/');
  const std::string group = slash == std::string::npos ? "" : id.api_version.substr(0, slash);
  return world.api().types().FindKind(group, id.kind);
}

Json Drive::Get(const std::string& kind, const std::string& name) {
  for (const sim::TypeInfo* type : world.api().types().All()) {
    if (type->type.kind != kind) continue;
    auto object = world.api().Get(type->type.group, type->type.plural, kNs, name);
    if (object) return *object;
  }
  return {};
}

bool Drive::Exists(const std::string& kind, const std::string& name) {
  return Get(kind, name).is_object();
}

int64_t Drive::PodsOf(const std::string& image, bool ready) {
  int64_t count = 0;
  for (const auto& pod : world.api().List("", "pods", kNs)) {
    if (pod->At("metadata", "deletionTimestamp").is_string()) continue;
    if (pod->At("spec", "containers").At(size_t{0}).At("image").Str() != image) continue;
    bool is_ready = false;
    for (const Json& c : pod->At("status", "conditions").items()) {
      is_ready = is_ready || (c.At("type").Str() == "Ready" && c.At("status").Str() == "True");
    }
    if (!ready || is_ready) ++count;
  }
  return count;
}

void Drive::SetImage(const std::string& image) {
  Json patch = Json::Arr({Json::Obj(
      {{"op", "replace"}, {"path", "/spec/template/spec/containers/0/image"}, {"value", image}})});
  ClusterRequest request;
  request.verb = Verb::kPatch;
  request.type = TypeOf(release::TargetId(guard))->type;
  request.ns = kNs;
  request.name = guard.target.name;
  request.patch = PatchKind::kJson;
  request.body = patch;
  auto done = world.api().Call(request);
  if (!done) FAIL(done.error().message);
}

// An agent whose status is old must be told so before it undoes what another has done: by the write
// of the status that comes before what follows from a target or routes that are news.
void Drive::CheckWrittenFirst(const release::Observation& seen, const release::StepResult& result) {
  std::string views = StrCat(seen.target.uid, " ", seen.target.resource_version);
  for (const auto& [id, object] : seen.objects)
    if (object != nullptr) views += " " + object->At("metadata", "resourceVersion").Str();
  const bool news = !seen.stale && views != written_views_;
  if (result.state_changed) written_views_ = views;
  for (const release::Action& action : result.actions) {
    if (news && !result.state_changed && release::ChangesCluster(action))
      violations.push_back("no state is written before what follows from news: " +
                           release::Describe(action));
  }
}

release::StepResult Drive::Look() {
  auto round_trip = release::StateFromJson(release::ToJson(state));
  REQUIRE(round_trip.ok());
  std::deque<std::shared_ptr<const Json>> keep;
  release::WorldObjects objects;
  auto get = [&](const release::ObjectId& id) -> const Json* {
    const sim::TypeInfo* type = TypeOf(id);
    if (type == nullptr) return nullptr;
    auto object = world.api().Get(type->type.group, type->type.plural, id.ns, id.name);
    if (!object) return nullptr;
    keep.push_back(object);
    return keep.back().get();
  };
  auto list = [&](const char* group, const char* plural, std::vector<const Json*>& out) {
    for (const auto& object : world.api().List(group, plural, kNs)) {
      keep.push_back(object);
      out.push_back(keep.back().get());
    }
  };
  objects.target = get(release::TargetId(guard));
  objects.candidate = get(release::CandidateId(guard));
  list("apps", "replicasets", objects.revisions);
  list("apps", "controllerrevisions", objects.revisions);
  list("", "pods", objects.pods);
  list("batch", "jobs", objects.jobs);
  for (const auto& id : release::WatchedObjects(guard, *round_trip)) {
    if (const Json* object = get(id)) objects.others.push_back(object);
  }
  if (objects.target != nullptr) {
    for (const auto& id : release::ConfigsOf(guard, objects.target->At("spec", "template"))) {
      auto shown = late.find(id.name);
      if (shown != late.end()) {
        objects.configs.push_back(&shown->second);
      } else if (const Json* object = get(id)) {
        objects.configs.push_back(object);
      }
    }
  }
  std::vector<const Json*> hpas;
  list("autoscaling", "horizontalpodautoscalers", hpas);
  for (const Json* hpa : hpas) {
    const std::string name = hpa->At("spec", "scaleTargetRef", "name").Str();
    if (name == guard.target.name) objects.hpa = hpa;
    if (name == release::CandidateName(guard)) objects.candidate_hpa = hpa;
  }
  release::Observation seen =
      release::Observe(guard, *round_trip, objects, world.scheduler().Now(), cache_);
  seen.configs.read_for = read_for_;
  seen.deleting = extra.deleting;
  seen.start = extra.start;
  seen.peers = extra.peers;
  seen.blind = extra.blind;
  seen.health = extra.health;
  seen.rollback_limit = extra.rollback_limit;
  if (extra.stale) {  // nothing of the cluster is seen
    const Time now = seen.now;
    seen = {};
    seen.now = now;
    seen.stale = true;
  }
  seen.signals = signals;
  seen.runs = runs_;
  seen.gates = gates_;
  seen.commands = commands_;
  release::StepResult result = release::Step(guard, *round_trip, seen);
  // Asked again with the same, Step must answer the same.
  release::StepResult again = release::Step(guard, *round_trip, seen);
  if (release::ToJson(again.state).Dump() != release::ToJson(result.state).Dump()) {
    violations.push_back("Step is not deterministic");
  }
  // A state that did not change is not said to have changed, and the other way round.
  const bool differs = release::ToJson(result.state).Dump() != release::ToJson(*round_trip).Dump();
  if (differs && !result.state_changed) violations.push_back("a change of state was not announced");
  CheckWrittenFirst(seen, result);
  CheckReplay(*round_trip, seen, result);
  return result;
}

void Drive::CheckReplay(const release::GuardState& before, const release::Observation& seen,
                        const release::StepResult& result) {
  const bool decides =
      std::any_of(result.actions.begin(), result.actions.end(), [](const release::Action& action) {
        return std::holds_alternative<release::RecordDecision>(action);
      });
  if (!decides) return;
  Json metadata = Json::Obj({{"name", guard.metadata.name},
                             {"namespace", guard.metadata.ns},
                             {"uid", guard.metadata.uid}});
  // What tests set on the guard after it was read.
  Json written = yaml::ToJson(guard.raw);
  written.Set("mode", spec::ToString(guard.mode));
  written.Set("progressDeadline", FormatGoDuration(guard.progress_deadline));
  written["rollback"].Set("maxPerHour", guard.rollback.max_per_hour);
  if (guard.configs.reconcile) written["configs"].Set("reconcile", true);
  written["rollback"].Set("onTrigger", spec::ToString(guard.rollback.on_trigger));
  written["rollback"].Set(
      "gradual", Json::Obj({{"step", guard.rollback.gradual.step},
                            {"interval", FormatGoDuration(guard.rollback.gradual.interval)}}));
  Json object = Json::Obj({{"apiVersion", spec::kApiVersion},
                           {"kind", "Guard"},
                           {"metadata", std::move(metadata)},
                           {"spec", std::move(written)}});
  last_record = *ParseJson(release::RecordStep(object, before, seen, result).Dump());
  auto replay = release::Replay(last_record);
  ++replayed;
  if (!replay) {
    violations.push_back("a decision cannot be replayed: " + replay.error().message);
    return;
  }
  for (const auto& d : replay->differences) {
    violations.push_back(
        StrCat("replayed differently: ", d.path, " was ", d.recorded, ", is ", d.replayed));
  }
}

bool Drive::Write(ClusterRequest request, const std::string& what) {
  const bool fails = random_.Chance(fail_share);
  const bool after = fails && random_.Chance(0.5);
  if (fails && !after) {
    trace.push_back("  FAILED before its effect: " + what);
    return false;
  }
  auto done = world.api().Call(request);
  trace.push_back(StrCat("  ", FormatClockTime(world.scheduler().Now()), " ", what,
                         done.ok() ? "" : " -> " + done.error().message));
  CheckWorld();
  if (!done) {
    const bool harmless =
        done.error().code == ErrorCode::kAlreadyExists || done.error().code == ErrorCode::kNotFound;
    if (!harmless && done.error().code != ErrorCode::kConflict) {
      violations.push_back("refused by the server: " + what + ": " + done.error().message);
    }
    return harmless;
  }
  return !fails;
}

bool Drive::Execute(const release::Action& action) {
  const std::string what = release::Describe(action);
  if (const auto* record = std::get_if<release::RecordDecision>(&action)) {
    decisions.push_back(record->decision);
    trace.push_back(StrCat(FormatClockTime(record->decision.at), " [", record->decision.phase, "] ",
                           release::ToString(record->decision.verdict), ": ",
                           record->decision.reason));
    return true;
  }
  if (const auto* start = std::get_if<release::StartAnalysis>(&action)) {
    auto answer = run_answers.find(start->background ? "background" : start->purpose);
    release::RunView run;
    run.id = start->run;
    run.phase = answer != run_answers.end() ? answer->second
                : start->background         ? release::RunView::Phase::kRunning
                                            : release::RunView::Phase::kSuccessful;
    run.message = "metric \"latency\" says so";
    runs_.push_back(run);
    return true;
  }
  if (const auto* notify = std::get_if<release::Notify>(&action)) {
    told.push_back(notify->event);
    return true;
  }
  if (const auto* read = std::get_if<release::ReadObjects>(&action)) {
    read_for_ = read->purpose;
    for (const release::ObjectId& id : read->objects) late.erase(id.name);
    return true;
  }
  if (!release::ChangesCluster(action)) return true;
  if (decisions.empty()) violations.push_back("changed without a decision: " + what);
  ClusterRequest request;
  if (const auto* patch = std::get_if<release::PatchObject>(&action)) {
    request.verb = Verb::kPatch;
    request.type = TypeOf(patch->object)->type;
    request.ns = patch->object.ns;
    request.name = patch->object.name;
    request.body = patch->patch;
    request.patch =
        patch->kind == release::PatchObject::Kind::kJson ? PatchKind::kJson : PatchKind::kMerge;
    request.subresource = patch->subresource;
    if (patch->staged) {
      auto done = world.api().Call(request);
      trace.push_back(StrCat("  staged: ", what, done.ok() ? "" : " -> " + done.error().message));
      return true;
    }
    if (patch->weight) {
      if (*patch->weight > weight_ceiling_) {
        violations.push_back("the candidate's weight rises while it is taken back: " + what);
      }
      max_weight = std::max(max_weight, *patch->weight);
    }
  } else if (const auto* create = std::get_if<release::CreateObject>(&action)) {
    request.verb = Verb::kCreate;
    request.type = TypeOf(create->object)->type;
    request.ns = create->object.ns;
    request.name = create->object.name;
    request.body = create->body;
  } else if (const auto* gone = std::get_if<release::DeleteObject>(&action)) {
    request.verb = Verb::kDelete;
    request.type = TypeOf(gone->object)->type;
    request.ns = gone->object.ns;
    request.name = gone->object.name;
    request.precondition_uid = gone->uid;
    request.propagation = "Background";
  } else if (const auto* scale = std::get_if<release::ScaleTo>(&action)) {
    request.verb = Verb::kPatch;
    request.type = TypeOf(scale->object)->type;
    request.ns = scale->object.ns;
    request.name = scale->object.name;
    request.body = release::ScalePatch(*scale);
  }
  return Write(std::move(request), what);
}

void Drive::CheckWorld() {
  for (const auto& vs : world.api().List("networking.istio.io", "virtualservices", kNs)) {
    for (const Json& route : vs->At("spec", "http").items()) {
      if (route.At("route").size() < 2) continue;
      int64_t sum = 0;
      for (const Json& d : route.At("route").items()) sum += d.At("weight").IntOr(0);
      if (sum != 100) violations.push_back(StrCat("weights sum to ", sum));
    }
  }
}

size_t Drive::Round() {
  size_t changes = 0;
  for (int i = 0; i < 8; ++i) {
    release::StepResult result = Look();
    for (auto& answer : result.answers) answers_.push_back(answer);
    commands_.clear();
    if (result.state_changed) {
      if (random_.Chance(fail_share)) return changes;  // the status write failed
      state = result.state;
    }
    finalized = result.finalized;
    const bool back = state.phase == Phase::kRollingBack || state.phase == Phase::kVerifying;
    if (!back) weight_ceiling_ = 100;
    if (back && state.release) {
      weight_ceiling_ = std::min(weight_ceiling_, state.release->wanted.candidate);
    }
    bool changed = false;
    bool ok = true;
    for (const release::Action& action : result.actions) {
      if (random_.Chance(crash_share)) {
        ok = false;
        break;
      }
      changed = changed || release::ChangesCluster(action);
      if (release::ChangesCluster(action)) ++changes;
      if (!Execute(action)) {
        ok = false;
        break;
      }
    }
    if (!ok || changed || !result.state_changed) break;
  }
  return changes;
}

void Drive::Run(Duration duration) {
  const Time end = world.scheduler().Now() + duration;
  while (world.scheduler().Now() < end) {
    world.scheduler().RunFor(std::chrono::seconds(1));
    Round();
  }
}

bool Drive::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Time end = world.scheduler().Now() + limit;
  while (!done()) {
    if (world.scheduler().Now() >= end) return false;
    world.scheduler().RunFor(std::chrono::seconds(1));
    Round();
  }
  return true;
}

bool Drive::RunToPhase(Phase phase, Duration limit) {
  return RunUntil([&] { return state.phase == phase; }, limit);
}

release::CommandAnswer Drive::Say(release::Command::Verb verb, const std::string& to, bool full) {
  release::Command command;
  command.id = StrCat("c", ++command_id_);
  command.verb = verb;
  command.actor = "ann";
  command.groups = {"sre"};
  command.to = to;
  command.full = full;
  command.at = world.scheduler().Now();
  commands_.push_back(command);
  answers_.clear();
  Round();
  REQUIRE(answers_.size() >= 1);
  return answers_.front();
}

size_t Drive::Quiet() { return Round(); }

const release::Decision* Drive::LastDecision(release::Verdict verdict) const {
  for (auto it = decisions.rbegin(); it != decisions.rend(); ++it) {
    if (it->verdict == verdict) return &*it;
  }
  return nullptr;
}

}  // namespace rollguard::testing
