// SPDX-License-Identifier: Apache-2.0
// Which kinds and versions the server serves. Asked once per group and remembered for a while.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/kube/client.h"

namespace rollguard::kube {

struct ServedKind {
  ResourceType type;
  std::vector<std::string> verbs;  // "get", "list", "watch", ...
  std::vector<std::string> subresources;
};

// Thread-safe; callbacks run on the client's loop. `client` and `clock` must outlive it, and it
// must outlive the calls it has under way.
class Discovery {
 public:
  Discovery(KubeClient& client, const Clock& clock, Duration keep = std::chrono::minutes(10));

  // The kind in the version asked for when that is served, else in the group's preferred one that
  // serves it. kNotFound names group and kind when the server has no such kind (say, a CRD that is
  // not installed).
  void Resolve(ResourceType wanted, std::function<void(Expected<ServedKind>)> done);

  void Forget();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace rollguard::kube
