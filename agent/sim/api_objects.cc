// SPDX-License-Identifier: Apache-2.0
// The API server from inside: commits, what controllers call, loading, CRDs becoming types.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/sim/api_server.h"

namespace rollguard::sim {
namespace {

bool SpecChanged(const TypeInfo& info, const Json& before, const Json& after) {
  if (!info.custom) return !(before.At("spec") == after.At("spec"));
  auto others = [](const Json& a, const Json& b) {
    return std::all_of(a.members().begin(), a.members().end(), [&](const Json::Member& m) {
      if (m.first == "metadata" || m.first == "status") return true;
      const Json* other = b.Find(m.first);
      return other != nullptr && *other == m.second;
    });
  };
  return !others(before, after) || !others(after, before);
}

}  // namespace

// The last steps of every update: generation, and removal when nothing holds a deleted object.
ObjectPtr ApiServer::CommitUpdate(const ObjectKey& key, const ObjectPtr& before, Json after) {
  const TypeInfo& info = *types_.Get(key.type);
  if (info.has_generation && SpecChanged(info, *before, after)) {
    after["metadata"].Set("generation", Meta(*before).At("generation").IntOr(0) + 1);
  }
  if (Json* meta = after.Find("metadata")) {
    for (auto list : {"finalizers", "ownerReferences", "labels", "annotations"}) {
      if (const Json* value = meta->Find(list); value != nullptr && value->size() == 0)
        meta->Erase(list);
    }
  }
  bool graceful = info.graceful_delete && Meta(after).At("deletionGracePeriodSeconds").IntOr(0) > 0;
  bool waits = Meta(after).At("finalizers").size() > 0 || graceful || info.type.kind == "Namespace";
  if (IsTerminating(after) && !waits) {
    if (!(*before == after)) store_.Put(key, std::move(after));
    return store_.Remove(key);
  }
  return store_.Put(key, std::move(after));
}

int ApiServer::TypeId(std::string_view group, std::string_view plural) const {
  const TypeInfo* info = types_.Find(group, plural);
  return info != nullptr ? info->id : -1;
}

ObjectKey ApiServer::KeyOf(int type, const Json& object) {
  return {type, std::string(NamespaceOf(object)), std::string(NameOf(object))};
}

ObjectPtr ApiServer::Get(std::string_view group, std::string_view plural, std::string_view ns,
                         std::string_view name) const {
  int type = TypeId(group, plural);
  return type < 0 ? nullptr : store_.Get({type, std::string(ns), std::string(name)});
}

std::vector<ObjectPtr> ApiServer::List(std::string_view group, std::string_view plural,
                                       std::string_view ns) const {
  int type = TypeId(group, plural);
  return type < 0 ? std::vector<ObjectPtr>() : store_.List(type, ns);
}

std::vector<ObjectPtr> ApiServer::Controlled(std::string_view owner_uid, int type) const {
  std::vector<ObjectPtr> out;
  for (const ObjectKey& key : store_.Dependents(owner_uid)) {
    if (key.type != type) continue;
    ObjectPtr object = store_.Get(key);
    if (object && IsControlledBy(*object, owner_uid)) out.push_back(std::move(object));
  }
  return out;
}

ObjectPtr ApiServer::Update(const ObjectKey& key, const std::function<void(Json&)>& change) {
  ObjectPtr before = store_.Get(key);
  if (!before) return nullptr;
  Json after = *before;
  change(after);
  if (*before == after) return before;
  return CommitUpdate(key, before, std::move(after));
}

ObjectPtr ApiServer::Create(int type, Json object) {
  const TypeInfo& info = *types_.Get(type);
  ClusterRequest request;
  request.verb = Verb::kCreate;
  request.type = info.type;
  request.ns = NamespaceOf(object);
  request.field_manager = "kube-controller-manager";
  request.body = std::move(object);
  ApiReply reply = Serve(request);
  return reply.ok() ? reply.object : nullptr;
}

void ApiServer::Delete(const ObjectKey& key) {
  ClusterRequest request;
  request.verb = Verb::kDelete;
  request.type = types_.Get(key.type)->type;
  request.ns = key.ns;
  request.name = key.name;
  Serve(request);
}

void ApiServer::Purge(const ObjectKey& key) {
  ObjectPtr before = store_.Get(key);
  if (!before) return;
  if (Meta(*before).At("finalizers").size() == 0) {
    store_.Remove(key);
    return;
  }
  Json after = *before;
  after["metadata"].Set("deletionGracePeriodSeconds", 0);
  CommitUpdate(key, before, std::move(after));
}

// An established CRD serves its type at once; a deleted one takes its objects with it (from an
// event of its own, since listeners must not write).
void ApiServer::OnCrdChange(const Change& change) {
  if (types_.Get(change.key.type)->type.kind != "CustomResourceDefinition") return;
  if (change.after) {
    types_.AddFromCrd(*change.after);
    return;
  }
  const Json& spec = change.before->At("spec");
  std::string group = spec.At("group").Str(), plural = spec.At("names", "plural").Str();
  const TypeInfo* info = types_.Find(group, plural);
  if (info == nullptr) return;
  int id = info->id;
  types_.Remove(group, plural);
  scheduler_.After(Duration(0), [this, id] {
    for (const ObjectPtr& object : store_.List(id)) store_.Remove(KeyOf(id, *object));
  });
}

Status ApiServer::Load(const Json& object) {
  if (Text(object.At("kind")).ends_with("List") && object.At("items").is_array()) {
    for (const Json& item : object.At("items").items()) {
      if (Status s = Load(item); !s) return s;
    }
    return {};
  }
  std::string api_version = object.At("apiVersion").Str();
  size_t slash = api_version.find('/');
  std::string group = slash == std::string::npos ? "" : api_version.substr(0, slash);
  const TypeInfo* info = types_.FindKind(group, Text(object.At("kind")));
  if (info == nullptr) {
    return Error(ErrorCode::kInvalid,
                 StrCat("no kind ", Quote(Text(object.At("kind"))), " in ", Quote(api_version),
                        ": load its CustomResourceDefinition first"));
  }
  ClusterRequest request;
  request.type = info->type;
  request.type.version = slash == std::string::npos ? api_version : api_version.substr(slash + 1);
  request.name = NameOf(object);
  if (info->type.namespaced)
    request.ns = NamespaceOf(object).empty() ? "default" : NamespaceOf(object);
  request.body = object;
  request.field_manager = "load";
  if (info->type.namespaced && !Get("", "namespaces", "", request.ns)) {
    Create(TypeId("", "namespaces"), Json::Obj({{"metadata", Json::Obj({{"name", request.ns}})}}));
  }
  ObjectPtr known = store_.Get({info->id, request.ns, request.name});
  request.verb = known ? Verb::kReplace : Verb::kCreate;
  if (known) request.body["metadata"].Set("resourceVersion", Meta(*known).At("resourceVersion"));
  auto done = Call(request);
  if (!done) return done.error();
  return {};
}

namespace {
ResourceType Type(const char* group, const char* version, const char* plural, const char* kind,
                  bool ns = true) {
  return {group, version, plural, kind, ns};
}
}  // namespace

ResourceType DeploymentType() { return Type("apps", "v1", "deployments", "Deployment"); }
ResourceType ReplicaSetType() { return Type("apps", "v1", "replicasets", "ReplicaSet"); }
ResourceType StatefulSetType() { return Type("apps", "v1", "statefulsets", "StatefulSet"); }
ResourceType DaemonSetType() { return Type("apps", "v1", "daemonsets", "DaemonSet"); }
ResourceType ControllerRevisionType() {
  return Type("apps", "v1", "controllerrevisions", "ControllerRevision");
}
ResourceType PodType() { return Type("", "v1", "pods", "Pod"); }
ResourceType ServiceType() { return Type("", "v1", "services", "Service"); }
ResourceType EndpointsType() { return Type("", "v1", "endpoints", "Endpoints"); }
ResourceType EndpointSliceType() {
  return Type("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice");
}
ResourceType ConfigMapType() { return Type("", "v1", "configmaps", "ConfigMap"); }
ResourceType SecretType() { return Type("", "v1", "secrets", "Secret"); }
ResourceType EventType() { return Type("", "v1", "events", "Event"); }
ResourceType NamespaceType() { return Type("", "v1", "namespaces", "Namespace", false); }
ResourceType NodeType() { return Type("", "v1", "nodes", "Node", false); }
ResourceType JobType() { return Type("batch", "v1", "jobs", "Job"); }
ResourceType HpaType() {
  return Type("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler");
}
ResourceType LeaseType() { return Type("coordination.k8s.io", "v1", "leases", "Lease"); }
ResourceType CrdType() {
  return Type("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition",
              false);
}

}  // namespace rollguard::sim
