// SPDX-License-Identifier: Apache-2.0
// Every version of the routing objects of a namespace, as a watch on the real server saw them.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/e2e/support/blocking_cluster.h"

namespace rollguard::testing {

class RouteTape {
 public:
  // Watches from now on. The cluster outlives the tape.
  RouteTape(BlockingCluster& cluster, const std::string& ns,
            const std::vector<ResourceType>& types);
  ~RouteTape();

  // What was seen, one line for each change: "Kind/name JSON", objects in order of name. Hashes of
  // pod templates are numbered in the order in which they appear.
  std::string Text() const;

 private:
  struct Seen {
    mutable std::mutex mutex;
    std::map<std::string, std::vector<std::string>> versions;  // by Kind/name
  };
  BlockingCluster& cluster_;
  std::string ns_;
  std::shared_ptr<Seen> seen_ = std::make_shared<Seen>();
  std::vector<WatchId> watches_;
};

}  // namespace rollguard::testing
