// SPDX-License-Identifier: Apache-2.0
// Asks everything the agent depends on whether it is well, and how long that took: what
// /health/deep shows. Answers are kept for a second, so that asking often costs nothing.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/api/api.h"
#include "agent/serve/ground.h"
#include "agent/serve/library_keeper.h"
#include "agent/serve/sources.h"

namespace rollguard::serve {

// Thread-safe; blocks the caller for a few seconds at most. What it is made from outlives it.
class Checkup {
 public:
  // `shards` is asked on the deciding thread.
  Checkup(Ground& ground, const Sources& sources, const LibraryKeeper& library,
          std::function<api::DependencyHealth()> shards)
      : ground_(ground), sources_(sources), library_(library), shards_(std::move(shards)) {}

  std::vector<api::DependencyHealth> Ask();

 private:
  std::vector<api::DependencyHealth> AskNow();

  Ground& ground_;
  const Sources& sources_;
  const LibraryKeeper& library_;
  const std::function<api::DependencyHealth()> shards_;
  std::mutex mutex_;
  std::optional<std::chrono::nanoseconds> asked_;
  std::vector<api::DependencyHealth> last_;
};

}  // namespace rollguard::serve
