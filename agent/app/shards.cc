// SPDX-License-Identifier: Apache-2.0
// Rendezvous hashing: every (key, candidate) pair has a weight, the heaviest candidate wins. A
// candidate that goes takes only its own keys with it. The bound breaks that a little: shards are
// dealt in order, and a replica with its share is passed over.
#include "agent/app/shards.h"

#include <algorithm>
#include <cstdint>
#include <map>

#include "agent/base/hash.h"

namespace rollguard::app {
namespace {

// splitmix64's finisher: FNV alone leaves neighbours alike.
uint64_t Mix(uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

uint64_t Weight(uint64_t key, int shard) {
  return Mix(key ^ Mix(static_cast<uint64_t>(shard) + 0x9e3779b97f4a7c15ULL));
}

}  // namespace

int ShardOf(std::string_view guard, int count) {
  const uint64_t key = Fnv1a64(guard);
  int best = 0;
  uint64_t heaviest = 0;
  for (int shard = 0; shard < count; ++shard) {
    uint64_t weight = Weight(key, shard);
    if (shard == 0 || weight > heaviest) {
      heaviest = weight;
      best = shard;
    }
  }
  return best;
}

std::vector<std::string> AssignShards(int count, std::vector<std::string> replicas) {
  std::sort(replicas.begin(), replicas.end());
  replicas.erase(std::unique(replicas.begin(), replicas.end()), replicas.end());
  std::vector<std::string> owners(static_cast<size_t>(count));
  if (replicas.empty()) return owners;
  const auto share = (owners.size() + replicas.size() - 1) / replicas.size();
  std::map<std::string, size_t> dealt;
  for (int shard = 0; shard < count; ++shard) {
    const std::string* best = nullptr;
    uint64_t heaviest = 0;
    for (const std::string& replica : replicas) {
      if (dealt[replica] >= share) continue;
      uint64_t weight = Weight(Fnv1a64(replica), shard);
      if (best == nullptr || weight > heaviest) {
        heaviest = weight;
        best = &replica;
      }
    }
    ++dealt[*best];
    owners[static_cast<size_t>(shard)] = *best;
  }
  return owners;
}

std::vector<ShardMove> PlanShards(const ShardView& view) {
  const bool may_claim = !view.stopping && !view.disputed;
  const bool first_is_free = !view.shards.empty() && view.shards[0] == Holder::kNobody;
  const auto wanted = AssignShards(static_cast<int>(view.shards.size()), view.replicas);
  std::vector<ShardMove> moves(view.shards.size(), ShardMove::kNone);
  for (size_t shard = 0; shard < moves.size(); ++shard) {
    const bool ours = wanted[shard] == view.self && !view.stopping && !view.overruled;
    switch (view.shards[shard]) {
      case Holder::kOther: break;
      case Holder::kNobody:
        if (ours && may_claim && (shard == 0 || !first_is_free)) moves[shard] = ShardMove::kClaim;
        break;
      case Holder::kSelf: {
        const bool keep = ours || (wanted[shard].empty() && !view.stopping && !view.overruled);
        moves[shard] = keep ? ShardMove::kRenew : ShardMove::kGiveUp;
        break;
      }
    }
  }
  return moves;
}

}  // namespace rollguard::app
