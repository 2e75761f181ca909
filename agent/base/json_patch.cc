// SPDX-License-Identifier: Apache-2.0
#include "agent/base/json_patch.h"

#include "agent/base/text.h"

namespace rollguard {
namespace {

std::string Unescape(std::string_view token) {
  return ReplaceAll(ReplaceAll(token, "~1", "/"), "~0", "~");
}

Error Bad(std::string_view path, std::string_view why) {
  return {ErrorCode::kInvalid, StrCat("JSON patch path ", Quote(path), ": ", why)};
}

// Index of an array element; size() for "-"; npos when it is no index.
size_t IndexOf(const Json& array, std::string_view token) {
  if (token == "-") return array.size();
  if (token.size() > 1 && token[0] == '0') return std::string::npos;
  auto index = ParseInt(token);
  return index && *index >= 0 && token[0] != '-' ? static_cast<size_t>(*index) : std::string::npos;
}

Json* Step(Json& value, const std::string& token) {
  if (value.is_object()) return value.Find(token);
  if (!value.is_array()) return nullptr;
  size_t index = IndexOf(value, token);
  return index < value.size() ? &value.items()[index] : nullptr;
}

struct Place {
  Json* parent = nullptr;  // null: the root itself
  std::string token;
};

// Walks to the parent of what `path` names.
Expected<Place> Locate(Json& root, std::string_view path) {
  if (path.empty()) return Place{};
  if (path[0] != '/') return Bad(path, "must start with '/'");
  Json* at = &root;
  auto tokens = Split(path.substr(1), '/');
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    at = Step(*at, Unescape(tokens[i]));
    if (at == nullptr) return Bad(path, "nothing there");
  }
  if (!at->is_object() && !at->is_array())
    return Bad(path, "the parent is neither object nor array");
  return Place{at, Unescape(tokens.back())};
}

Status AddAt(Json& root, std::string_view path, Json value) {
  auto place = Locate(root, path);
  if (!place) return place.error();
  if (place->parent == nullptr) {
    root = std::move(value);
  } else if (place->parent->is_object()) {
    place->parent->Set(place->token, std::move(value));
  } else {
    size_t index = IndexOf(*place->parent, place->token);
    auto& items = place->parent->items();
    if (index > items.size()) return Bad(path, "index out of range");
    items.insert(items.begin() + static_cast<std::ptrdiff_t>(index), std::move(value));
  }
  return {};
}

Status RemoveAt(Json& root, std::string_view path) {
  auto place = Locate(root, path);
  if (!place) return place.error();
  if (place->parent == nullptr) return Bad(path, "the root cannot be removed");
  if (place->parent->is_object()) {
    if (!place->parent->Erase(place->token)) return Bad(path, "nothing there");
    return {};
  }
  size_t index = IndexOf(*place->parent, place->token);
  auto& items = place->parent->items();
  if (index >= items.size()) return Bad(path, "index out of range");
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(index));
  return {};
}

Expected<Json> ReadAt(const Json& root, std::string_view path) {
  const Json* found = ResolvePointer(root, path);
  if (found == nullptr) return Bad(path, "nothing there");
  return *found;
}

Status ReplaceAt(Json& root, std::string_view path, Json value) {
  auto place = Locate(root, path);
  if (!place) return place.error();
  if (place->parent == nullptr) {
    root = std::move(value);
    return {};
  }
  Json* target = Step(*place->parent, place->token);
  if (target == nullptr) return Bad(path, "nothing there");
  *target = std::move(value);
  return {};
}

Status ApplyOne(Json& root, const Json& operation) {
  std::string op = operation.At("op").Str();
  const Json* path_value = operation.Find("path");
  if (path_value == nullptr || !path_value->is_string()) return Bad("", "a path is missing");
  std::string path = path_value->Str();
  const Json* value = operation.Find("value");
  if ((op == "add" || op == "replace" || op == "test") && value == nullptr)
    return Bad(path, "a value is missing");
  if (op == "add") return AddAt(root, path, *value);
  if (op == "remove") return RemoveAt(root, path);
  if (op == "replace") return ReplaceAt(root, path, *value);
  if (op == "test") {
    auto now = ReadAt(root, path);
    if (!now) return now.error();
    if (!(*now == *value)) return Bad(path, "test failed");
    return {};
  }
  if (op == "move" || op == "copy") {
    std::string from = operation.At("from").Str();
    auto moved = ReadAt(root, from);
    if (!moved) return moved.error();
    if (op == "move") {
      if (path.size() > from.size() && path.compare(0, from.size() + 1, from + "/") == 0) {
        return Bad(path, "cannot move a value into itself");
      }
      if (Status removed = RemoveAt(root, from); !removed) return removed;
    }
    return AddAt(root, path, std::move(*moved));
  }
  return Bad(path, StrCat("unknown op ", Quote(op)));
}

}  // namespace

void ApplyMergePatch(Json& target, const Json& patch) {
  if (!patch.is_object()) {
    target = patch;
    return;
  }
  if (!target.is_object()) target = Json::Obj();
  for (const auto& [key, value] : patch.members()) {
    if (value.is_null()) {
      target.Erase(key);
    } else {
      ApplyMergePatch(target[key], value);
    }
  }
}

Json MakeMergePatch(const Json& from, const Json& to) {
  if (!from.is_object() || !to.is_object()) return to;
  Json patch = Json::Obj();
  for (const auto& [key, value] : from.members()) {
    if (to.Find(key) == nullptr) patch.Set(key, Json());
  }
  for (const auto& [key, value] : to.members()) {
    const Json* before = from.Find(key);
    if (before != nullptr && *before == value) continue;
    patch.Set(key, before != nullptr && before->is_object() && value.is_object()
                       ? MakeMergePatch(*before, value)
                       : value);
  }
  return patch;
}

Status ApplyJsonPatch(Json& target, const Json& patch) {
  if (!patch.is_array())
    return Error(ErrorCode::kInvalid, "a JSON patch must be an array of operations");
  Json copy = target;
  for (const Json& operation : patch.items()) {
    if (Status done = ApplyOne(copy, operation); !done) return done;
  }
  target = std::move(copy);
  return {};
}

const Json* ResolvePointer(const Json& root, std::string_view pointer) {
  if (pointer.empty()) return &root;
  if (pointer[0] != '/') return nullptr;
  Json* at = const_cast<Json*>(&root);
  for (std::string_view token : Split(pointer.substr(1), '/')) {
    at = Step(*at, Unescape(token));
    if (at == nullptr) return nullptr;
  }
  return at;
}

std::string EscapePointerToken(std::string_view token) {
  return ReplaceAll(ReplaceAll(token, "~", "~0"), "/", "~1");
}

}  // namespace rollguard
