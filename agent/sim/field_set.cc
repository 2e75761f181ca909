// SPDX-License-Identifier: Apache-2.0
// Recursion follows objects that came through ParseJson, whose depth is bounded.
#include "agent/sim/field_set.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/sim/object.h"

namespace rollguard::sim {
namespace {

constexpr std::string_view kServerMetadata[] = {"name",
                                                "namespace",
                                                "uid",
                                                "resourceVersion",
                                                "generation",
                                                "creationTimestamp",
                                                "selfLink",
                                                "managedFields",
                                                "deletionTimestamp",
                                                "deletionGracePeriodSeconds",
                                                "generateName"};

bool IsServerMetadata(std::string_view key) {
  return std::find(std::begin(kServerMetadata), std::end(kServerMetadata), key) !=
         std::end(kServerMetadata);
}

std::string ItemToken(const Json& item, const ListRule& rule) {
  if (rule.kind == ListKind::kSet) return "v:" + item.Dump();
  Json key = Json::Obj();
  for (const auto& name : rule.keys) {
    const Json* value = item.Find(name);
    if (value != nullptr)
      key.Set(name, *value);
    else if (name == "protocol")
      key.Set(name, "TCP");
  }
  return "k:" + key.Canonical();
}

bool IsGranular(const Json& value, const SchemaPosition& at) {
  if (value.is_object()) return value.size() > 0 && !at.AtomicObject();
  return value.is_array() && value.size() > 0 && at.Applied().kind != ListKind::kAtomic;
}

Json Collect(const Json& value, const SchemaPosition& at, bool metadata) {
  Json out = Json::Obj();
  if (value.is_object()) {
    for (const auto& [key, member] : value.members()) {
      if (metadata && IsServerMetadata(key)) continue;
      SchemaPosition field = at.Field(key);
      out.members().emplace_back(
          "f:" + key, IsGranular(member, field) ? Collect(member, field, false) : Json::Obj());
    }
    return out;
  }
  ListRule rule = at.Applied();
  for (const Json& item : value.items()) {
    Json child = item.is_object() ? Collect(item, at.Item(), false) : Json::Obj();
    if (item.is_object()) child.Set(".", Json::Obj());
    out.Set(ItemToken(item, rule), std::move(child));
  }
  return out;
}

// The item of a keyed list or set that `token` names.
const Json* FindItem(const Json& list, std::string_view token) {
  auto wanted = ParseJson(token.substr(2));
  if (!wanted) return nullptr;
  for (const Json& item : list.items()) {
    if (token[0] == 'v') {
      if (item == *wanted) return &item;
      continue;
    }
    bool same =
        std::all_of(wanted->members().begin(), wanted->members().end(), [&](const Json::Member& m) {
          const Json* value = item.Find(m.first);
          return value != nullptr ? *value == m.second
                                  : m.first == "protocol" && Text(m.second) == "TCP";
        });
    if (same) return &item;
  }
  return nullptr;
}

const Json* Child(const Json& value, const std::string& token) {
  if (token.starts_with("f:")) return value.Find(std::string_view(token).substr(2));
  return FindItem(value, token);
}

struct Diff {
  Json changed = Json::Obj();
  Json removed = Json::Obj();
};

Diff Compare(const Json& before, const Json& after, const SchemaPosition& at, bool metadata);

void CompareMember(Diff& diff, const std::string& token, const Json* was, const Json* is,
                   const SchemaPosition& at) {
  bool item = token[0] == 'k';
  auto all = [&](const Json& value) {
    if (!IsGranular(value, at) && !(item && value.is_object())) return Json::Obj();
    Json fields = Collect(value, at, false);
    if (item) fields.Set(".", Json::Obj());
    return fields;
  };
  if (was == nullptr) {
    diff.changed.Set(token, all(*is));
  } else if (is == nullptr) {
    diff.removed.Set(token, all(*was));
  } else if (IsGranular(*was, at) && IsGranular(*is, at) && was->type() == is->type()) {
    Diff inner = Compare(*was, *is, at, false);
    if (inner.changed.size() > 0) diff.changed.Set(token, std::move(inner.changed));
    if (inner.removed.size() > 0) diff.removed.Set(token, std::move(inner.removed));
  } else if (!(*was == *is)) {
    diff.changed.Set(token, all(*is));
    Json gone = SubtractFields(all(*was), all(*is));
    if (gone.size() > 0) diff.removed.Set(token, std::move(gone));
  }
}

Diff Compare(const Json& before, const Json& after, const SchemaPosition& at, bool metadata) {
  Diff diff;
  if (after.is_object()) {
    for (const auto& [key, value] : after.members()) {
      if (metadata && IsServerMetadata(key)) continue;
      CompareMember(diff, "f:" + key, before.Find(key), &value, at.Field(key));
    }
    for (const auto& [key, value] : before.members()) {
      if (after.Find(key) == nullptr && !(metadata && IsServerMetadata(key))) {
        CompareMember(diff, "f:" + key, &value, nullptr, at.Field(key));
      }
    }
    return diff;
  }
  ListRule rule = at.Applied();
  for (const Json& item : after.items()) {
    std::string token = ItemToken(item, rule);
    CompareMember(diff, token, FindItem(before, token), &item, at.Item());
  }
  for (const Json& item : before.items()) {
    std::string token = ItemToken(item, rule);
    if (FindItem(after, token) == nullptr) CompareMember(diff, token, &item, nullptr, at.Item());
  }
  return diff;
}

void Visit(const Json& fields, FieldPath& path,
           const std::function<void(const FieldPath&)>& visit) {
  for (const auto& [token, child] : fields.members()) {
    path.push_back(token);
    if (child.size() == 0)
      visit(path);
    else
      Visit(child, path, visit);
    path.pop_back();
  }
}

}  // namespace

Json FieldsOf(const Json& object, const SchemaPosition& root) {
  Json out = Json::Obj();
  for (const auto& [key, value] : object.members()) {
    if (key == "apiVersion" || key == "kind") continue;
    SchemaPosition field = root.Field(key);
    Json child = IsGranular(value, field) ? Collect(value, field, key == "metadata") : Json::Obj();
    if (key == "metadata" && child.size() == 0) continue;
    out.Set("f:" + key, std::move(child));
  }
  return out;
}

std::pair<Json, Json> ChangedFields(const Json& before, const Json& after,
                                    const SchemaPosition& root) {
  Diff diff;
  for (const auto& [key, value] : after.members()) {
    if (key == "apiVersion" || key == "kind") continue;
    if (key == "metadata") {
      Diff inner = Compare(before.At(key), value, root.Field(key), true);
      if (inner.changed.size() > 0) diff.changed.Set("f:metadata", std::move(inner.changed));
      if (inner.removed.size() > 0) diff.removed.Set("f:metadata", std::move(inner.removed));
      continue;
    }
    CompareMember(diff, "f:" + key, before.Find(key), &value, root.Field(key));
  }
  for (const auto& [key, value] : before.members()) {
    if (after.Find(key) == nullptr)
      CompareMember(diff, "f:" + key, &value, nullptr, root.Field(key));
  }
  return {std::move(diff.changed), std::move(diff.removed)};
}

Json UnionFields(const Json& a, const Json& b) {
  Json out = a.is_object() ? a : Json::Obj();
  for (const auto& [token, child] : b.members()) {
    const Json* known = out.Find(token);
    if (known == nullptr)
      out.Set(token, child);
    else if (child.size() > 0)
      out.Set(token, UnionFields(*known, child));
  }
  return out;
}

Json SubtractFields(const Json& a, const Json& b) {
  Json out = Json::Obj();
  for (const auto& [token, child] : a.members()) {
    const Json* other = b.Find(token);
    if (other == nullptr) {
      out.Set(token, child);
      continue;
    }
    if (child.size() == 0 || other->size() == 0) continue;  // a whole object covers what is in it
    Json rest = SubtractFields(child, *other);
    if (rest.size() > 0) out.Set(token, std::move(rest));
  }
  return out;
}

bool HasField(const Json& fields, const FieldPath& path) {
  const Json* at = &fields;
  for (size_t i = 0; i < path.size(); ++i) {
    at = at->Find(path[i]);
    if (at == nullptr) return false;
    if (at->size() == 0) return true;  // owned as a whole
  }
  return true;
}

void ForEachField(const Json& fields, const std::function<void(const FieldPath&)>& visit) {
  FieldPath path;
  Visit(fields, path, visit);
}

const Json* ValueAt(const Json& object, const FieldPath& path) {
  const Json* at = &object;
  for (const auto& token : path) {
    if (token == ".") return at;
    at = Child(*at, token);
    if (at == nullptr) return nullptr;
  }
  return at;
}

void RemoveField(Json& object, const FieldPath& full) {
  FieldPath path = full;
  if (!path.empty() && path.back() == ".") path.pop_back();
  while (!path.empty()) {
    std::string token = path.back();
    path.pop_back();
    Json* parent = const_cast<Json*>(ValueAt(object, path));
    if (parent == nullptr) return;
    if (token.starts_with("f:")) {
      parent->Erase(std::string_view(token).substr(2));
    } else if (const Json* item = FindItem(*parent, token)) {
      auto index = item - parent->items().data();
      parent->items().erase(parent->items().begin() + index);
    }
    if (parent->size() > 0 || path.size() < 2) return;  // never removes metadata or spec itself
  }
}

std::string FieldPathText(const FieldPath& path) {
  std::string out;
  for (const auto& token : path) {
    if (token == ".") break;
    if (token.starts_with("f:")) {
      out += "." + token.substr(2);
      continue;
    }
    auto value = ParseJson(std::string_view(token).substr(2));
    if (!value) continue;
    std::string inner = token[0] == 'v' ? "=" + value->Dump() : "";
    for (const auto& [key, v] : value->members()) {
      inner += StrCat(inner.empty() ? "" : ",", key, "=", v.Dump());
    }
    out += StrCat("[", inner, "]");
  }
  return out;
}

}  // namespace rollguard::sim
