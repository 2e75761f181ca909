// SPDX-License-Identifier: Apache-2.0
// Which guards a changed object concerns. Thousands of guards come, change and go, so both ways are
// looked up by hash: keys are kept as 64 bits only, and a guard that says the same keys again, as
// nearly every one does, costs nothing more. Two keys with one hash wake a guard once too often.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rollguard::app {

class GuardIndex {
 public:
  // From now on exactly these keys concern the guard; none: it is forgotten.
  void Put(const std::string& guard, const std::vector<std::string>& keys);
  // Calls `visit` for every guard that the key concerns; it must not change the index.
  void ForEach(std::string_view key,
               const std::function<void(const std::string& guard)>& visit) const;
  size_t guards() const { return keys_.size(); }

 private:
  void Drop(uint64_t key, const std::string* guard);

  std::unordered_map<std::string, std::vector<uint64_t>> keys_;   // sorted, each once
  std::unordered_multimap<uint64_t, const std::string*> guards_;  // names lie in keys_
};

}  // namespace rollguard::app
