// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/system_clock.h"

namespace rollguard::cli {
namespace {

class Machine final : public Clock {
 public:
  Time Now() const override {
    return std::chrono::floor<Duration>(std::chrono::system_clock::now());
  }
  std::chrono::nanoseconds Monotonic() const override {
    return std::chrono::steady_clock::now().time_since_epoch();
  }
};

}  // namespace

const Clock& SystemClock() {
  static const Machine machine;
  return machine;
}

}  // namespace rollguard::cli
