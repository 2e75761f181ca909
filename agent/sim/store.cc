// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/store.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::sim {

ObjectPtr Store::Get(const ObjectKey& key) const {
  if (static_cast<size_t>(key.type) >= by_type_.size()) return nullptr;
  const Names& names = by_type_[static_cast<size_t>(key.type)];
  auto it = names.find({key.ns, key.name});
  return it != names.end() ? it->second : nullptr;
}

std::vector<ObjectPtr> Store::List(int type, std::string_view ns) const {
  std::vector<ObjectPtr> out;
  if (static_cast<size_t>(type) >= by_type_.size()) return out;
  const Names& names = by_type_[static_cast<size_t>(type)];
  auto it = ns.empty() ? names.begin() : names.lower_bound({std::string(ns), ""});
  for (; it != names.end() && (ns.empty() || it->first.first == ns); ++it)
    out.push_back(it->second);
  return out;
}

// What became something else after `version`, as it was then; null where nothing was.
Store::Names Store::ChangedSince(int type, uint64_t version, const Name& after) const {
  Names out;
  for (auto it = history_.rbegin(); it != history_.rend() && it->version > version; ++it) {
    if (it->key.type != type) continue;
    Name name(it->key.ns, it->key.name);
    if (name > after) out[std::move(name)] = it->before;
  }
  return out;
}

// The present, with every change after `version` laid over it.
void Store::WalkAt(int type, std::string_view ns, uint64_t version, const Name& after,
                   const std::function<void(const ObjectPtr&)>& visit) const {
  static const Names none;
  const bool known = static_cast<size_t>(type) < by_type_.size();
  const Names& present = known ? by_type_[static_cast<size_t>(type)] : none;
  const Name from = std::max(after, Name(ns, ""));
  const Names past = ChangedSince(type, version, from);
  auto was = past.begin();
  auto is = present.upper_bound(from);
  while (was != past.end() || is != present.end()) {
    const bool changed = was != past.end() && (is == present.end() || was->first <= is->first);
    const auto& [name, object] = changed ? *was : *is;
    if (!ns.empty() && name.first != ns) return;
    if (object) visit(object);
    if (is != present.end() && is->first == name) ++is;
    if (changed) ++was;
  }
}

size_t Store::Count(int type) const {
  return static_cast<size_t>(type) < by_type_.size() ? by_type_[static_cast<size_t>(type)].size()
                                                     : 0;
}

std::vector<ObjectKey> Store::Dependents(std::string_view uid) const {
  auto it = dependents_.find(std::string(uid));
  return it != dependents_.end() ? it->second : std::vector<ObjectKey>();
}

const ObjectKey* Store::FindUid(std::string_view uid) const {
  auto it = by_uid_.find(std::string(uid));
  return it != by_uid_.end() ? &it->second : nullptr;
}

ObjectPtr Store::Put(const ObjectKey& key, Json object) {
  object["metadata"].Set("resourceVersion", std::to_string(++version_));
  auto snapshot = std::make_shared<const Json>(std::move(object));
  if (static_cast<size_t>(key.type) >= by_type_.size())
    by_type_.resize(static_cast<size_t>(key.type) + 1);
  ObjectPtr& slot = by_type_[static_cast<size_t>(key.type)][{key.ns, key.name}];
  ObjectPtr before = std::exchange(slot, snapshot);
  Index(key, before.get(), snapshot.get());
  Publish({version_, key, before, snapshot, nullptr});
  return snapshot;
}

ObjectPtr Store::Remove(const ObjectKey& key) {
  ObjectPtr before = Get(key);
  if (!before) return nullptr;
  by_type_[static_cast<size_t>(key.type)].erase({key.ns, key.name});
  Index(key, before.get(), nullptr);
  Json last = *before;
  last["metadata"].Set("resourceVersion", std::to_string(++version_));
  auto snapshot = std::make_shared<const Json>(std::move(last));
  Publish({version_, key, before, nullptr, snapshot});
  return snapshot;
}

void Store::Index(const ObjectKey& key, const Json* before, const Json* after) {
  static const Json none;
  const Json& was = before != nullptr ? Meta(*before).At("ownerReferences") : none;
  const Json& is = after != nullptr ? Meta(*after).At("ownerReferences") : none;
  if (!(was == is)) {
    for (const Json& owner : was.items()) {
      auto dependents = dependents_.find(owner.At("uid").Str());
      if (dependents == dependents_.end()) continue;
      std::erase(dependents->second, key);
      if (dependents->second.empty()) dependents_.erase(dependents);
    }
    for (const Json& owner : is.items()) dependents_[owner.At("uid").Str()].push_back(key);
  }
  if (before != nullptr && after == nullptr) by_uid_.erase(std::string(UidOf(*before)));
  if (before == nullptr && after != nullptr) by_uid_[std::string(UidOf(*after))] = key;
}

void Store::Publish(Change change) {
  history_.push_back(change);
  if (history_.size() > history_limit_) Compact(history_.front().version);
  for (const auto& listener : listeners_) listener(change);
}

void Store::Compact(uint64_t version) {
  compacted_ = std::max(compacted_, std::min(version, version_));
  while (!history_.empty() && history_.front().version <= compacted_) history_.pop_front();
}

void Store::OnChange(std::function<void(const Change&)> listener) {
  listeners_.push_back(std::move(listener));
}

}  // namespace rollguard::sim
