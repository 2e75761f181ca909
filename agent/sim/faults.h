// SPDX-License-Identifier: Apache-2.0
// What may go wrong between a client and the API server, as probabilities that a seed decides.
#pragma once

#include "agent/base/time.h"

namespace rollguard::sim {

struct FaultPlan {
  // Every call and every watch event takes this long.
  Duration latency_min{1};
  Duration latency_max{5};
  // Now and then a call takes this much longer.
  double slow = 0;
  Duration slow_by{2000};

  double error_before = 0;  // 503, nothing happened
  double error_after = 0;   // the effect happened, the answer was lost
  double conflict = 0;      // writes: 409 although nothing changed
  double throttled = 0;     // 429 with Retry-After 1 s
  double watch_drop = 0;    // per event: the watch closes instead (kUnavailable)
  double watch_gone = 0;    // per event: the watch closes with kGone
  double watch_stale = 0;   // per event: it and what follows come late, by up to:
  Duration stale_by{10'000};

  // No fault (latency stays) at or after this time. Zero: always on.
  Time until{};

  static FaultPlan None() { return {}; }
  // A bit of everything: what the seeded simulations run under.
  static FaultPlan Rough() {
    FaultPlan plan;
    plan.latency_max = Duration(200);
    plan.slow = 0.02;
    plan.error_before = plan.error_after = 0.03;
    plan.conflict = 0.03;
    plan.throttled = 0.01;
    plan.watch_drop = plan.watch_gone = 0.005;
    plan.watch_stale = 0.02;
    return plan;
  }
};

}  // namespace rollguard::sim
