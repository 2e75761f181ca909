// SPDX-License-Identifier: Apache-2.0
// Durations are summed in nanoseconds as unsigned 64-bit with overflow checks, as Go does it, and
// rounded to milliseconds only at the end.
#include "agent/base/time.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>

#include "agent/base/text.h"

namespace rollguard {
namespace {

struct Unit {
  std::string_view name;
  int64_t nanos;
};

constexpr int64_t kSecond = 1'000'000'000;
constexpr std::array<Unit, 10> kGoUnits{{{"ns", 1},
                                         {"us", 1'000},
                                         {"\xC2\xB5s", 1'000},
                                         {"\xCE\xBCs", 1'000},
                                         {"ms", 1'000'000},
                                         {"s", kSecond},
                                         {"m", 60 * kSecond},
                                         {"h", 3600 * kSecond},
                                         {"d", 86400 * kSecond},
                                         {"w", 7 * 86400 * kSecond}}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

Error BadDuration(std::string_view text, std::string_view why) {
  return {ErrorCode::kInvalid, StrCat("invalid duration ", Quote(text), ": ", why)};
}

// Reads digits with an optional fraction; false when there is no digit at all.
bool ReadNumber(std::string_view& text, double& value) {
  size_t i = 0;
  while (i < text.size() && IsDigit(text[i])) ++i;
  size_t digits = i;
  if (i < text.size() && text[i] == '.') {
    ++i;
    while (i < text.size() && IsDigit(text[i])) ++i;
    digits = i - 1;
  }
  if (digits == 0) return false;
  value = std::strtod(std::string(text.substr(0, i)).c_str(), nullptr);
  text.remove_prefix(i);
  return true;
}

const Unit* ReadUnit(std::string_view& text, bool days) {
  size_t i = 0;
  while (i < text.size() && !IsDigit(text[i]) && text[i] != '.') ++i;
  for (const Unit& unit : kGoUnits) {
    if (unit.name != text.substr(0, i)) continue;
    if (!days && unit.nanos > 3600 * kSecond) return nullptr;
    text.remove_prefix(i);
    return &unit;
  }
  return nullptr;
}

struct PromUnit {
  std::string_view name;
  int64_t millis;
};
constexpr std::array<PromUnit, 7> kPromUnits{{{"y", 365LL * 86'400'000},
                                              {"w", 7LL * 86'400'000},
                                              {"d", 86'400'000},
                                              {"h", 3'600'000},
                                              {"m", 60'000},
                                              {"s", 1'000},
                                              {"ms", 1}}};

}  // namespace

Expected<Duration> ParseGoDuration(std::string_view text, bool days) {
  std::string_view rest = text;
  bool negative = false;
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) {
    negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  if (rest == "0") return Duration(0);
  if (rest.empty()) return BadDuration(text, "write a number and a unit, like 30s or 1h30m");
  double nanos = 0;
  while (!rest.empty()) {
    double value = 0;
    if (!ReadNumber(rest, value)) return BadDuration(text, "a number is missing");
    if (rest.empty()) return BadDuration(text, "a unit is missing (ms, s, m, h)");
    const Unit* unit = ReadUnit(rest, days);
    if (unit == nullptr) return BadDuration(text, "unknown unit (use ms, s, m, h)");
    nanos += value * static_cast<double>(unit->nanos);
  }
  if (nanos > 9.2e18) return BadDuration(text, "too long");
  auto millis = static_cast<int64_t>(std::round(nanos) / 1e6);
  return Duration(negative ? -millis : millis);
}

std::string FormatGoDuration(Duration d) {
  int64_t ms = d.count();
  if (ms == 0) return "0s";
  std::string out = ms < 0 ? "-" : "";
  uint64_t u = ms < 0 ? 0 - static_cast<uint64_t>(ms) : static_cast<uint64_t>(ms);
  if (u < 1000) return out + std::to_string(u) + "ms";
  uint64_t hours = u / 3'600'000, minutes = u / 60'000 % 60, millis = u % 60'000;
  if (hours > 0) out += std::to_string(hours) + "h";
  if (hours > 0 || minutes > 0) out += std::to_string(minutes) + "m";
  out += std::to_string(millis / 1000);
  if (millis % 1000 != 0) {
    std::string fraction = std::to_string(1000 + millis % 1000).substr(1);
    while (fraction.back() == '0') fraction.pop_back();
    out += "." + fraction;
  }
  return out + "s";
}

std::string FormatShortDuration(Duration d) {
  int64_t ms = d.count();
  if (ms < 0) return "-" + FormatShortDuration(-d);
  if (ms < 1000) return std::to_string(ms) + "ms";
  int64_t s = ms / 1000;
  const std::array<std::pair<const char*, int64_t>, 4> units{
      {{"d", s / 86400}, {"h", s / 3600 % 24}, {"m", s / 60 % 60}, {"s", s % 60}}};
  std::string out;
  int shown = 0;
  for (const auto& [name, amount] : units) {
    if (shown == 0 && amount == 0) continue;
    if (++shown > 2) break;
    if (amount != 0) out += std::to_string(amount) + name;
  }
  return out;
}

Expected<Duration> ParsePromDuration(std::string_view text, bool allow_zero) {
  std::string_view rest = text;
  if (rest == "0" && allow_zero) return Duration(0);
  if (rest.empty()) return BadDuration(text, "it is empty");
  int64_t total = 0;
  size_t next_unit = 0;
  while (!rest.empty()) {
    size_t digits = 0;
    while (digits < rest.size() && IsDigit(rest[digits])) ++digits;
    if (digits == 0 || digits > 18) return BadDuration(text, "not a valid duration string");
    int64_t value = std::strtoll(std::string(rest.substr(0, digits)).c_str(), nullptr, 10);
    rest.remove_prefix(digits);
    size_t letters = 0;
    while (letters < rest.size() && !IsDigit(rest[letters])) ++letters;
    size_t unit = next_unit;
    while (unit < kPromUnits.size() && kPromUnits[unit].name != rest.substr(0, letters)) ++unit;
    if (unit == kPromUnits.size()) return BadDuration(text, "not a valid duration string");
    int64_t part = 0;
    if (__builtin_mul_overflow(value, kPromUnits[unit].millis, &part) ||
        __builtin_add_overflow(total, part, &total) ||
        total > std::numeric_limits<int64_t>::max() / 1'000'000) {
      return BadDuration(text, "duration out of range");
    }
    rest.remove_prefix(letters);
    next_unit = unit + 1;
  }
  if (total == 0 && !allow_zero) return BadDuration(text, "duration must be greater than 0");
  return Duration(total);
}

std::string FormatPromDuration(Duration d) {
  int64_t ms = d.count();
  if (ms == 0) return "0s";
  std::string out = ms < 0 ? "-" : "";
  ms = std::abs(ms);
  for (const PromUnit& unit : kPromUnits) {
    // Years and weeks only when nothing smaller remains, as Prometheus prints them.
    bool exact_only = unit.name == "y" || unit.name == "w";
    if (exact_only && ms % unit.millis != 0) continue;
    if (int64_t v = ms / unit.millis; v > 0) {
      out += std::to_string(v);
      out += unit.name;
      ms -= v * unit.millis;
    }
  }
  return out;
}

}  // namespace rollguard
