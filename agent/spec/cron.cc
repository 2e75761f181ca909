// SPDX-License-Identifier: Apache-2.0
#include "agent/spec/cron.h"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "agent/base/text.h"

namespace rollguard::spec {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kDays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct Field {
  std::string_view name;
  int64_t min;
  int64_t max;
  std::span<const std::string_view> words;
  int64_t first_word;
};

std::optional<int64_t> Number(std::string_view text, const Field& field) {
  for (size_t i = 0; i < field.words.size(); ++i) {
    if (EqualsIgnoreCase(text, field.words[i])) return field.first_word + static_cast<int64_t>(i);
  }
  auto value = ParseInt(text);
  if (!value || *value < field.min || *value > field.max) return std::nullopt;
  return value;
}

// "*", "*/5", "1-5", "1-10/2", "3"; sets bits through `set`.
template <class Set>
bool ReadPart(std::string_view part, const Field& field, Set set) {
  int64_t step = 1;
  size_t slash = part.find('/');
  if (slash != std::string_view::npos) {
    auto value = ParseInt(part.substr(slash + 1));
    if (!value || *value < 1) return false;
    step = std::min<int64_t>(*value, 1000);
    part = part.substr(0, slash);
  }
  int64_t from = field.min;
  int64_t to = field.max;
  if (part != "*") {
    size_t dash = part.find('-', 1);
    auto low = Number(part.substr(0, dash), field);
    auto high = dash == std::string_view::npos
                    ? (slash == std::string_view::npos ? low : std::optional(field.max))
                    : Number(part.substr(dash + 1), field);
    if (!low || !high || *low > *high) return false;
    from = *low;
    to = *high;
  }
  for (int64_t i = from; i <= to; i += step) set(static_cast<size_t>(i));
  return true;
}

template <class Set>
Status ReadField(std::string_view text, const Field& field, Set set) {
  for (std::string_view part : Split(text, ',')) {
    if (!ReadPart(part, field, set))
      return Error(ErrorCode::kInvalid,
                   StrCat("bad ", field.name, " ", Quote(text), " in the cron expression (",
                          field.min, "-", field.max, ")"));
  }
  return {};
}

}  // namespace

Expected<Cron> ParseCron(std::string_view text) {
  std::vector<std::string_view> fields;
  for (std::string_view part : Split(text, ' ')) {
    if (!part.empty()) fields.push_back(part);
  }
  if (fields.size() != 5)
    return Error(ErrorCode::kInvalid,
                 StrCat("a cron expression has five fields (minute hour day month weekday), not ",
                        fields.size()));
  Cron cron;
  const Field kFields[] = {{"minute", 0, 59, {}, 0},
                           {"hour", 0, 23, {}, 0},
                           {"day of month", 1, 31, {}, 0},
                           {"month", 1, 12, kMonths, 1},
                           {"day of week", 0, 7, kDays, 0}};
  Status status = ReadField(fields[0], kFields[0], [&](size_t i) { cron.minutes.set(i); });
  if (status) status = ReadField(fields[1], kFields[1], [&](size_t i) { cron.hours.set(i); });
  if (status) status = ReadField(fields[2], kFields[2], [&](size_t i) { cron.days.set(i); });
  if (status) status = ReadField(fields[3], kFields[3], [&](size_t i) { cron.months.set(i); });
  if (status)
    status = ReadField(fields[4], kFields[4], [&](size_t i) { cron.weekdays.set(i % 7); });
  if (!status) return status.error();
  cron.any_day = fields[2][0] == '*';
  cron.any_weekday = fields[4][0] == '*';
  return cron;
}

bool Cron::Matches(Time local) const {
  auto day = std::chrono::floor<std::chrono::days>(local);
  std::chrono::year_month_day date(day);
  auto minute = std::chrono::duration_cast<std::chrono::minutes>(local - day).count();
  bool day_matches = days.test(static_cast<unsigned>(date.day()));
  bool weekday_matches = weekdays.test(std::chrono::weekday(day).c_encoding());
  bool either = any_day && any_weekday ? true
                : any_day              ? weekday_matches
                : any_weekday          ? day_matches
                                       : day_matches || weekday_matches;
  return minutes.test(static_cast<size_t>(minute % 60)) &&
         hours.test(static_cast<size_t>(minute / 60)) &&
         months.test(static_cast<unsigned>(date.month())) && either;
}

std::optional<Duration> ParseOffset(std::string_view text) {
  if (text == "UTC" || text == "Z") return Duration(0);
  if (text.size() < 5 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  std::string digits;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == ':' && i == 3) continue;
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    digits += text[i];
  }
  if (digits.size() != 4) return std::nullopt;
  int64_t hours = *ParseInt(digits.substr(0, 2));
  int64_t minutes = *ParseInt(digits.substr(2));
  if (hours > 14 || minutes > 59) return std::nullopt;
  Duration offset = std::chrono::hours(hours) + std::chrono::minutes(minutes);
  return text[0] == '-' ? -offset : offset;
}

bool InWindow(const Cron& cron, Duration length, Duration offset, Time now) {
  return WindowEnd(cron, length, offset, now).has_value();
}

std::optional<Time> WindowEnd(const Cron& cron, Duration length, Duration offset, Time now) {
  constexpr Duration kLongest = std::chrono::hours(24 * 31);
  constexpr Duration kMinute = std::chrono::minutes(1);
  length = std::min<Duration>(length, kLongest);
  const Time local = now + offset;
  const Time minute = std::chrono::floor<std::chrono::minutes>(local);
  std::optional<Time> end;
  for (Time start = minute; !end && local - start < length; start -= kMinute) {
    if (cron.Matches(start)) end = start + length;
  }
  if (!end) return std::nullopt;
  for (Time start = minute + kMinute; start <= *end && start <= local + kLongest;
       start += kMinute) {
    if (cron.Matches(start)) end = start + length;
  }
  return *end - offset;
}

}  // namespace rollguard::spec
