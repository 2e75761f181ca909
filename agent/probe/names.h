// SPDX-License-Identifier: Apache-2.0
// Host names to addresses. The system's resolver blocks for as long as it likes, so a few threads
// of their own wait for it; they start when the first name is asked for.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/expected.h"

namespace rollguard::probe {

// Thread-safe. The destructor does not wait for the resolver: what is still looked up then is
// thrown away.
class Names {
 public:
  using Found = std::function<void(Expected<std::vector<std::string>>)>;
  Names();
  ~Names();
  // `found` runs on one of the threads, or at once for what is an address already, or when too many
  // names wait.
  void Find(std::string host, Found found);

 private:
  struct Shared;
  static void Work(const std::shared_ptr<Shared>& shared);
  std::shared_ptr<Shared> shared_;
};

// Whether the text is an IPv4 or IPv6 address (brackets allowed); then `bare` is it without them.
bool IsAddress(const std::string& host, std::string& bare);

}  // namespace rollguard::probe
