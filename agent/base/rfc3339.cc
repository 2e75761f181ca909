// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>

#include "agent/base/text.h"
#include "agent/base/time.h"

namespace rollguard {
namespace {

using std::chrono::days;
using std::chrono::floor;

// Cursor over fixed-width decimal fields; any mismatch makes `ok` false for good.
struct Reader {
  std::string_view text;
  bool ok = true;

  int Number(size_t width) {
    if (text.size() < width) ok = false;
    int value = 0;
    for (size_t i = 0; ok && i < width; ++i) {
      if (text[i] < '0' || text[i] > '9') ok = false;
      value = value * 10 + (text[i] - '0');
    }
    if (ok) text.remove_prefix(width);
    return value;
  }
  bool Take(std::string_view any) {
    if (text.empty() || any.find(text[0]) == std::string_view::npos) return false;
    text.remove_prefix(1);
    return true;
  }
  void Expect(std::string_view any) { ok = Take(any) && ok; }
};

int64_t ReadFraction(Reader& in) {
  int64_t millis = 0;
  int place = 0;
  while (!in.text.empty() && in.text[0] >= '0' && in.text[0] <= '9') {
    if (place < 3) millis = millis * 10 + (in.text[0] - '0');
    ++place;
    in.text.remove_prefix(1);
  }
  if (place == 0) in.ok = false;
  for (; place < 3; ++place) millis *= 10;
  return millis;
}

int64_t ReadOffsetMinutes(Reader& in) {
  if (in.Take("Zz")) return 0;
  int sign = !in.text.empty() && in.text[0] == '-' ? -1 : 1;
  in.Expect("+-");
  int hours = in.Number(2);
  in.Expect(":");
  int minutes = in.Number(2);
  if (hours > 23 || minutes > 59) in.ok = false;
  return sign * (hours * 60 + minutes);
}

struct Parts {
  std::chrono::year_month_day date;
  int64_t hours, minutes, seconds, millis;
};

Parts Split(Time t) {
  auto day = floor<days>(t);
  int64_t ms = (t - day).count();
  return {std::chrono::year_month_day(day), ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60,
          ms % 1000};
}

std::string DateTime(const Parts& p) {
  std::array<char, 40> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d",
                static_cast<int>(p.date.year()), static_cast<unsigned>(p.date.month()),
                static_cast<unsigned>(p.date.day()), static_cast<int>(p.hours),
                static_cast<int>(p.minutes), static_cast<int>(p.seconds));
  return buffer.data();
}

}  // namespace

Expected<Time> ParseRfc3339(std::string_view text) {
  Reader in{text};
  int year = in.Number(4);
  in.Expect("-");
  int month = in.Number(2);
  in.Expect("-");
  int day = in.Number(2);
  in.Expect("Tt ");
  int hour = in.Number(2);
  in.Expect(":");
  int minute = in.Number(2);
  in.Expect(":");
  int second = in.Number(2);
  int64_t millis = in.ok && in.Take(".") ? ReadFraction(in) : 0;
  int64_t offset = in.ok ? ReadOffsetMinutes(in) : 0;
  std::chrono::year_month_day date{std::chrono::year(year),
                                   std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  if (!in.ok || !in.text.empty() || !date.ok() || hour > 23 || minute > 59 || second > 60) {
    return Error(ErrorCode::kInvalid,
                 StrCat("invalid time ", Quote(text), ": write it like 2026-11-02T10:00:00Z"));
  }
  return Time(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute - offset) + std::chrono::seconds(second) + Duration(millis);
}

std::string FormatRfc3339(Time t) {
  Parts p = Split(t);
  std::string out = DateTime(p);
  if (p.millis != 0) out += "." + std::to_string(1000 + p.millis).substr(1);
  return out + "Z";
}

std::string FormatMicroTime(Time t) {
  Parts p = Split(t);
  return DateTime(p) + "." + std::to_string(1000 + p.millis).substr(1) + "000Z";
}

std::string FormatClockTime(Time t) { return DateTime(Split(t)).substr(11); }

}  // namespace rollguard
