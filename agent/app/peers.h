// SPDX-License-Identifier: Apache-2.0
// Which guards concern each other: of one group, with one concurrency key, promoted one after
// another. Knows every Guard of the cluster, also those that other replicas decide on; reads only
// these few fields of it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/base/json.h"

namespace rollguard::app {

class PeerIndex {
 public:
  struct Entry {
    std::string id;  // namespace/name
    std::string ns;
    std::string name;
    std::string group;
    std::string key;
    bool supersedes = false;              // policy of the key
    std::vector<std::string> depends_on;  // ids
    std::vector<std::string> after;       // ids in this cluster that it is promoted after
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  void Put(const Json& guard);
  void Remove(const std::string& id);

  // nullptr: the guard concerns no other, or is not known.
  const Entry* Find(const std::string& id) const;
  std::vector<const Entry*> OfGroup(const Entry& entry) const;  // without itself
  std::vector<const Entry*> OfKey(const Entry& entry) const;    // without itself
  // Guards that must look again when this one has changed.
  std::set<std::string> Concerned(const std::string& id) const;

 private:
  using Index = std::map<std::string, std::set<std::string>>;
  std::vector<const Entry*> Others(const Index& index, const std::string& value,
                                   const std::string& id) const;

  std::map<std::string, Entry> entries_;
  Index groups_;
  Index keys_;
  Index followers_;  // upstream -> those promoted after it
};

}  // namespace rollguard::app
