// SPDX-License-Identifier: Apache-2.0
#include "agent/routing/edit.h"

#include "agent/base/json_patch.h"
#include "agent/base/text.h"

namespace rollguard::routing {
namespace {

constexpr size_t kMaxDepth = 64;

Json Operation(const char* op, const std::string& path) {
  return Json::Obj({{"op", op}, {"path", path}});
}

void Diff(const Json& from, const Json& to, const std::string& path, size_t depth, Json& out) {
  if (from == to) return;
  if (depth < kMaxDepth && from.is_object() && to.is_object()) {
    for (const auto& [key, value] : from.members()) {
      std::string at = StrCat(path, "/", EscapePointerToken(key));
      const Json* next = to.Find(key);
      if (next == nullptr) {
        out.Push(Operation("remove", at));
      } else {
        Diff(value, *next, at, depth + 1, out);
      }
    }
    for (const auto& [key, value] : to.members()) {
      if (from.Find(key) != nullptr) continue;
      out.Push(Operation("add", StrCat(path, "/", EscapePointerToken(key))).Set("value", value));
    }
    return;
  }
  if (depth < kMaxDepth && from.is_array() && to.is_array() && from.size() == to.size()) {
    for (size_t i = 0; i < from.size(); ++i) {
      Diff(from.At(i), to.At(i), StrCat(path, "/", i), depth + 1, out);
    }
    return;
  }
  out.Push(Operation("replace", path).Set("value", to));
}

}  // namespace

Json DiffPatch(const Json& from, const Json& to) {
  Json out = Json::Arr();
  Diff(from, to, "", 0, out);
  return out;
}

void AppendPatch(const ObjectId& id, const Json& current, const Json& desired,
                 std::vector<Change>& out) {
  Json operations = DiffPatch(current, desired);
  if (operations.size() == 0) return;
  Change change{Change::Kind::kPatch, id, Json::Arr(), {}, {}};
  change.resource_version = current.At("metadata", "resourceVersion").Str();
  if (!change.resource_version.empty()) {
    change.body.Push(
        Operation("replace", "/metadata/resourceVersion").Set("value", change.resource_version));
  }
  for (Json& operation : operations.items()) change.body.Push(std::move(operation));
  out.push_back(std::move(change));
}

void AppendCreate(const ObjectId& id, Json body, std::vector<Change>& out) {
  out.push_back({Change::Kind::kCreate, id, std::move(body), {}, {}});
}

void AppendDelete(const ObjectId& id, const Json& current, std::vector<Change>& out) {
  if (current.At("metadata", "deletionTimestamp").is_string()) return;
  out.push_back({Change::Kind::kDelete, id, Json(), {}, current.At("metadata", "uid").Str()});
}

Json ReadMemo(const Json& object) {
  const Json& text = object.At("metadata", "annotations").At(kRestAnnotation);
  if (!text.is_string()) return {};
  auto memo = ParseJson(text.Str());
  return memo && memo->is_object() ? *memo : Json();
}

void WriteMemo(Json& object, const Json& memo) {
  Json kept = memo;
  const Json* annotations = object.At("metadata").Find("annotations");
  if (annotations == nullptr || annotations->is_null()) kept.Set("noAnnotations", true);
  object["metadata"]["annotations"].Set(kRestAnnotation, kept.Dump());
}

void DropMemo(Json& object) {
  Json memo = ReadMemo(object);
  Json* metadata = object.Find("metadata");
  Json* annotations = metadata != nullptr ? metadata->Find("annotations") : nullptr;
  if (annotations == nullptr) return;
  annotations->Erase(kRestAnnotation);
  if (annotations->size() == 0 && memo.At("noAnnotations").BoolOr(false)) {
    metadata->Erase("annotations");
  }
}

bool Contains(const Json& whole, const Json& part) {
  if (part.is_object()) {
    for (const auto& [key, value] : part.members()) {
      const Json* found = whole.Find(key);
      if (found == nullptr || !Contains(*found, value)) return false;
    }
    return whole.is_object();
  }
  if (part.is_array()) {
    if (!whole.is_array() || whole.size() != part.size()) return false;
    for (size_t i = 0; i < part.size(); ++i) {
      if (!Contains(whole.At(i), part.At(i))) return false;
    }
    return true;
  }
  return whole == part;
}

bool CreatedFor(const Json& object, std::string_view guard) {
  return object.At("metadata", "labels").At(kGuardLabel).Str() == guard;
}

Json NewMetadata(const ObjectId& id, const Tracks& tracks) {
  Json labels = Json::Obj({{"app.kubernetes.io/managed-by", "rollguard"}});
  labels.Set(kGuardLabel, tracks.guard);
  return Json::Obj({{"name", id.name}, {"namespace", id.ns}, {"labels", std::move(labels)}});
}

Error NotThere(const ObjectId& id) {
  return {ErrorCode::kNotFound,
          StrCat(id.Text(), " is not there: create it or correct the guard's routing")};
}

}  // namespace rollguard::routing
