// SPDX-License-Identifier: Apache-2.0
#include "agent/app/mirror.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/kube/resources.h"

namespace rollguard::app {
namespace {

std::string KeyOf(std::string_view ns, std::string_view name) { return StrCat(ns, "/", name); }

std::string KeyOf(const Json& object) {
  return KeyOf(object.At("metadata", "namespace").Str(), object.At("metadata", "name").Str());
}

// What nobody here asks an object for. Of a pod only its ports are read beside metadata and status:
// the rest of it stands in its template, too.
std::vector<std::string> Unneeded(const ResourceType& type) {
  std::vector<std::string> paths = {
      "metadata.managedFields",
      "metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]"};
  if (type != kube::resources::Pods()) return paths;
  for (const char* member : {"initContainers", "volumes", "tolerations", "affinity", "nodeSelector",
                             "securityContext", "topologySpreadConstraints"})
    paths.push_back(StrCat("spec.", member));
  for (const char* member :
       {"image", "command", "args", "env", "envFrom", "resources", "volumeMounts", "livenessProbe",
        "readinessProbe", "startupProbe", "lifecycle", "securityContext"})
    paths.push_back(StrCat("spec.containers.", member));
  return paths;
}

}  // namespace

bool IsAsNew(std::string_view version, std::string_view than) {
  auto a = ParseInt(version), b = ParseInt(than);
  return a && b ? *a >= *b : version == than;
}

ResourceType TypeOf(const routing::ObjectId& id) {
  ResourceType type = kube::resources::ByKind(id.api_version, id.kind);
  if (!type.plural.empty()) return type;
  size_t slash = id.api_version.find('/');
  std::string plural = ToLower(id.kind);
  plural += plural.ends_with("s") || plural.ends_with("x") ? "es" : "s";
  return {.group = slash == std::string::npos ? "" : id.api_version.substr(0, slash),
          .version = slash == std::string::npos ? id.api_version : id.api_version.substr(slash + 1),
          .plural = plural,
          .kind = id.kind,
          .namespaced = !id.ns.empty()};
}

routing::ObjectId IdOf(const Json& object) {
  return {object.At("apiVersion").Str(), object.At("kind").Str(),
          object.At("metadata", "namespace").Str(), object.At("metadata", "name").Str()};
}

std::string OwnerOf(const Json& object) {
  for (const Json& owner : object.At("metadata", "ownerReferences").items()) {
    if (owner.At("controller").BoolOr(false)) return owner.At("name").Str();
  }
  return {};
}

Mirror::Mirror(Cluster& cluster, Timers& timers, kube::Executor executor, Random random,
               Changed changed)
    : cluster_(cluster),
      timers_(timers),
      executor_(std::move(executor)),
      random_(random),
      changed_(std::move(changed)) {}

bool Mirror::Ensure(const ResourceType& type) {
  auto [at, is_new] = kinds_.try_emplace(type);
  Kind& kind = at->second;
  if (!is_new) return kind.synced;
  kube::InformerOptions options;
  options.type = type;
  options.projection.drop = Unneeded(type);
  kind.informer = std::make_unique<kube::Informer>(cluster_, timers_, Random(random_.Next()),
                                                   executor_, options);
  kube::InformerHandler handler;
  handler.upsert = [this, &kind, type](const Json& object, const Json*) {
    OnUpsert(kind, type, object);
  };
  handler.deleted = [this, &kind, type](const Json& object) { OnDeleted(kind, type, object); };
  handler.synced = [this, &kind, type] {
    kind.synced = true;
    kind.trouble.clear();
    changed_(type, Json(), false);
  };
  handler.trouble = [this, &kind, type](const Error& error) {
    const bool news = !kind.synced && kind.trouble.empty();
    kind.trouble = error.message;
    if (news) changed_(type, Json(), false);
  };
  kind.informer->AddHandler(std::move(handler));
  kind.informer->Start();
  return kind.synced;
}

void Mirror::Relist() {
  ours_.clear();
  for (auto& [type, kind] : kinds_) kind.informer->Relist();
}

bool Mirror::Synced(const ResourceType& type) const {
  auto found = kinds_.find(type);
  return found != kinds_.end() && found->second.synced;
}

bool Mirror::Settled() const {
  return std::all_of(kinds_.begin(), kinds_.end(), [](const auto& kind) {
    return kind.second.synced || !kind.second.trouble.empty();
  });
}

bool Mirror::Behind(const ResourceType& type) const {
  auto found = kinds_.find(type);
  return found != kinds_.end() && found->second.informer->stats().behind;
}

std::string Mirror::Trouble(const ResourceType& type) const {
  auto found = kinds_.find(type);
  return found != kinds_.end() && !found->second.synced ? found->second.trouble : std::string();
}

void Mirror::OnUpsert(Kind& kind, const ResourceType& type, const Json& object) {
  const Json& metadata = object.At("metadata");
  if (const std::string owner = OwnerOf(object); !owner.empty())
    kind.owned.Put(metadata.At("namespace").Str(), owner, metadata.At("name").Str());
  changed_(type, object, false);
}

void Mirror::OnDeleted(Kind& kind, const ResourceType& type, const Json& object) {
  const Json& metadata = object.At("metadata");
  if (const std::string owner = OwnerOf(object); !owner.empty())
    kind.owned.Remove(metadata.At("namespace").Str(), owner, metadata.At("name").Str());
  changed_(type, object, true);
}

const Mirror::Ours* Mirror::FindOurs(const ResourceType& type, const std::string& key,
                                     std::string_view version) const {
  auto found = ours_.find({type, key});
  if (found == ours_.end()) return nullptr;
  if (found->second.seen_version == version) return &found->second;
  ours_.erase(found);  // the informer moved on: it knows better
  return nullptr;
}

const Json* Mirror::Get(const ResourceType& type, const std::string& ns, const std::string& name,
                        Arena& arena) const {
  auto found = kinds_.find(type);
  if (found == kinds_.end()) return nullptr;
  const kube::Informer& informer = *found->second.informer;
  if (const Ours* ours = FindOurs(type, KeyOf(ns, name), informer.ResourceVersion(ns, name))) {
    return ours->object.is_null() ? nullptr : &arena.emplace_back(ours->object);
  }
  Json& object = arena.emplace_back();
  if (informer.Get(ns, name, &object)) return &object;
  arena.pop_back();
  return nullptr;
}

std::string Mirror::Version(const ResourceType& type, const std::string& ns,
                            const std::string& name) const {
  auto found = kinds_.find(type);
  if (found == kinds_.end()) return {};
  const std::string_view seen = found->second.informer->ResourceVersion(ns, name);
  const Ours* ours = FindOurs(type, KeyOf(ns, name), seen);
  if (ours == nullptr) return std::string(seen);
  return ours->object.At("metadata", "resourceVersion").Str();
}

std::vector<const Json*> Mirror::All(const ResourceType& type, const std::string& ns,
                                     const std::vector<std::string>& names, Arena& arena) const {
  std::vector<const Json*> objects;
  for (const std::string& name : names) {
    if (const Json* object = Get(type, ns, name, arena)) objects.push_back(object);
  }
  return objects;
}

std::vector<const Json*> Mirror::OwnedBy(const ResourceType& type, const std::string& ns,
                                         const std::string& owner, Arena& arena) const {
  auto found = kinds_.find(type);
  if (found == kinds_.end()) return {};
  return All(type, ns, found->second.owned.OwnedBy(ns, owner), arena);
}

std::vector<const Json*> Mirror::OwnedBelow(const ResourceType& type, const std::string& ns,
                                            const std::string& name, Arena& arena) const {
  auto found = kinds_.find(type);
  if (found == kinds_.end()) return {};
  return All(type, ns, found->second.owned.OwnedBelow(ns, name), arena);
}

void Mirror::ForEach(const ResourceType& type, const std::string& ns,
                     const std::function<void(const Json&)>& visit) const {
  auto found = kinds_.find(type);
  if (found == kinds_.end()) return;
  const kube::Informer& informer = *found->second.informer;
  informer.ForEach(ns, [&](const Json& object) {
    const Ours* ours =
        FindOurs(type, KeyOf(object), object.At("metadata", "resourceVersion").Str());
    if (ours == nullptr) {
      visit(object);
    } else if (!ours->object.is_null()) {
      visit(ours->object);
    }
  });
  // What was made and the watch has not told of yet.
  for (auto at = ours_.lower_bound({type, KeyOf(ns, "")}); at != ours_.end(); ++at) {
    if (at->first.first != type || (!ns.empty() && !at->first.second.starts_with(KeyOf(ns, ""))))
      break;
    const Json& object = at->second.object;
    if (object.is_null() || !at->second.seen_version.empty()) continue;
    const Json& metadata = object.At("metadata");
    if (informer.ResourceVersion(metadata.At("namespace").Str(), metadata.At("name").Str()).empty())
      visit(object);
  }
}

void Mirror::Wrote(const ResourceType& type, const Json& object) {
  auto found = kinds_.find(type);
  if (found == kinds_.end() || !object.is_object()) return;
  std::string ns = object.At("metadata", "namespace").Str(),
              name = object.At("metadata", "name").Str();
  std::string seen(found->second.informer->ResourceVersion(ns, name));
  // The watch may have been faster than the answer, and may even have told of later changes: then
  // the answer is the older view, and nothing would ever come to replace it.
  if (IsAsNew(seen, object.At("metadata", "resourceVersion").Str())) {
    ours_.erase({type, KeyOf(ns, name)});
    return;
  }
  ours_[{type, KeyOf(ns, name)}] = {std::move(seen), object};
}

void Mirror::Deleted(const ResourceType& type, const std::string& ns, const std::string& name) {
  auto found = kinds_.find(type);
  if (found == kinds_.end()) return;
  std::string seen(found->second.informer->ResourceVersion(ns, name));
  // Where the watch tells of none, an answer that came after its end would stand for ever.
  if (seen.empty()) {
    ours_.erase({type, KeyOf(ns, name)});
    return;
  }
  ours_[{type, KeyOf(ns, name)}] = {std::move(seen), Json()};
}

}  // namespace rollguard::app
