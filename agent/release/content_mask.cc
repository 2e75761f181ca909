// SPDX-License-Identifier: Apache-2.0
// Tokens count up in the order values are met, and have no other relation to them. A value that is
// long gets a long token: how large a snapshot would be decides whether it is taken.
#include <algorithm>
#include <array>

#include "agent/base/text.h"
#include "agent/release/observation_json.h"

namespace rollguard::release {
namespace {

constexpr std::array<const char*, 3> kContents = {"data", "binaryData", "stringData"};
constexpr std::string_view kSnapshotKey = "snapshot.json";
constexpr size_t kLong = 4096;
constexpr int kMaxDepth = 64;

bool HasContent(const Json& object) {
  const std::string kind = object.At("kind").Str();
  return kind == "Secret" || kind == "ConfigMap";
}

// Of a path into an object.
bool IsContent(std::string_view path) {
  return std::any_of(kContents.begin(), kContents.end(), [&](std::string_view member) {
    const std::string_view rest = path.substr(std::min<size_t>(1, path.size()));
    return rest == member ||
           (rest.starts_with(member) && rest.substr(member.size()).starts_with("/"));
  });
}

template <class Replace>
Json MapStrings(const Json& json, const Replace& replace, int depth = 0) {
  if (json.is_string()) return replace(json.Str());
  if (depth >= kMaxDepth) return json;
  if (json.is_array()) {
    Json out = Json::Arr();
    for (const Json& item : json.items()) out.Push(MapStrings(item, replace, depth + 1));
    return out;
  }
  if (!json.is_object()) return json;
  Json out = Json::Obj();
  for (const auto& [key, value] : json.members()) {
    out.members().emplace_back(key, MapStrings(value, replace, depth + 1));
  }
  return out;
}

// The entries of one of our snapshots; null when the text is none.
Json SnapshotEntries(const std::string& encoded) {
  auto text = Base64Decode(encoded);
  if (!text) return {};
  auto entries = ParseJson(*text);
  return entries && entries->is_array() ? *entries : Json();
}

template <class Replace>
Json MapEntries(const Json& entries, const Replace& replace) {
  Json out = entries;
  for (Json& entry : out.items()) {
    for (const char* member : kContents) {
      if (Json* content = entry.Find(member)) *content = MapStrings(*content, replace);
    }
  }
  return out;
}

}  // namespace

std::string ContentMask::Token(const std::string& value) {
  if (value.empty()) return value;
  auto [at, is_new] = tokens_.try_emplace(value);
  if (is_new) {
    at->second = StrCat("content-", tokens_.size());
    if (value.size() > kLong) at->second.resize(value.size(), '.');
  }
  return at->second;
}

std::string ContentMask::Snapshot(const std::string& encoded) {
  const Json entries = SnapshotEntries(encoded);
  if (entries.is_null()) return Token(encoded);
  auto replace = [this](const std::string& value) { return Token(value); };
  std::string masked = Base64Encode(MapEntries(entries, replace).Dump());
  tokens_.emplace(encoded, masked);
  return masked;
}

Json ContentMask::Object(const Json& object) {
  if (!HasContent(object)) return object;
  Json out = object;
  for (const char* member : kContents) {
    Json* content = out.Find(member);
    if (content == nullptr || !content->is_object()) continue;
    for (auto& [key, value] : content->members()) {
      value = key == kSnapshotKey
                  ? Json(Snapshot(value.Str()))
                  : MapStrings(value, [this](const std::string& text) { return Token(text); });
    }
  }
  return out;
}

Json ContentMask::Patch(const Json& patch) const {
  auto known = [this](const std::string& value) {
    auto found = tokens_.find(value);
    return found == tokens_.end() ? value : found->second;
  };
  auto replace = [&](const std::string& value) -> Json {
    if (std::string token = known(value); token != value) return token;
    // A snapshot that is about to be taken holds values that are known.
    const Json entries = SnapshotEntries(value);
    return entries.is_null() ? value : Base64Encode(MapEntries(entries, known).Dump());
  };
  // Elsewhere the same text means something else: a kind, a version, a name.
  Json out = patch;
  if (out.is_array()) {
    for (Json& operation : out.items()) {
      Json* value = operation.Find("value");
      if (value != nullptr && IsContent(operation.At("path").Str()))
        *value = MapStrings(*value, replace);
    }
    return out;
  }
  for (const char* member : kContents) {
    if (Json* content = out.Find(member)) *content = MapStrings(*content, replace);
  }
  return out;
}

}  // namespace rollguard::release
