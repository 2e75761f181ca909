// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/object_library.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "agent/spec/load.h"

namespace rollguard::serve {
namespace {

constexpr Duration kSettle{100};
constexpr Duration kAskAgain = std::chrono::minutes(1);
constexpr Duration kRetry = std::chrono::seconds(2);

ResourceType Ours(const char* plural, const char* kind, bool namespaced) {
  return {"rollguard.dev", "v1alpha1", plural, kind, namespaced};
}

std::vector<ResourceType> Wanted(const spec::ClusterConfig& config) {
  std::vector<ResourceType> types = {
      kube::resources::RollbackRules(),
      kube::resources::AnalysisTemplates(),
      kube::resources::ClusterAnalysisTemplates(),
      Ours("rollbackpolicies", "RollbackPolicy", false),
      Ours("releasestrategies", "ReleaseStrategy", false),
      Ours("strategymatrices", "StrategyMatrix", false),
  };
  // With a Role for one namespace nothing of the cluster's scope may be read.
  if (config.namespaces.size() == 1)
    std::erase_if(types, [](const ResourceType& type) { return !type.namespaced; });
  return types;
}

std::string KeyOf(const Json& object) {
  std::string ns = object.At("metadata", "namespace").Str();
  return StrCat(object.At("kind").Str(), " ", ns, ns.empty() ? "" : "/",
                object.At("metadata", "name").Str());
}

// "" when the object can be used.
std::string ProblemOf(const Json& object) {
  Diagnostics problems;
  spec::Library one;
  spec::LoadObject(object, one, problems);
  if (!problems.has_errors()) return {};
  for (const Diagnostic& problem : problems.Sorted()) {
    if (problem.severity == Severity::kError) return problem.message;
  }
  return "it cannot be read";
}

}  // namespace

ObjectLibrary::ObjectLibrary(Ground& ground, std::function<void(const ObjectSnapshot&)> changed)
    : ground_(ground), changed_(std::move(changed)) {
  for (ResourceType& type : Wanted(ground.config.cluster)) {
    kinds_.push_back(
        {.type = std::move(type), .informer = nullptr, .settled = false, .trouble = {}});
  }
}

ObjectLibrary::~ObjectLibrary() { *alive_ = false; }

void ObjectLibrary::Start() {
  for (size_t kind = 0; kind < kinds_.size(); ++kind) Discover(kind);
}

bool ObjectLibrary::Complete() const {
  return std::all_of(kinds_.begin(), kinds_.end(), [](const Kind& kind) { return kind.settled; });
}

std::string ObjectLibrary::Waiting() const {
  for (const Kind& kind : kinds_) {
    if (!kind.settled)
      return StrCat("waiting for the list of ", kind.type.plural, ".", kind.type.group,
                    kind.trouble.empty() ? "" : ": ", kind.trouble);
  }
  return {};
}

void ObjectLibrary::Discover(size_t kind) {
  // The answer comes on the client's thread, perhaps after this is gone.
  auto answered = [this, kind, &loop = ground_.loop,
                   alive = std::weak_ptr(alive_)](Expected<kube::ServedKind> served) {
    auto held = std::make_shared<Expected<kube::ServedKind>>(std::move(served));
    loop.Post([this, kind, alive, held] {
      if (!alive.expired()) Discovered(kind, *held);
    });
  };
  ground_.discovery->Resolve(kinds_[kind].type, std::move(answered));
}

void ObjectLibrary::Discovered(size_t kind, const Expected<kube::ServedKind>& served) {
  if (served) {
    Watch(kind, served->type);
    return;
  }
  bool absent = served.error().code == ErrorCode::kNotFound;
  kinds_[kind].trouble = served.error().message;
  if (absent) Settle(kind);
  ground_.loop.After(absent ? kAskAgain : kRetry, [this, kind, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    ground_.discovery->Forget();
    Discover(kind);
  });
}

void ObjectLibrary::Watch(size_t index, const ResourceType& type) {
  Kind& kind = kinds_[index];
  kind.trouble.clear();
  kube::InformerOptions options;
  options.type = type;
  options.projection.drop = {
      "metadata.managedFields",
      "metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]"};
  kind.informer = std::make_unique<kube::Informer>(
      *ground_.cluster, ground_.loop, Random(ground_.NextSeed()),
      [](std::function<void()> fn) { fn(); }, options);
  kube::InformerHandler handler;
  handler.upsert = [this](const Json& object, const Json*) { OnUpsert(object); };
  handler.deleted = [this](const Json& object) { OnDeleted(object); };
  handler.synced = [this, index] { Settle(index); };
  handler.trouble = [this, index](const Error& error) { kinds_[index].trouble = error.message; };
  kind.informer->AddHandler(std::move(handler));
  kind.informer->Start();
}

void ObjectLibrary::OnUpsert(const Json& object) {
  std::string key = KeyOf(object);
  std::string problem = ProblemOf(object);
  Held& held = held_[key];
  if (problem.empty()) {
    held = {object, {}};
  } else {
    ground_.log.Warn("an object of the library cannot be used; its last good version stays",
                     {{"object", key}, {"problem", problem}});
    held.problem = StrCat(key, ": ", problem);
  }
  TellSoon();
}

void ObjectLibrary::OnDeleted(const Json& object) {
  held_.erase(KeyOf(object));
  TellSoon();
}

void ObjectLibrary::Settle(size_t kind) {
  if (kinds_[kind].settled) return;
  kinds_[kind].settled = true;
  if (Complete()) TellSoon();
}

void ObjectLibrary::TellSoon() {
  if (timer_ != 0 || !Complete()) return;
  timer_ = ground_.loop.After(kSettle, [this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    timer_ = 0;
    changed_(Snapshot());
  });
}

ObjectSnapshot ObjectLibrary::Snapshot() const {
  ObjectSnapshot out;
  for (const auto& [key, held] : held_) {
    if (!held.good.is_null()) out.objects.push_back(held.good);
    if (!held.problem.empty()) out.problems.push_back(held.problem);
  }
  return out;
}

}  // namespace rollguard::serve
