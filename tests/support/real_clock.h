// SPDX-License-Identifier: Apache-2.0
// The machine's clock, for tests of what runs in real time (sockets, child processes).
#pragma once

#include "agent/base/time.h"

namespace rollguard::testing {

class RealClock final : public Clock {
 public:
  Time Now() const override {
    return std::chrono::floor<Duration>(std::chrono::system_clock::now());
  }
  std::chrono::nanoseconds Monotonic() const override {
    return std::chrono::steady_clock::now().time_since_epoch();
  }
};

}  // namespace rollguard::testing
