// SPDX-License-Identifier: Apache-2.0
// Starting a release is setting an image: the guard notices the new template and does the rest. A
// guard that was made just now must hold its target first, else Kubernetes would roll it out at
// once.
#include "agent/api/await.h"
#include "agent/api/guard_writer.h"
#include "agent/api/image.h"
#include "agent/api/service.h"
#include "agent/api/view.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "agent/release/context.h"

namespace rollguard::api {
namespace {

constexpr Duration kCallLimit = std::chrono::seconds(10);
constexpr std::chrono::milliseconds kLookAgain{100};

struct DeploymentId {
  std::string ns, name, revision;

  std::string Guard() const { return StrCat(ns, "/", name); }
  std::string Text() const { return StrCat(ns, ".", name, ".", revision); }
  // Namespaces and revisions have no dots.
  static std::optional<DeploymentId> Parse(const std::string& text) {
    size_t first = text.find('.'), last = text.rfind('.');
    if (first == std::string::npos || first == last) return std::nullopt;
    return DeploymentId{text.substr(0, first), text.substr(first + 1, last - first - 1),
                        text.substr(last + 1)};
  }
};

struct Standing {
  std::string phase, message;
  std::optional<Time> created;
};

Standing OfOutcome(const std::string& outcome, const std::string& reason) {
  if (outcome == "promoted") return {"Promoted", reason, std::nullopt};
  if (outcome == "superseded") return {"Superseded", reason, std::nullopt};
  if (outcome == "rejected") return {"Rejected", reason, std::nullopt};
  if (outcome == "aborted" || outcome == "failed") return {"Failed", reason, std::nullopt};
  return {"RolledBack", reason, std::nullopt};
}

// How the guard's own state speaks of a revision; nothing when it does not.
std::optional<Standing> StandingOf(const app::GuardSummary& g, const std::string& revision,
                                   Time now) {
  const release::GuardState& state = g.state;
  Shown shown{.guard = g.guard, .state = state, .problem = g.problem, .now = now};
  if (state.release && state.release->candidate == revision) {
    std::string why = g.reasons.empty() ? ReasonOf(shown) : g.reasons.front();
    return Standing{release::ToString(state.phase), why, state.release->started};
  }
  if (state.seen == revision)
    return Standing{"Pending", state.blocked_by.empty() ? "noticed" : state.blocked_by, {}};
  if (state.last && state.last->revision == revision)
    return OfOutcome(state.last->outcome, state.last->reason);
  if (const auto* rejected = state.Quarantined(revision, now))
    return Standing{"RolledBack", rejected->reason, {}};
  if (state.stable == revision) return Standing{"Promoted", "it is in production", {}};
  return std::nullopt;
}

Json DeploymentJson(const DeploymentId& id, const app::GuardSummary& g, const Standing& standing,
                    Time now) {
  const auto& rel = g.state.release;
  bool running = rel && rel->candidate == id.revision;
  Shown shown{.guard = g.guard, .state = g.state, .problem = g.problem, .now = now};
  Json step;
  auto done = running ? EstimateCompletion(shown) : std::nullopt;
  if (running) {
    const Json steps = StepsJson(shown);
    for (const Json& one : steps.items()) {
      if (one.At("state").Str() != "current") continue;
      step = one.Find("name") != nullptr ? one.At("name") : one.At("words");
    }
  }
  bool scored = running && !g.state.scores.empty();
  Json out =
      Json::Obj({{"id", id.Text()},
                 {"guard", id.Guard()},
                 {"name", g.guard.target.name.empty() ? id.name : g.guard.target.name},
                 {"namespace", id.ns},
                 {"revision", id.revision},
                 {"phase", standing.phase},
                 {"message", standing.message},
                 {"createdAt", standing.created ? Json(FormatRfc3339(*standing.created)) : Json()},
                 {"estimatedCompletion", done ? Json(FormatRfc3339(*done)) : Json()},
                 {"currentPhase", std::move(step)},
                 {"healthScore", scored ? Json(g.state.scores.back()) : Json()},
                 {"release", running ? Json(rel->id) : Json()}});
  return out;
}

ClusterRequest Get(const ResourceType& type, const std::string& ns, const std::string& name) {
  ClusterRequest request;
  request.verb = Verb::kGet;
  request.type = type;
  request.ns = ns;
  request.name = name;
  return request;
}

// The workload new versions are put into: with two Deployments the one that is idle.
std::string WritesTo(const app::GuardSummary& g) {
  release::Plan plan = release::CompilePlan(g.guard, false);
  if (plan.second.empty() || g.state.swapped) return g.guard.target.name;
  return plan.second;
}

Json ImagePatch(const Json& workload, size_t container, const std::string& image,
                const Json* replicas) {
  Json patch = Json::Arr(
      {Json::Obj({{"op", "test"},
                  {"path", "/metadata/resourceVersion"},
                  {"value", workload.At("metadata", "resourceVersion")}}),
       Json::Obj({{"op", "add"},
                  {"path", StrCat("/spec/template/spec/containers/", container, "/image")},
                  {"value", image}})});
  if (replicas != nullptr)
    patch.Push(Json::Obj({{"op", "add"}, {"path", "/spec/replicas"}, {"value", *replicas}}));
  return patch;
}

}  // namespace

// One version on its way into its workload.
class Deploying {
 public:
  struct Wish {
    std::string guard, version, container;
    const Json* replicas = nullptr;
  };
  struct Outcome {
    std::string revision;
    bool changed = false;
  };

