// SPDX-License-Identifier: Apache-2.0
// The client-side rate limit: `burst` calls at once, then `qps` per second. Pure: told the time.
#pragma once

#include <algorithm>
#include <chrono>

#include "agent/base/time.h"

namespace rollguard::kube {

// Not thread-safe.
class TokenBucket {
 public:
  TokenBucket(double qps, int burst) : qps_(qps), burst_(burst), tokens_(burst) {}

  // Takes a place at once, whoever waits; they wait longer for it.
  void TakeNow() { tokens_ -= 1; }

  // Takes a place and says how long to wait for it; takes none and gives a negative duration when
  // the wait would be longer than `patience`. Time never runs backwards.
  Duration Take(std::chrono::nanoseconds now, Duration patience) {
    if (qps_ <= 0) return Duration(0);
    if (started_) {
      tokens_ = std::min<double>(burst_, tokens_ + qps_ * ToDouble(now - last_));
    }
    started_ = true;
    last_ = now;
    double missing = 1 - tokens_;
    Duration wait = missing <= 0 ? Duration(0) : FromSeconds(missing / qps_) + Duration(1);
    if (wait > patience) return Duration(-1);
    tokens_ -= 1;
    return wait;
  }

 private:
  static double ToDouble(std::chrono::nanoseconds d) {
    return static_cast<double>(d.count()) / 1e9;
  }

  double qps_;
  int burst_;
  double tokens_;
  bool started_ = false;
  std::chrono::nanoseconds last_{0};
};

}  // namespace rollguard::kube
