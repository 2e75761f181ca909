// SPDX-License-Identifier: Apache-2.0
// Time as rollguard uses it: milliseconds since the Unix epoch, and durations in milliseconds.
// The core never reads a clock; it is told `now`. Only `main.cc` and the simulation own a Clock.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/expected.h"

namespace rollguard {

using Duration = std::chrono::milliseconds;
using Time = std::chrono::sys_time<Duration>;

// Wall time for what is recorded, monotonic time for what is measured.
// Implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time Now() const = 0;
  virtual std::chrono::nanoseconds Monotonic() const = 0;
};

// Go's duration syntax: "300ms", "1.5h", "1h30m", "-5s", "0". Units ns us µs ms s m h; the result
// is rounded to milliseconds towards zero. `d` (24h) and `w` are accepted when `days` is set.
Expected<Duration> ParseGoDuration(std::string_view text, bool days = false);

// As Go prints it: "1h30m0s", "1m30s", "1.5s", "250ms", "0s".
std::string FormatGoDuration(Duration d);

// For people: "4m12s", "2h", "3d4h"; at most two units.
std::string FormatShortDuration(Duration d);

// Prometheus' syntax: "5m", "1h30m", "1d", "2w", "1y", "100ms"; units once each, largest first.
// Zero is accepted only when `allow_zero`.
Expected<Duration> ParsePromDuration(std::string_view text, bool allow_zero = false);
std::string FormatPromDuration(Duration d);

// RFC 3339 with any fraction and offset ("2026-11-02T10:00:00.5+01:00"); printed in UTC with
// seconds ("2026-11-02T10:00:00Z"), and milliseconds only when there are some.
Expected<Time> ParseRfc3339(std::string_view text);
std::string FormatRfc3339(Time t);
// Always six fractional digits: Kubernetes' MicroTime.
std::string FormatMicroTime(Time t);
// "14:02:11", UTC.
std::string FormatClockTime(Time t);

inline Time FromUnixMillis(int64_t ms) { return Time(Duration(ms)); }
inline int64_t ToUnixMillis(Time t) { return t.time_since_epoch().count(); }
inline double ToSeconds(Duration d) { return static_cast<double>(d.count()) / 1000.0; }
inline Duration FromSeconds(double s) { return Duration(static_cast<int64_t>(s * 1000.0)); }

}  // namespace rollguard
