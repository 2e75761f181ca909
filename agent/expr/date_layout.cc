// SPDX-License-Identifier: Apache-2.0
// Layout and text are walked side by side. At each place the longest element of the reference time
// that begins there is taken ("2006" before "2", "Monday" before "Mon"); what is no element must
// stand in the text as it is.
#include "agent/expr/date_layout.h"

#include <algorithm>
#include <array>
#include <string>

#include "agent/base/text.h"

namespace rollguard::expr {
namespace {

constexpr std::array<std::string_view, 12> kMonths{"January",   "February", "March",    "April",
                                                   "May",       "June",     "July",     "August",
                                                   "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> kDays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                "Thursday", "Friday", "Saturday"};

struct Fields {
  int year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0, millis = 0;
  bool morning = false, afternoon = false;
  std::optional<Duration> zone;
};

class Reader {
 public:
  Reader(std::string_view layout, std::string_view text) : layout_(layout), text_(text) {}

  bool Read(Fields& out) {
    while (!layout_.empty()) {
      bool element = false;
      if (!Element(out, element)) return false;
      if (element) continue;
      if (text_.empty() || text_[0] != layout_[0]) return false;
      layout_.remove_prefix(1);
      text_.remove_prefix(1);
    }
    return text_.empty();
  }

 private:
  bool Take(std::string_view element) {
    if (!layout_.starts_with(element)) return false;
    layout_.remove_prefix(element.size());
    return true;
  }

  // `least` to `most` digits.
  bool Digits(size_t least, size_t most, int& out) {
    size_t n = 0;
    int value = 0;
    while (n < most && n < text_.size() && text_[n] >= '0' && text_[n] <= '9')
      value = value * 10 + (text_[n++] - '0');
    if (n < least) return false;
    text_.remove_prefix(n);
    out = value;
    return true;
  }

  template <size_t N>
  bool Word(const std::array<std::string_view, N>& words, size_t length, int& out) {
    for (size_t i = 0; i < N; ++i) {
      std::string_view word = length == 0 ? words[i] : words[i].substr(0, length);
      if (ToLower(text_.substr(0, word.size())) != ToLower(word)) continue;
      text_.remove_prefix(word.size());
      out = static_cast<int>(i);
      return true;
    }
    return false;
  }

  bool Month(size_t length, Fields& out) {
    if (!Word(kMonths, length, out.month)) return false;
    ++out.month;
    return true;
  }

  bool Afternoon(Fields& out) {
    std::string word = ToLower(text_.substr(0, 2));
    if (word != "am" && word != "pm") return false;
    text_.remove_prefix(2);
    (word == "pm" ? out.afternoon : out.morning) = true;
    return true;
  }

  bool Abbreviation(Fields& out) {
    size_t n = 0;
    while (n < text_.size() && n < 5 && text_[n] >= 'A' && text_[n] <= 'Z') ++n;
    if (n < 3) return false;
    text_.remove_prefix(n);
    out.zone = Duration(0);
    return true;
  }

  bool Offset(bool z, bool colon, bool minutes, Fields& out) {
    if (z && text_.starts_with("Z")) {
      text_.remove_prefix(1);
      out.zone = Duration(0);
      return true;
    }
    if (text_.empty() || (text_[0] != '+' && text_[0] != '-')) return false;
    bool west = text_[0] == '-';
    text_.remove_prefix(1);
    int h = 0, m = 0;
    if (!Digits(2, 2, h)) return false;
    if (colon) {
      if (!text_.starts_with(":")) return false;
      text_.remove_prefix(1);
    }
    if (minutes && !Digits(2, 2, m)) return false;
    if (h > 24 || m > 59) return false;
    Duration zone = std::chrono::hours(h) + std::chrono::minutes(m);
    out.zone = west ? -zone : zone;
    return true;
  }

  // ".000" or ".999" behind the seconds; a fraction may also stand where the layout has none.
  bool Fraction(Fields& out) {
    size_t wanted = 0;
    bool exact = false;
    if (layout_.starts_with(".0") || layout_.starts_with(".9")) {
      char digit = layout_[1];
      exact = digit == '0';
      while (wanted + 1 < layout_.size() && layout_[wanted + 1] == digit) ++wanted;
      layout_.remove_prefix(wanted + 1);
    }
    if (!text_.starts_with(".")) return !exact;
    size_t n = 1;
    int millis = 0, scale = 100;
    for (; n < text_.size() && text_[n] >= '0' && text_[n] <= '9'; ++n, scale /= 10)
      millis += scale * (text_[n] - '0');
    if (n == 1 || (exact && n != wanted + 1)) return false;
    text_.remove_prefix(n);
    out.millis = millis;
    return true;
  }

  bool Seconds(size_t least, Fields& out) { return Digits(least, 2, out.second) && Fraction(out); }

  bool ShortYear(Fields& out) {
    if (!Digits(2, 2, out.year)) return false;
    out.year += out.year >= 69 ? 1900 : 2000;
    return true;
  }

  // One element of the reference time, if the layout goes on with one.
  bool Element(Fields& out, bool& found) {
    found = true;
    int ignored = 0;
    if (Take("January")) return Month(0, out);
    if (Take("Jan")) return Month(3, out);
    if (Take("Monday")) return Word(kDays, 0, ignored);
    if (Take("Mon")) return Word(kDays, 3, ignored);
    if (Take("MST")) return Abbreviation(out);
    if (Take("2006")) return Digits(4, 4, out.year);
    if (Take("Z07:00")) return Offset(true, true, true, out);
    if (Take("Z0700")) return Offset(true, false, true, out);
    if (Take("Z07")) return Offset(true, false, false, out);
    if (Take("-07:00")) return Offset(false, true, true, out);
    if (Take("-0700")) return Offset(false, false, true, out);
    if (Take("-07")) return Offset(false, false, false, out);
    if (Take("01")) return Digits(2, 2, out.month);
    if (Take("02")) return Digits(2, 2, out.day);
    if (Take("03")) return Digits(2, 2, out.hour);
    if (Take("04")) return Digits(2, 2, out.minute);
    if (Take("05")) return Seconds(2, out);
    if (Take("06")) return ShortYear(out);
    if (Take("15")) return Digits(2, 2, out.hour);
    if (Take("_2")) {
      if (text_.starts_with(" ")) text_.remove_prefix(1);
      return Digits(1, 2, out.day);
    }
    if (Take("PM") || Take("pm")) return Afternoon(out);
    if (Take("1")) return Digits(1, 2, out.month);
    if (Take("2")) return Digits(1, 2, out.day);
    if (Take("3")) return Digits(1, 2, out.hour);
    if (Take("4")) return Digits(1, 2, out.minute);
    if (Take("5")) return Seconds(1, out);
    found = false;
    return true;
  }

  std::string_view layout_;
  std::string_view text_;
};

std::optional<Time> TimeOf(Fields f, Duration zone) {
  using std::chrono::year_month_day;
  if (f.afternoon && f.hour < 12) f.hour += 12;
  if (f.morning && f.hour == 12) f.hour = 0;
  year_month_day date{std::chrono::year(f.year), std::chrono::month(static_cast<unsigned>(f.month)),
                      std::chrono::day(static_cast<unsigned>(f.day))};
  if (!date.ok() || f.hour > 23 || f.minute > 59 || f.second > 59) return std::nullopt;
  Time time = std::chrono::sys_days(date);
  time += std::chrono::hours(f.hour) + std::chrono::minutes(f.minute) +
          std::chrono::seconds(f.second) + Duration(f.millis);
  return time - f.zone.value_or(zone);
}

}  // namespace

std::optional<Duration> ParseZone(std::string_view zone) {
  if (zone == "UTC" || zone.empty()) return Duration(0);
  Fields fields;
  if (zone == "Z" || !Reader("-07:00", zone).Read(fields)) return std::nullopt;
  return fields.zone;
}

std::optional<Time> ParseLayout(std::string_view layout, std::string_view text, Duration zone) {
  Fields fields;
  if (!Reader(layout, text).Read(fields)) return std::nullopt;
  return TimeOf(fields, zone);
}

std::optional<Time> ParseAnyDate(std::string_view text) {
  for (std::string_view layout :
       {"2006-01-02", "15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04:05Z07:00",
        "02 Jan 06 15:04 MST", "Monday, 02-Jan-06 15:04:05 MST", "Mon, 02 Jan 2006 15:04:05 MST"}) {
    if (auto time = ParseLayout(layout, text, Duration(0))) return time;
  }
  return std::nullopt;
}

}  // namespace rollguard::expr
