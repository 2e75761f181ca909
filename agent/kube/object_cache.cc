// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/object_cache.h"

namespace rollguard::kube {

ObjectCache::Seen ObjectCache::Put(const Json& object, uint64_t list, Json* before) {
  const Json& metadata = object.At("metadata");
  Key key{metadata.At("namespace").Str(), metadata.At("name").Str()};
  if (key.name.empty()) return Seen::kSame;
  std::string version = metadata.At("resourceVersion").Str();
  const auto [at, is_new] = entries_.try_emplace(std::move(key));
  Entry& entry = at->second;
  entry.list = list;
  if (!is_new && entry.resource_version == version && !version.empty()) return Seen::kSame;
  if (!is_new && before != nullptr) *before = packer_.Unpack(entry.packed);
  bytes_ -= entry.packed.size();
  entry.packed = packer_.Pack(object);
  bytes_ += entry.packed.size();
  entry.resource_version = std::move(version);
  return is_new ? Seen::kNew : Seen::kChanged;
}

bool ObjectCache::Remove(std::string_view ns, std::string_view name, Json* last) {
  const auto found = entries_.find(KeyView{ns, name});
  if (found == entries_.end()) return false;
  if (last != nullptr) *last = packer_.Unpack(found->second.packed);
  bytes_ -= found->second.packed.size();
  entries_.erase(found);
  return true;
}

bool ObjectCache::Get(std::string_view ns, std::string_view name, Json* object) const {
  const auto found = entries_.find(KeyView{ns, name});
  if (found == entries_.end()) return false;
  *object = packer_.Unpack(found->second.packed);
  return true;
}

const std::string* ObjectCache::VersionOf(std::string_view ns, std::string_view name) const {
  const auto found = entries_.find(KeyView{ns, name});
  return found != entries_.end() ? &found->second.resource_version : nullptr;
}

void ObjectCache::ForEach(std::string_view ns,
                          const std::function<void(const Json&)>& visit) const {
  auto at = ns.empty() ? entries_.begin() : entries_.lower_bound(KeyView{ns, ""});
  for (; at != entries_.end() && (ns.empty() || at->first.ns == ns); ++at)
    visit(packer_.Unpack(at->second.packed));
}

std::vector<ObjectCache::Key> ObjectCache::Keys() const {
  std::vector<Key> keys;
  keys.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) keys.push_back(key);
  return keys;
}

std::vector<ObjectCache::Key> ObjectCache::NotSeenBy(uint64_t list) const {
  std::vector<Key> keys;
  for (const auto& [key, entry] : entries_) {
    if (entry.list != list) keys.push_back(key);
  }
  return keys;
}

}  // namespace rollguard::kube
