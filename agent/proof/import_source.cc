// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/import_source.h"

#include "agent/base/text.h"

namespace rollguard::proof {

ImportSource::~ImportSource() {
  for (const yaml::Entry& entry : node_.entries) {
    if (taken_.find(entry.key) != taken_.end()) continue;
    notes_.push_back({entry.key_span, PathOf(entry.key), "is not carried over"});
  }
}

std::string ImportSource::PathOf(std::string_view key) const {
  return path_.empty() ? std::string(key) : StrCat(path_, ".", key);
}

std::vector<std::string> ImportSource::Keys() const {
  std::vector<std::string> keys;
  for (const yaml::Entry& entry : node_.entries) keys.push_back(entry.key);
  return keys;
}

Json ImportSource::Take(std::string_view key) {
  Ignore(key);
  const yaml::Node* value = node_.Find(key);
  return value != nullptr ? yaml::ToJson(*value) : Json();
}

void ImportSource::In(std::string_view key, const std::function<void(ImportSource&)>& read) {
  const yaml::Node* value = node_.Find(key);
  Ignore(key);
  if (value == nullptr || !value->is_mapping()) return;
  ImportSource inner(*value, PathOf(key), notes_);
  read(inner);
}

void ImportSource::Each(std::string_view key, const std::function<void(ImportSource&)>& read) {
  const yaml::Node* value = node_.Find(key);
  Ignore(key);
  if (value == nullptr || !value->is_sequence()) return;
  for (size_t i = 0; i < value->items.size(); ++i) {
    if (!value->items[i].is_mapping()) continue;
    ImportSource item(value->items[i], StrCat(PathOf(key), "[", i, "]"), notes_);
    read(item);
  }
}

void ImportSource::Leave(std::string_view key, std::string_view why) {
  const yaml::Entry* entry = node_.FindEntry(key);
  Ignore(key);
  if (entry != nullptr) notes_.push_back({entry->key_span, PathOf(key), std::string(why)});
}

void ImportSource::Note(std::string_view text) {
  notes_.push_back({node_.span, path_, std::string(text)});
}

void Carry(ImportSource& from, std::string_view key, Json& to, std::string_view as) {
  Json value = from.Take(key);
  if (!value.is_null()) to.Set(as, std::move(value));
}

void CarrySeconds(ImportSource& from, std::string_view key, Json& to, std::string_view as) {
  const Json value = from.Take(key);
  if (value.is_int()) to.Set(as, StrCat(value.IntOr(0), "s"));
  if (value.is_string()) {
    const std::string text = value.Str();
    to.Set(as, ParseInt(text) ? text + "s" : text);
  }
}

Json NewGuard(ImportSource& metadata, Json target) {
  Json about = Json::Obj();
  for (const char* key : {"uid", "resourceVersion", "generation", "creationTimestamp",
                          "managedFields", "ownerReferences", "finalizers"})
    metadata.Ignore(key);
  Carry(metadata, "name", about, "name");
  Carry(metadata, "namespace", about, "namespace");
  // Labels and annotations belong to the workload, not to its guard.
  for (const char* key : {"labels", "annotations"}) metadata.Ignore(key);
  return Json::Obj({{"apiVersion", "rollguard.dev/v1alpha1"},
                    {"kind", "Guard"},
                    {"metadata", std::move(about)},
                    {"spec", Json::Obj({{"target", std::move(target)}})}});
}

}  // namespace rollguard::proof
