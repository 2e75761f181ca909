// SPDX-License-Identifier: Apache-2.0
// The machine's clocks. Only the command line makes one; everything below gets a Clock.
#pragma once

#include <atomic>
#include <functional>

#include "agent/base/time.h"

namespace rollguard::cli {

// Wall time that goes at the pace of the monotonic clock, so that a wall clock that jumps does not
// end waits early, make them last for hours, or date what happens wrongly. It follows small
// corrections at once; a jump only once it has stood for a minute: then it was no mistake.
// Thread-safe.
class AnchoredClock final : public Clock {
 public:
  using Read = std::function<std::chrono::nanoseconds()>;
  AnchoredClock(Read wall, Read monotonic);

  Time Now() const override;
  std::chrono::nanoseconds Monotonic() const override { return monotonic_(); }

 private:
  const Read wall_, monotonic_;
  mutable std::atomic<int64_t> ahead_;  // of the monotonic clock, in nanoseconds
  mutable std::atomic<int64_t> jumped_{kNever};
  static constexpr int64_t kNever = -1;
};

const Clock& SystemClock();

}  // namespace rollguard::cli