  explicit Deploying(Service& service) : service_(service) {}

  Expected<Outcome> SetImage(const Wish& wish) {
    auto guard = service_.FindGuard(wish.guard);
    if (!guard) return guard.error();
    if (!guard->problem.empty())
      return Error(ErrorCode::kConflict,
                   StrCat("the guard cannot be used until it is mended: ", guard->problem));
    const spec::Target& target = guard->guard.target;
    ResourceType type = kube::resources::ByKind(target.api_version, target.kind);
    if (type.plural.empty())
      return Error(ErrorCode::kInvalid, StrCat("images of a ", target.kind, " are not set here"));
    std::string ns = NamespaceOf(wish.guard), name = WritesTo(*guard);
    auto workload = service_.Ask(Get(type, ns, name));
    if (!workload) return workload.error();
    auto container = FindContainer(*workload, wish.container);
    if (!container) return container.error();
    std::string present =
        workload->At("spec", "template", "spec", "containers").At(*container).At("image").Str();
    auto image = ResolveImage(wish.version, present);
    if (!image) return image.error();
    bool same_size = wish.replicas == nullptr || workload->At("spec", "replicas") == *wish.replicas;
    if (*image == present && same_size)
      return Outcome{release::RevisionOf(workload->At("spec", "template")), false};
    ClusterRequest patch = Get(type, ns, name);
    patch.verb = Verb::kPatch;
    patch.patch = PatchKind::kJson;
    patch.body = ImagePatch(*workload, *container, *image, wish.replicas);
    auto patched = service_.Ask(std::move(patch));
    if (!patched) {
      // A JSON patch whose test fails is an invalid request to the API server.
      bool moved = patched.error().code == ErrorCode::kInvalid;
      return moved
                 ? Error(ErrorCode::kConflict, StrCat("the workload changed meanwhile, try again: ",
                                                      patched.error().message))
                 : patched.error();
    }
    return Outcome{release::RevisionOf(patched->At("spec", "template")), *image != present};
  }

  // Until the guard holds its target.
  Status AwaitHold(const std::string& guard) {
    auto end = service_.parts_.clock->Monotonic() + service_.parts_.answer_within;
    while (true) {
      auto found = service_.FindGuard(guard);
      bool there = found.ok() || found.error().code == ErrorCode::kNotFound;
      if (!there) return found.error();
      if (found.ok() && !found->problem.empty())
        return Error(ErrorCode::kInvalid, StrCat("the guard cannot be used: ", found->problem));
      if (found.ok() && Holds(*found)) return {};
      if (service_.parts_.clock->Monotonic() >= end) break;
      std::unique_lock lock(service_.moved_mutex_);
      service_.moved_.wait_for(lock, kLookAgain);
    }
    return Error(ErrorCode::kUnavailable,
                 StrCat("the guard ", guard,
                        " was made and is taking its target over; send the same request again"));
  }

 private:
  bool Holds(const app::GuardSummary& g) {
    if (g.state.phase == release::Phase::kAdopting) return false;
    if (!release::CompilePlan(g.guard, false).hold) return true;
    auto target =
        service_.Ask(Get(kube::resources::Deployments(), g.guard.metadata.ns, g.guard.target.name));
    return target.ok() && target->At("spec", "paused").BoolOr(false);
  }

