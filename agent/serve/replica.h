// SPDX-License-Identifier: Apache-2.0
// This process as one of several: the keeper of its shards, made only when the configuration says
// that there are several shards; what it holds as metrics and as a line of /health/deep.
// Belongs to the deciding thread once that runs.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/api/api.h"
#include "agent/app/shard_keeper.h"
#include "agent/serve/ground.h"

namespace rollguard::serve {

class Replica {
 public:
  explicit Replica(Ground& ground);

  // Null: there is one shard, and it is ours.
  app::Ownership* ownership() { return keeper_.get(); }
  // The controller watches guards.
  void Start(app::Controller& controller);
  // The cluster's store went back.
  void Relist();
  // Gives every shard back; `done` runs at once when there is nothing to give.
  void Stop(std::function<void()> done);

  // Whether the shards have owners, and which are ours.
  api::DependencyHealth Health() const;

 private:
  void Changed();

  Ground& ground_;
  std::unique_ptr<app::ShardKeeper> keeper_;
  std::string told_;  // the trouble that was logged last
};

}  // namespace rollguard::serve
