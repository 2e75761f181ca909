// SPDX-License-Identifier: Apache-2.0
// Calendar: seconds are moved to an epoch so far back that every 64-bit time is positive, then
// counted in cycles of 400, 100, 4 and 1 years. Times that overflow wrap around, as they do in Go.
#include "agent/promql/elementwise.h"

#include <cmath>
#include <cstdint>
#include <limits>

namespace rollguard::promql {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr uint64_t kDay = 86400;
// Seconds from 1 January of the year -292277022399 to the Unix epoch, modulo 2^64.
constexpr uint64_t kEpochShift = 9223371966579724800ULL + 62135596800ULL;
constexpr int64_t kFirstYear = -292277022399;

// Seconds since the far epoch. Numbers that no int64 holds become its smallest, as on amd64.
uint64_t Absolute(double seconds) {
  int64_t whole = std::numeric_limits<int64_t>::min();
  if (seconds >= -9223372036854775808.0 && seconds < 9223372036854775808.0) {
    whole = static_cast<int64_t>(seconds);
  }
  return static_cast<uint64_t>(whole) + kEpochShift;
}

struct Date {
  int64_t year;
  unsigned month;     // 1..12
  unsigned day;       // 1..31
  unsigned year_day;  // 1..366
  unsigned month_days;
};

Date DateOf(double seconds) {
  uint64_t days = Absolute(seconds) / kDay;
  uint64_t years = 400 * (days / 146097);
  days %= 146097;
  uint64_t centuries = days / 36524;
  centuries -= centuries >> 2;  // the last day of a cycle belongs to the fourth century
  years += 100 * centuries;
  days -= 36524 * centuries;
  years += 4 * (days / 1461);
  days %= 1461;
  uint64_t single = days / 365;
  single -= single >> 2;
  years += single;
  days -= 365 * single;

  Date date{};
  date.year = static_cast<int64_t>(years) + kFirstYear;
  date.year_day = static_cast<unsigned>(days) + 1;
  bool leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
  unsigned lengths[] = {31, leap ? 29U : 28U, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  auto left = static_cast<unsigned>(days);
  unsigned month = 0;
  while (left >= lengths[month]) left -= lengths[month++];
  date.month = month + 1;
  date.day = left + 1;
  date.month_days = lengths[month];
  return date;
}

double Minute(double t) { return static_cast<double>(Absolute(t) % 3600 / 60); }
double Hour(double t) { return static_cast<double>(Absolute(t) % kDay / 3600); }
// The far epoch was a Monday.
double DayOfWeek(double t) { return static_cast<double>((Absolute(t) + kDay) % (7 * kDay) / kDay); }
double DayOfMonth(double t) { return DateOf(t).day; }
double DayOfYear(double t) { return DateOf(t).year_day; }
double DaysInMonth(double t) { return DateOf(t).month_days; }
double Month(double t) { return DateOf(t).month; }
double Year(double t) { return static_cast<double>(DateOf(t).year); }

double Sign(double v) {
  if (v < 0) return -1;
  return v > 0 ? 1 : v;
}

// As Go computes them, which overflows a little earlier than the C library.
double Sinh(double v) {
  return std::abs(v) > 21 ? std::copysign(std::exp(std::abs(v)) * 0.5, v) : std::sinh(v);
}
double Cosh(double v) { return std::abs(v) > 21 ? std::exp(std::abs(v)) * 0.5 : std::cosh(v); }

double Degrees(double v) { return v * 180 / kPi; }
double Radians(double v) { return v * kPi / 180; }

double Smaller(double a, double b) {
  if (a == -std::numeric_limits<double>::infinity()) return a;
  if (b == -std::numeric_limits<double>::infinity()) return b;
  if (std::isnan(a) || std::isnan(b)) return std::nan("");
  return a < b ? a : b;
}

double Larger(double a, double b) {
  if (a == std::numeric_limits<double>::infinity()) return a;
  if (b == std::numeric_limits<double>::infinity()) return b;
  if (std::isnan(a) || std::isnan(b)) return std::nan("");
  return a > b ? a : b;
}

}  // namespace

NumberFunction FindNumberFunction(FunctionId id) {
  switch (id) {
    case FunctionId::kAbs: return [](double v) { return std::abs(v); };
    case FunctionId::kAcos: return [](double v) { return std::acos(v); };
    case FunctionId::kAcosh: return [](double v) { return std::acosh(v); };
    case FunctionId::kAsin: return [](double v) { return std::asin(v); };
    case FunctionId::kAsinh: return [](double v) { return std::asinh(v); };
    case FunctionId::kAtan: return [](double v) { return std::atan(v); };
    case FunctionId::kAtanh: return [](double v) { return std::atanh(v); };
    case FunctionId::kCeil: return [](double v) { return std::ceil(v); };
    case FunctionId::kCos: return [](double v) { return std::cos(v); };
    case FunctionId::kCosh: return Cosh;
    case FunctionId::kDeg: return Degrees;
    case FunctionId::kExp: return [](double v) { return std::exp(v); };
    case FunctionId::kFloor: return [](double v) { return std::floor(v); };
    case FunctionId::kLn: return [](double v) { return std::log(v); };
    case FunctionId::kLog10: return [](double v) { return std::log10(v); };
    case FunctionId::kLog2: return [](double v) { return std::log2(v); };
    case FunctionId::kRad: return Radians;
    case FunctionId::kSgn: return Sign;
    case FunctionId::kSin: return [](double v) { return std::sin(v); };
    case FunctionId::kSinh: return Sinh;
    case FunctionId::kSqrt: return [](double v) { return std::sqrt(v); };
    case FunctionId::kTan: return [](double v) { return std::tan(v); };
    case FunctionId::kTanh: return [](double v) { return std::tanh(v); };
    case FunctionId::kMinute: return Minute;
    case FunctionId::kHour: return Hour;
    case FunctionId::kDayOfWeek: return DayOfWeek;
    case FunctionId::kDayOfMonth: return DayOfMonth;
    case FunctionId::kDayOfYear: return DayOfYear;
    case FunctionId::kDaysInMonth: return DaysInMonth;
    case FunctionId::kMonth: return Month;
    case FunctionId::kYear: return Year;
    default: return nullptr;
  }
}

bool IsCalendarFunction(FunctionId id) {
  switch (id) {
    case FunctionId::kMinute:
    case FunctionId::kHour:
    case FunctionId::kDayOfWeek:
    case FunctionId::kDayOfMonth:
    case FunctionId::kDayOfYear:
    case FunctionId::kDaysInMonth:
    case FunctionId::kMonth:
    case FunctionId::kYear: return true;
    default: return false;
  }
}

double RoundTo(double value, double nearest) {
  // The inverse keeps decimal fractions exact: round(x, 0.1) multiplies by 10.
  double inverse = 1.0 / nearest;
  return std::floor(value * inverse + 0.5) / inverse;
}

double Clamp(double value, double low, double high) { return Larger(low, Smaller(high, value)); }
double ClampLow(double value, double low) { return Larger(low, value); }
double ClampHigh(double value, double high) { return Smaller(high, value); }

}  // namespace rollguard::promql
