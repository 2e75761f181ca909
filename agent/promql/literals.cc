// SPDX-License-Identifier: Apache-2.0
// Numbers and durations, as Go's strconv and Prometheus' common/model read them.
#include <cmath>
#include <cstdlib>

#include "agent/base/text.h"
#include "agent/promql/lexer.h"

namespace rollguard::promql {
namespace {

// An integer in the base its prefix names (0x: 16, 0: 8), when it is one and fits.
std::optional<double> ParseGoInteger(std::string_view text) {
  int64_t base = 10;
  if (text.size() > 1 && text[0] == '0') {
    bool hex = text[1] == 'x' || text[1] == 'X';
    base = hex ? 16 : 8;
    text.remove_prefix(hex ? 2 : 1);
  }
  if (text.empty()) return std::nullopt;
  int64_t value = 0;
  for (char c : text) {
    int64_t digit = IsDigit(c) ? c - '0' : IsAlpha(c) && c != '_' ? (c | 0x20) - 'a' + 10 : base;
    if (digit >= base) return std::nullopt;
    if (__builtin_mul_overflow(value, base, &value) ||
        __builtin_add_overflow(value, digit, &value)) {
      return std::nullopt;
    }
  }
  return static_cast<double>(value);
}

struct Unit {
  std::string_view name;
  int64_t ms;
};
constexpr Unit kUnits[] = {{"y", 365LL * 86400000},
                           {"w", 7LL * 86400000},
                           {"d", 86400000},
                           {"h", 3600000},
                           {"m", 60000},
                           {"s", 1000},
                           {"ms", 1}};
// Go keeps durations as nanoseconds in 64 bits.
constexpr int64_t kMaxDurationMs = INT64_MAX / 1000000;

// The digits at text[*i] and the unit after them, which must be smaller than the last one.
bool ReadPart(std::string_view text, size_t* i, size_t* next_unit, int64_t* total, bool* overflow) {
  int64_t count = 0;
  size_t first = *i;
  for (; *i < text.size() && IsDigit(text[*i]); ++*i) {
    *overflow |= __builtin_mul_overflow(count, 10, &count) ||
                 __builtin_add_overflow(count, text[*i] - '0', &count);
  }
  size_t unit = *i;
  while (*i < text.size() && !IsDigit(text[*i])) ++*i;
  if (unit == first) return false;
  for (size_t u = *next_unit; u < std::size(kUnits); ++u) {
    if (kUnits[u].name != text.substr(unit, *i - unit)) continue;
    *next_unit = u + 1;
    int64_t ms = 0;
    *overflow |= __builtin_mul_overflow(count, kUnits[u].ms, &ms) ||
                 __builtin_add_overflow(*total, ms, total) || *total > kMaxDurationMs;
    return true;
  }
  return false;
}

}  // namespace

Expected<double> ParseNumberToken(std::string_view text) {
  std::string lower = ToLower(text);
  if (lower == "inf") return HUGE_VAL;
  if (lower == "nan") return std::nan("");
  if (auto integer = ParseGoInteger(text)) return *integer;
  bool hex = lower.size() > 1 && lower[1] == 'x';
  char* end = nullptr;
  double value = hex ? 0 : std::strtod(lower.c_str(), &end);
  if (hex || end != lower.c_str() + lower.size()) {
    return Error(ErrorCode::kInvalid,
                 StrCat("error parsing number: ", Quote(text), ": invalid syntax"));
  }
  if (std::isinf(value)) {
    return Error(ErrorCode::kInvalid, StrCat("error parsing number: ", Quote(Abbreviate(text, 60)),
                                             ": value out of range"));
  }
  return value;
}

Expected<int64_t> ParseDurationToken(std::string_view text) {
  size_t i = 0, next_unit = 0;
  int64_t total = 0;
  bool overflow = false;
  while (i < text.size()) {
    if (!ReadPart(text, &i, &next_unit, &total, &overflow)) {
      return Error(ErrorCode::kInvalid,
                   StrCat("not a valid duration string: ", Quote(Abbreviate(text, 60))));
    }
  }
  if (overflow) return Error(ErrorCode::kInvalid, "duration out of range");
  if (total == 0) return Error(ErrorCode::kInvalid, "duration must be greater than 0");
  return total;
}

}  // namespace rollguard::promql
