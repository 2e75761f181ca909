// SPDX-License-Identifier: Apache-2.0
#include "agent/app/peers.h"

#include "agent/base/text.h"

namespace rollguard::app {
namespace {

// "name" or "namespace/name".
std::string IdOf(const std::string& ref, const std::string& ns) {
  return ref.find('/') == std::string::npos ? StrCat(ns, "/", ref) : ref;
}

PeerIndex::Entry Read(const Json& guard) {
  PeerIndex::Entry entry;
  entry.ns = guard.At("metadata", "namespace").Str();
  entry.name = guard.At("metadata", "name").Str();
  entry.id = StrCat(entry.ns, "/", entry.name);
  const Json& spec = guard.At("spec");
  entry.group = spec.At("group").Str();
  entry.key = spec.At("concurrency", "key").Str();
  entry.supersedes = spec.At("concurrency", "policy").Str() == "supersede";
  for (const Json& ref : spec.At("dependsOn").items())
    entry.depends_on.push_back(IdOf(ref.Str(), entry.ns));
  for (const Json& after : spec.At("promotion", "after").items()) {
    if (after.At("context").Str().empty())
      entry.after.push_back(IdOf(after.At("guard").Str(), entry.ns));
  }
  return entry;
}

void Drop(std::map<std::string, std::set<std::string>>& index, const std::string& value,
          const std::string& id) {
  auto found = index.find(value);
  if (found == index.end()) return;
  found->second.erase(id);
  if (found->second.empty()) index.erase(found);
}

}  // namespace

void PeerIndex::Put(const Json& guard) {
  Entry entry = Read(guard);
  auto known = entries_.find(entry.id);
  if (known != entries_.end() && known->second == entry) return;
  Remove(entry.id);
  if (entry.group.empty() && entry.key.empty() && entry.after.empty()) return;
  if (!entry.group.empty()) groups_[entry.group].insert(entry.id);
  if (!entry.key.empty()) keys_[entry.key].insert(entry.id);
  for (const std::string& upstream : entry.after) followers_[upstream].insert(entry.id);
  entries_[entry.id] = std::move(entry);
}

void PeerIndex::Remove(const std::string& id) {
  auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Drop(groups_, found->second.group, id);
  Drop(keys_, found->second.key, id);
  for (const std::string& upstream : found->second.after) Drop(followers_, upstream, id);
  entries_.erase(found);
}

const PeerIndex::Entry* PeerIndex::Find(const std::string& id) const {
  auto found = entries_.find(id);
  return found != entries_.end() ? &found->second : nullptr;
}

std::vector<const PeerIndex::Entry*> PeerIndex::Others(const Index& index, const std::string& value,
                                                       const std::string& id) const {
  std::vector<const Entry*> out;
  auto found = value.empty() ? index.end() : index.find(value);
  if (found == index.end()) return out;
  for (const std::string& other : found->second) {
    if (other != id) out.push_back(&entries_.at(other));
  }
  return out;
}

std::vector<const PeerIndex::Entry*> PeerIndex::OfGroup(const Entry& entry) const {
  return Others(groups_, entry.group, entry.id);
}

std::vector<const PeerIndex::Entry*> PeerIndex::OfKey(const Entry& entry) const {
  return Others(keys_, entry.key, entry.id);
}

std::set<std::string> PeerIndex::Concerned(const std::string& id) const {
  std::set<std::string> out;
  if (const Entry* entry = Find(id)) {
    for (const Entry* other : OfGroup(*entry)) out.insert(other->id);
    for (const Entry* other : OfKey(*entry)) out.insert(other->id);
  }
  if (auto found = followers_.find(id); found != followers_.end())
    out.insert(found->second.begin(), found->second.end());
  out.erase(id);
  return out;
}

}  // namespace rollguard::app
