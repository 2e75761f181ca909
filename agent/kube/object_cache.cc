// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/object_cache.h"

#include <cstring>
#include <new>

namespace rollguard::kube {

ObjectCache::Entry::Entry(const KeyView& key, std::string_view version, std::string_view packed)
    : block_(new char[sizeof(Head) + key.ns.size() + key.name.size() + version.size() +
                      packed.size()]) {
  new (block_.get()) Head;
  char* const begin = block_.get() + sizeof(Head);
  char* at = begin;
  size_t number = 0;
  for (std::string_view part : {key.ns, key.name, version, packed}) {
    if (!part.empty()) std::memcpy(at, part.data(), part.size());
    at += part.size();
    head().end[number++] = static_cast<uint32_t>(at - begin);
  }
}

std::string_view ObjectCache::Entry::Part(size_t number) const {
  const size_t begin = number == 0 ? 0 : head().end[number - 1];
  return {block_.get() + sizeof(Head) + begin, head().end[number] - begin};
}

ObjectCache::Seen ObjectCache::Put(const Json& object, uint64_t list, Json* before) {
  const Json& metadata = object.At("metadata");
  const std::string ns = metadata.At("namespace").Str(), name = metadata.At("name").Str();
  if (name.empty()) return Seen::kSame;
  const std::string version = metadata.At("resourceVersion").Str();
  const KeyView key{ns, name};
  auto next = entries_.lower_bound(key);
  const bool is_new = next == entries_.end() || Less()(key, *next);
  if (!is_new) {
    next->SetList(list);
    if (next->version() == version && !version.empty()) return Seen::kSame;
    if (before != nullptr) *before = packer_.Unpack(next->packed());
    bytes_ -= next->packed().size();
    next = entries_.erase(next);
  }
  packer_.Holds(entries_.size() + 1);
  const auto at = entries_.emplace_hint(next, key, version, packer_.Pack(object));
  at->SetList(list);
  bytes_ += at->packed().size();
  return is_new ? Seen::kNew : Seen::kChanged;
}

bool ObjectCache::Remove(std::string_view ns, std::string_view name, Json* last) {
  const auto found = entries_.find(KeyView{ns, name});
  if (found == entries_.end()) return false;
  if (last != nullptr) *last = packer_.Unpack(found->packed());
  bytes_ -= found->packed().size();
  entries_.erase(found);
  return true;
}

bool ObjectCache::Get(std::string_view ns, std::string_view name, Json* object) const {
  const auto found = entries_.find(KeyView{ns, name});
  if (found == entries_.end()) return false;
  *object = packer_.Unpack(found->packed());
  return true;
}

std::string_view ObjectCache::VersionOf(std::string_view ns, std::string_view name) const {
  const auto found = entries_.find(KeyView{ns, name});
  return found != entries_.end() ? found->version() : std::string_view();
}

bool ObjectCache::Has(std::string_view ns, std::string_view name) const {
  return entries_.contains(KeyView{ns, name});
}

void ObjectCache::ForEach(std::string_view ns,
                          const std::function<void(const Json&)>& visit) const {
  auto at = ns.empty() ? entries_.begin() : entries_.lower_bound(KeyView{ns, ""});
  for (; at != entries_.end() && (ns.empty() || at->key().ns == ns); ++at)
    visit(packer_.Unpack(at->packed()));
}

std::vector<ObjectCache::Key> ObjectCache::Keys() const {
  std::vector<Key> keys;
  keys.reserve(entries_.size());
  for (const Entry& entry : entries_)
    keys.push_back({std::string(entry.key().ns), std::string(entry.key().name)});
  return keys;
}

std::vector<ObjectCache::Key> ObjectCache::NotSeenBy(uint64_t list) const {
  std::vector<Key> keys;
  for (const Entry& entry : entries_) {
    if (entry.list() != list)
      keys.push_back({std::string(entry.key().ns), std::string(entry.key().name)});
  }
  return keys;
}

}  // namespace rollguard::kube
