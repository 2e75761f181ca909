// SPDX-License-Identifier: Apache-2.0
// Notices when the cluster's store was put back to an older state: its version, asked every few
// seconds, counts upwards for ever otherwise. Watches tell nothing of it: they wait for versions
// that come again only much later.
// Belongs to the deciding thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/ports/cluster.h"
#include "agent/ports/timers.h"

namespace rollguard::app {

class StorePulse {
 public:
  using WentBack = std::function<void(int64_t from, int64_t to)>;
  // `ns`: where Guards may be listed; empty: everywhere.
  StorePulse(Cluster& cluster, Timers& timers, std::string ns, WentBack went_back);
  ~StorePulse();
  StorePulse(const StorePulse&) = delete;
  StorePulse& operator=(const StorePulse&) = delete;

  void Start() { Ask(); }

 private:
  void Ask();
  void Came(const Expected<Json>& list);

  Cluster& cluster_;
  Timers& timers_;
  const std::string ns_;
  const WentBack went_back_;
  int64_t newest_ = 0;
  TimerId timer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace rollguard::app
