// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/system_clock.h"

#include <time.h>

#include <cstdlib>

namespace rollguard::cli {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kSmall = kSecond;
constexpr int64_t kStands = 60 * kSecond;

std::chrono::nanoseconds ReadClock(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

AnchoredClock::AnchoredClock(Read wall, Read monotonic)
    : wall_(std::move(wall)),
      monotonic_(std::move(monotonic)),
      ahead_((wall_() - monotonic_()).count()) {}

Time AnchoredClock::Now() const {
  const int64_t monotonic = monotonic_().count();
  const int64_t ahead = wall_().count() - monotonic;
  int64_t believed = ahead_;
  if (std::abs(ahead - believed) <= kSmall) {
    ahead_ = believed = ahead;
    jumped_ = kNever;
  } else if (const int64_t since = jumped_; since == kNever) {
    jumped_ = monotonic;
  } else if (monotonic - since >= kStands) {
    ahead_ = believed = ahead;
    jumped_ = kNever;
  }
  return Time(std::chrono::floor<Duration>(std::chrono::nanoseconds(monotonic + believed)));
}

// The monotonic clock is the one that also counts while the machine is suspended: a lease that ran
// out meanwhile has run out.
const Clock& SystemClock() {
  static const AnchoredClock machine([] { return ReadClock(CLOCK_REALTIME); },
                                     [] { return ReadClock(CLOCK_BOOTTIME); });
  return machine;
}

}  // namespace rollguard::cli
