// SPDX-License-Identifier: Apache-2.0
// Five-field cron expressions for freeze windows: minute hour day-of-month month day-of-week, with
// `*`, lists, ranges, steps and names (MON, JAN). When both day fields are restricted, either one
// matching suffices, as cron has always had it.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/base/expected.h"
#include "agent/base/time.h"

namespace rollguard::spec {

struct Cron {
  std::bitset<60> minutes;
  std::bitset<24> hours;
  std::bitset<32> days;
  std::bitset<13> months;
  std::bitset<7> weekdays;  // 0 is Sunday
  bool any_day = true;
  bool any_weekday = true;

  // Whether a minute that begins at `local` (already shifted by the offset) is one of these.
  bool Matches(Time local) const;
};

Expected<Cron> ParseCron(std::string_view text);

// "UTC", "Z", "+01:00", "-0530".
std::optional<Duration> ParseOffset(std::string_view text);

// Whether a window that begins at one of the cron's minutes and lasts `length` covers `now`.
// Windows are at most 31 days long.
bool InWindow(const Cron& cron, Duration length, Duration offset, Time now);
// When the window that covers `now` ends, windows that follow without a gap included (up to 31 days
// ahead); nothing when none covers it.
std::optional<Time> WindowEnd(const Cron& cron, Duration length, Duration offset, Time now);

}  // namespace rollguard::spec
