// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/type_registry.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/sim/object.h"

namespace rollguard::sim {
namespace {

struct BuiltIn {
  const char* group;
  const char* versions;  // preferred first
  const char* plural;
  const char* kind;
  bool namespaced;
  const char* short_names;
  bool has_status;
  bool has_generation;
};

constexpr BuiltIn kBuiltIns[] = {
    {"", "v1", "namespaces", "Namespace", false, "ns", true, false},
    {"", "v1", "nodes", "Node", false, "no", true, false},
    {"", "v1", "pods", "Pod", true, "po", true, false},
    {"", "v1", "services", "Service", true, "svc", true, false},
    {"", "v1", "endpoints", "Endpoints", true, "ep", false, false},
    {"", "v1", "configmaps", "ConfigMap", true, "cm", false, false},
    {"", "v1", "secrets", "Secret", true, "", false, false},
    {"", "v1", "serviceaccounts", "ServiceAccount", true, "sa", false, false},
    {"", "v1", "events", "Event", true, "ev", false, false},
    {"", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true, "pvc", true, false},
    {"", "v1", "limitranges", "LimitRange", true, "limits", false, false},
    {"", "v1", "resourcequotas", "ResourceQuota", true, "quota", true, false},
    {"", "v1", "replicationcontrollers", "ReplicationController", true, "rc", true, true},
    {"apps", "v1", "deployments", "Deployment", true, "deploy", true, true},
    {"apps", "v1", "replicasets", "ReplicaSet", true, "rs", true, true},
    {"apps", "v1", "statefulsets", "StatefulSet", true, "sts", true, true},
    {"apps", "v1", "daemonsets", "DaemonSet", true, "ds", true, true},
    {"apps", "v1", "controllerrevisions", "ControllerRevision", true, "", false, false},
    {"batch", "v1", "jobs", "Job", true, "", true, true},
    {"batch", "v1", "cronjobs", "CronJob", true, "cj", true, true},
    {"autoscaling", "v2,v1,v2beta2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true,
     "hpa", true, false},
    {"policy", "v1,v1beta1", "poddisruptionbudgets", "PodDisruptionBudget", true, "pdb", true,
     true},
    {"coordination.k8s.io", "v1", "leases", "Lease", true, "", false, false},
    {"discovery.k8s.io", "v1,v1beta1", "endpointslices", "EndpointSlice", true, "", false, true},
    {"events.k8s.io", "v1", "events", "Event", true, "ev", false, false},
    {"networking.k8s.io", "v1", "ingresses", "Ingress", true, "ing", true, true},
    {"networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", true, "netpol", false, true},
    {"networking.k8s.io", "v1", "ingressclasses", "IngressClass", false, "", false, true},
    {"rbac.authorization.k8s.io", "v1", "roles", "Role", true, "", false, false},
    {"rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true, "", false, false},
    {"rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false, "", false, false},
    {"rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false, "",
     false, false},
    {"apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", false,
     "crd,crds", true, true},
};

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> out;
  if (text.empty()) return out;
  for (auto part : Split(text, ',')) out.emplace_back(part);
  return out;
}

bool InCategoryAll(std::string_view plural) {
  static constexpr std::string_view kAll[] = {"pods",
                                              "services",
                                              "deployments",
                                              "replicasets",
                                              "statefulsets",
                                              "daemonsets",
                                              "jobs",
                                              "cronjobs",
                                              "horizontalpodautoscalers",
                                              "replicationcontrollers"};
  return std::find(std::begin(kAll), std::end(kAll), plural) != std::end(kAll);
}

void SetScale(TypeInfo& info) {
  const std::string& plural = info.type.plural;
  if (plural != "deployments" && plural != "replicasets" && plural != "statefulsets") return;
  info.scale_spec = "spec.replicas";
  info.scale_status = "status.replicas";
  info.scale_selector = "spec.selector";
}

// ".spec.replicas" as CRDs write it -> "spec.replicas".
std::string WithoutDot(const Json& path) {
  std::string text = path.Str();
  return text.starts_with('.') ? text.substr(1) : text;
}

const Json& PreferredVersion(const Json& spec) {
  for (const Json& v : spec.At("versions").items()) {
    if (v.At("storage").BoolOr(false) && v.At("served").BoolOr(true)) return v;
  }
  return spec.At("versions").At(size_t{0});
}

}  // namespace

bool TypeInfo::Serves(std::string_view version) const {
  return std::find(versions.begin(), versions.end(), version) != versions.end();
}

TypeRegistry::TypeRegistry() {
  for (const BuiltIn& b : kBuiltIns) {
    TypeInfo info;
    info.versions = Words(b.versions);
    info.type = {b.group, info.versions[0], b.plural, b.kind, b.namespaced};
    info.singular = ToLower(b.kind);
    info.short_names = Words(b.short_names);
    info.has_status = b.has_status;
    info.has_generation = b.has_generation;
    info.graceful_delete = info.type.plural == "pods";
    if (InCategoryAll(info.type.plural)) info.categories = {"all"};
    SetScale(info);
    Insert(std::move(info));
  }
}

TypeInfo& TypeRegistry::Insert(TypeInfo info) {
  info.id = static_cast<int>(types_.size());
  by_plural_[{info.type.group, info.type.plural}] = info.id;
  return types_.emplace_back(std::move(info));
}

const TypeInfo* TypeRegistry::Find(std::string_view group, std::string_view plural) const {
  auto it = by_plural_.find(std::pair<std::string, std::string>(group, plural));
  return it != by_plural_.end() ? Get(it->second) : nullptr;
}

const TypeInfo* TypeRegistry::FindKind(std::string_view group, std::string_view kind) const {
  for (const auto& [key, id] : by_plural_) {
    if (key.first == group && Get(id)->type.kind == kind) return Get(id);
  }
  return nullptr;
}

const TypeInfo& TypeRegistry::Add(const ResourceType& type) {
  if (const TypeInfo* known = Find(type.group, type.plural)) return *known;
  TypeInfo info;
  info.type = type;
  info.versions = {type.version};
  info.singular = ToLower(type.kind);
  info.custom = true;
  return Insert(std::move(info));
}

const TypeInfo& TypeRegistry::AddFromCrd(const Json& crd) {
  const Json& spec = crd.At("spec");
  const Json& names = spec.At("names");
  const Json& version = PreferredVersion(spec);
  TypeInfo info;
  info.type = {spec.At("group").Str(), version.At("name").Str(), names.At("plural").Str(),
               names.At("kind").Str(), Text(spec.At("scope")) != "Cluster"};
  info.versions = {info.type.version};
  for (const Json& v : spec.At("versions").items()) {
    if (v.At("served").BoolOr(true) && Text(v.At("name")) != info.type.version)
      info.versions.push_back(v.At("name").Str());
  }
  info.singular =
      names.Find("singular") != nullptr ? names.At("singular").Str() : ToLower(info.type.kind);
  for (const Json& n : names.At("shortNames").items()) info.short_names.push_back(n.Str());
  for (const Json& n : names.At("categories").items()) info.categories.push_back(n.Str());
  info.custom = true;
  info.has_status = version.At("subresources").Find("status") != nullptr;
  const Json& scale = version.At("subresources", "scale");
  info.scale_spec = WithoutDot(scale.At("specReplicasPath"));
  info.scale_status = WithoutDot(scale.At("statusReplicasPath"));
  info.scale_selector = WithoutDot(scale.At("labelSelectorPath"));
  for (const Json& c : version.At("additionalPrinterColumns").items()) {
    info.columns.push_back({c.At("name").Str(), c.At("jsonPath").Str(), c.At("type").Str(),
                            static_cast<int>(c.At("priority").IntOr(0))});
  }
  info.schema = version.At("schema", "openAPIV3Schema");
  if (const TypeInfo* known = Find(info.type.group, info.type.plural)) {
    info.id = known->id;
    return types_[static_cast<size_t>(info.id)] = std::move(info);
  }
  return Insert(std::move(info));
}

void TypeRegistry::Remove(std::string_view group, std::string_view plural) {
  by_plural_.erase({std::string(group), std::string(plural)});
}

std::vector<const TypeInfo*> TypeRegistry::All() const {
  std::vector<const TypeInfo*> out;
  for (const auto& [key, id] : by_plural_) out.push_back(Get(id));
  return out;
}

}  // namespace rollguard::sim
