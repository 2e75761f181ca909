// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/lists.h"

#include "agent/base/text.h"
#include "agent/sim/object.h"

namespace rollguard::sim {
namespace {

struct Row {
  std::string_view kind;    // "" : any
  std::string_view parent;  // the field that holds the object with this list; "" : any
  std::string_view field;
  std::string_view strategic;  // one key; "." : a set of scalars
  std::string_view applied;    // keys by comma; "." : a set
};

// First match wins; a list that is not here is atomic.
constexpr Row kRows[] = {
    {"Service", "spec", "ports", "port", "port,protocol"},
    {"", "", "ports", "containerPort", "containerPort,protocol"},
    {"", "", "containers", "name", "name"},
    {"", "", "initContainers", "name", "name"},
    {"", "", "ephemeralContainers", "name", "name"},
    {"", "", "env", "name", "name"},
    {"", "", "volumes", "name", "name"},
    {"", "", "volumeMounts", "mountPath", "mountPath"},
    {"", "", "volumeDevices", "devicePath", "devicePath"},
    {"", "", "imagePullSecrets", "name", "name"},
    {"", "", "hostAliases", "ip", "ip"},
    {"", "", "topologySpreadConstraints", "topologyKey", "topologyKey,whenUnsatisfiable"},
    {"", "", "conditions", "type", "type"},
    {"", "metadata", "ownerReferences", "uid", "uid"},
    {"", "metadata", "finalizers", ".", "."},
    {"Node", "status", "addresses", "type", "type"},
    {"Node", "spec", "podCIDRs", ".", "."},
    {"ServiceAccount", "", "secrets", "name", "name"},
    {"Pod", "status", "podIPs", "ip", "ip"},
};

// Objects that are owned and replaced as a whole in server-side apply.
constexpr std::string_view kAtomicObjects[] = {
    "selector",        "labelSelector", "nodeSelector", "resourceFieldRef",
    "configMapKeyRef", "secretKeyRef",  "fieldRef"};

const Row* FindRow(std::string_view kind, std::string_view parent, std::string_view field) {
  for (const Row& row : kRows) {
    if (row.field != field) continue;
    if (!row.kind.empty() && row.kind != kind) continue;
    if (!row.parent.empty() && row.parent != parent) continue;
    return &row;
  }
  return nullptr;
}

ListRule FromText(std::string_view keys) {
  if (keys == ".") return {ListKind::kSet, {}};
  ListRule rule{ListKind::kMap, {}};
  for (auto key : Split(keys, ',')) rule.keys.emplace_back(key);
  return rule;
}

}  // namespace

SchemaPosition SchemaPosition::BuiltIn(std::string_view kind) {
  SchemaPosition p;
  p.kind_ = kind;
  return p;
}

SchemaPosition SchemaPosition::Custom(const Json& schema) {
  SchemaPosition p;
  p.custom_ = true;
  p.schema_ = &schema;
  return p;
}

SchemaPosition SchemaPosition::Field(std::string_view name) const {
  SchemaPosition p = *this;
  p.parent_ = field_;
  p.field_ = name;
  p.item_ = false;
  if (schema_ != nullptr) {
    const Json* child = schema_->At("properties").Find(name);
    if (child == nullptr) child = schema_->Find("additionalProperties");
    p.schema_ = child;
  }
  return p;
}

SchemaPosition SchemaPosition::Item() const {
  SchemaPosition p = *this;
  p.item_ = true;
  if (schema_ != nullptr) p.schema_ = schema_->Find("items");
  return p;
}

ListRule SchemaPosition::Strategic() const {
  if (custom_ && parent_ != "metadata") return {};
  const Row* row = FindRow(kind_, parent_, field_);
  return row != nullptr ? FromText(row->strategic) : ListRule();
}

ListRule SchemaPosition::Applied() const {
  if (!custom_ || parent_ == "metadata") {
    const Row* row = FindRow(kind_, parent_, field_);
    return row != nullptr ? FromText(row->applied) : ListRule();
  }
  if (schema_ == nullptr) return {};
  std::string_view type = Text(schema_->At("x-kubernetes-list-type"));
  if (type == "set") return {ListKind::kSet, {}};
  if (type != "map") return {};
  ListRule rule{ListKind::kMap, {}};
  for (const Json& key : schema_->At("x-kubernetes-list-map-keys").items())
    rule.keys.push_back(key.Str());
  return rule;
}

bool SchemaPosition::AtomicObject() const {
  if (item_) return false;
  if (custom_) return schema_ != nullptr && Text(schema_->At("x-kubernetes-map-type")) == "atomic";
  for (std::string_view name : kAtomicObjects) {
    if (name == field_) return true;
  }
  return false;
}

}  // namespace rollguard::sim
