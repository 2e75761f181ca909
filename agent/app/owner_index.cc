// SPDX-License-Identifier: Apache-2.0
#include "agent/app/owner_index.h"

#include "agent/base/text.h"

namespace rollguard::app {

void OwnerIndex::Put(std::string_view ns, std::string_view owner, std::string_view name) {
  entries_.insert(StrCat(ns, "/", owner, "/", name));
}

void OwnerIndex::Remove(std::string_view ns, std::string_view owner, std::string_view name) {
  entries_.erase(StrCat(ns, "/", owner, "/", name));
}

std::vector<std::string> OwnerIndex::OwnedBy(std::string_view ns, std::string_view owner) const {
  std::vector<std::string> names;
  const std::string prefix = StrCat(ns, "/", owner, "/");
  for (auto at = entries_.lower_bound(prefix); at != entries_.end(); ++at) {
    if (!at->starts_with(prefix)) break;
    names.push_back(at->substr(prefix.size()));
  }
  return names;
}

std::vector<std::string> OwnerIndex::OwnedBelow(std::string_view ns, std::string_view name) const {
  std::vector<std::string> names;
  const std::string prefix = StrCat(ns, "/", name, "-");
  for (auto at = entries_.lower_bound(prefix); at != entries_.end(); ++at) {
    if (!at->starts_with(prefix)) break;
    const size_t end = at->find('/', prefix.size());
    const bool of_another = at->find('-', prefix.size()) < end;
    if (!of_another) names.push_back(at->substr(end + 1));
  }
  return names;
}

}  // namespace rollguard::app
