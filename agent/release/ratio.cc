// SPDX-License-Identifier: Apache-2.0
// No router: the share of traffic is the share of pods. The two tracks change places a few pods at
// a time: never fewer available than the full size (but for one pod when none may be added), never
// more than `maxSurge` above it.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

struct Side {
  const WorkloadView& workload;
  int64_t goal;
  bool candidate;
};

Progress Bring(Context& c, const Side& side, int64_t replicas) {
  return side.candidate ? EnsureCandidate(c, replicas) : EnsureStable(c, replicas);
}

}  // namespace

Progress ExchangePods(Context& c, int64_t weight) {
  const int64_t full = FullSize(c), surge = Surge(c);
  const Side candidate{c.candidate(), CandidateNeed(c, weight), true};
  const Side stable{c.stable(), StableNeed(c, weight), false};
  const bool rising =
      stable.workload.replicas > stable.goal || candidate.workload.replicas < candidate.goal;
  const Side& grows = rising ? candidate : stable;
  const Side& shrinks = rising ? stable : candidate;
  const int64_t now = grows.workload.exists ? grows.workload.replicas : 0;
  const int64_t others = std::max(shrinks.workload.replicas, shrinks.workload.total);
  const int64_t to = std::min(grows.goal, std::max(now, full + surge - others));
  if (to > 0 || grows.workload.exists) {
    if (const Progress done = Bring(c, grows, to); done != Progress::kDone) return done;
  }
  const int64_t spare = surge > 0 ? 0 : 1;
  const int64_t down = std::max(shrinks.goal, full - grows.workload.available - spare);
  if (shrinks.workload.exists && down < shrinks.workload.replicas) return Bring(c, shrinks, down);
  if (to < grows.goal) {
    c.Wait("pods of one track wait for those of the other to go");
    return Progress::kWaiting;
  }
  return shrinks.workload.exists ? Bring(c, shrinks, shrinks.goal) : Progress::kDone;
}

// Zero is no size to release with: stable is brought back to its share.
void FollowScaling(Context& c) {
  if (!FollowsReplicas(c) || c.plan.kind != Plan::Kind::kSibling || !c.stable().exists) return;
  const int64_t now = c.stable().replicas;
  const int64_t to = c.rel().scaled_to.value_or(c.rel().base_replicas);
  if (now == to) {
    // Seen: a return to the size before is somebody's wish, too.
    if (c.rel().scaled_from && c.rel().scaled_from != to) c.EditRelease().scaled_from = to;
    return;
  }
  if (now == 0 || now == c.rel().scaled_from) return;
  c.Wait(StrCat("the target was scaled to ", now, ": both tracks follow"));
  ReleaseState& rel = c.EditRelease();
  rel.base_replicas = now;
  rel.scaled_from = rel.scaled_to = now;
}

}  // namespace rollguard::release
