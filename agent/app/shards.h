// SPDX-License-Identifier: Apache-2.0
// Who owns what, as pure functions: guards belong to shards by rendezvous hashing, shards to
// replicas by rendezvous hashing with a bound, so that no replica has more than its share. Every
// replica computes the same from the same list of replicas; when one comes or goes few shards move.
//
// Nothing here makes it true: a replica owns a shard while it holds the shard's lease.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rollguard::app {

// The guard's shard, 0 <= shard < count. `guard`: namespace/name.
int ShardOf(std::string_view guard, int count);

// For each shard the replica that should have it; "" when there are no replicas. The order of
// `replicas` does not matter. No replica gets more than ceil(count / replicas).
std::vector<std::string> AssignShards(int count, std::vector<std::string> replicas);

enum class Holder { kNobody, kSelf, kOther };
enum class ShardMove { kNone, kClaim, kRenew, kGiveUp };

struct ShardView {
  std::string self;                   // our name
  std::vector<std::string> replicas;  // alive; ourselves among them once we have said so
  std::vector<Holder> shards;         // kNobody: given back, or its holder has let it run out
  bool stopping = false;
  bool disputed = false;   // a shard is held by a replica that counts the shards differently
  bool overruled = false;  // so is the first shard
};

// One move for each shard. What another has is never touched; what is ours is given up only to a
// replica that is alive and should have it, or when we stop.
//
// Replicas that count shards differently must never decide side by side: the same guard would be
// in a shard of each. The first shard is claimed before any other, so whoever holds it says how
// many there are; who counts differently claims nothing and gives up what it has.
std::vector<ShardMove> PlanShards(const ShardView& view);

}  // namespace rollguard::app
