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

}  // namespace rollguard::release
