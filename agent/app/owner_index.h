// SPDX-License-Identifier: Apache-2.0
// What belongs to which workload: names of objects of one kind by the name of their controlling
// owner. One text for each object, for there are tens of thousands of pods.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rollguard::app {

class OwnerIndex {
 public:
  void Put(std::string_view ns, std::string_view owner, std::string_view name);
  void Remove(std::string_view ns, std::string_view owner, std::string_view name);

  // In order of their names.
  std::vector<std::string> OwnedBy(std::string_view ns, std::string_view owner) const;
  // Of owners `name-HASH`, in their order.
  std::vector<std::string> OwnedBelow(std::string_view ns, std::string_view name) const;

 private:
  std::set<std::string, std::less<>> entries_;  // "namespace/owner/name": no part has a slash
};

}  // namespace rollguard::app