  Service& service_;
};

Expected<Json> Service::Ask(ClusterRequest request) {
  auto answer = Await<Expected<Json>>(
      *parts_.loop,
      [this, request = std::move(request)](auto done) {
        parts_.cluster->Call(request, std::move(done));
      },
      kCallLimit);
  if (!answer) return Error(ErrorCode::kTimeout, "the API server did not answer in time");
  return std::move(*answer);
}

http::Response Service::CreateRelease(Call& call) {
  call.guard = call.body.At("guard").Str();
  std::string ns = NamespaceOf(call.guard);
  if (ns.empty() || ns.size() + 1 >= call.guard.size())
    return Invalid("body.guard: must be namespace/name");
  if (auto refused = Refuse(call, call.guard, call.route.verbs)) return std::move(*refused);
  std::string version = call.body.At("image").Str();
  call.note = version;
  auto done =
      Deploying(*this).SetImage({call.guard, version, call.body.At("container").Str(), nullptr});
  if (!done) return Fail(done.error());
  DeploymentId id{ns, call.guard.substr(ns.size() + 1), done->revision};
  return Ok(Json::Obj({{"guard", call.guard},
                       {"revision", done->revision},
                       {"changed", done->changed},
                       {"deployment", id.Text()}}),
            done->changed ? 202 : 200);
}

http::Response Service::CreateDeployment(Call& call) {
  DeploymentId id{call.body.At("namespace").Str(), call.body.At("name").Str(), ""};
  call.guard = id.Guard();
  if (id.ns.empty() || id.name.empty())
    return Invalid("body: name and namespace must not be empty");
  if (auto refused = Refuse(call, call.guard, {"release"})) return std::move(*refused);
  auto present = Ask(Get(kube::resources::Guards(), id.ns, id.name));
  bool is_new = !present.ok() && present.error().code == ErrorCode::kNotFound;
  if (!present.ok() && !is_new) return Fail(present.error());
  if (auto refused = Refuse(call, call.guard, {is_new ? "create" : "update"}))
    return std::move(*refused);
  auto workload = Ask(Get(kube::resources::Deployments(), id.ns, id.name));
  if (!workload.ok() && workload.error().code == ErrorCode::kNotFound)
    return NotFound(StrCat("there is no Deployment ", id.Guard(),
                           ": apply its manifest first, rollguard releases what exists"));
  if (!workload.ok()) return Fail(workload.error());
  auto guard = WriteGuard(call.body, is_new ? Json() : *present);
  if (!guard) return Fail(guard.error());
  if (is_new || !(guard->At("spec") == present->At("spec"))) {
    ClusterRequest write = Get(kube::resources::Guards(), id.ns, id.name);
    write.verb = is_new ? Verb::kCreate : Verb::kReplace;
    write.body = std::move(*guard);
    auto written = Ask(std::move(write));
    if (!written) return Fail(written.error());
  }
  Deploying deploying(*this);
  if (Status held = deploying.AwaitHold(call.guard); !held) return Fail(held.error());
  std::string version = call.body.At("version").Str();
  call.note = version;
  auto done = deploying.SetImage(
      {call.guard, version, call.body.At("container").Str(), call.body.Find("replicas")});
  if (!done) return Fail(done.error());
  id.revision = done->revision;
  auto now_there = FindGuard(call.guard);
  if (!now_there) return Fail(now_there.error());
  Time now = parts_.clock->Now();
  auto standing = StandingOf(*now_there, id.revision, now);
  return Ok(DeploymentJson(id, *now_there,
                           standing.value_or(Standing{"Pending", "the image is set", {}}), now),
            done->changed ? 202 : 200);
}

http::Response Service::GetDeployment(Call& call) {
  auto id = DeploymentId::Parse(call.Path(0));
  if (!id) return NotFound("the id of a deployment is namespace.name.revision");
  call.guard = id->Guard();
  if (auto refused = Refuse(call, call.guard, call.route.verbs)) return std::move(*refused);
  auto guard = FindGuard(call.guard);
  if (!guard) return Fail(guard.error());
  Time now = parts_.clock->Now();
  auto standing = StandingOf(*guard, id->revision, now);
  if (!standing) {
    HistoryFilter filter;
    filter.guard = call.guard;
    auto rows = parts_.history->Releases(filter);
    if (!rows) return Fail(rows.error());
    for (const ReleaseRow& row : *rows) {
      if (row.revision != id->revision) continue;
      standing = OfOutcome(row.outcome, StrCat("release ", row.id, " ended"));
      standing->created = row.started;
      break;
    }
  }
  if (!standing) {
    const spec::Target& target = guard->guard.target;
    ResourceType type = kube::resources::ByKind(target.api_version, target.kind);
    auto workload = Ask(Get(type, id->ns, WritesTo(*guard)));
    if (workload.ok() && release::RevisionOf(workload->At("spec", "template")) == id->revision)
      standing = Standing{"Pending", "the image is set; the guard notices it in a moment", {}};
  }
  if (!standing) return NotFound(StrCat("guard ", call.guard, " knows no revision ", id->revision));
  return Ok(DeploymentJson(*id, *guard, *standing, now));
}

http::Response Service::ListDeployments(Call& call) {
  auto sight = SightOf(call);
  if (!sight) return Fail(sight.error());
  auto fleet = ReadFleet();
  if (!fleet) return Fail(fleet.error());
  Json items = Json::Arr();
  Time now = parts_.clock->Now();
  for (const FleetRow& row : **fleet) {
    if (!sight->Sees(row.id)) continue;
    std::string revision = row.row.At("candidate").Str();
    if (revision.empty()) revision = row.row.At("last", "revision").Str();
    if (revision.empty()) continue;
    auto guard = FindGuard(row.id);
    if (!guard.ok()) {
      if (guard.error().code == ErrorCode::kNotFound) continue;
      return Fail(guard.error());
    }
    auto standing = StandingOf(*guard, revision, now);
    if (!standing) continue;
    DeploymentId id{row.ns, guard->guard.metadata.name, revision};
    items.Push(DeploymentJson(id, *guard, *standing, now));
  }
  return Ok(Json::Obj({{"items", std::move(items)}}));
}

}  // namespace rollguard::api
