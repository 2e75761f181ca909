// SPDX-License-Identifier: Apache-2.0
// now(), duration("1h"), date("2026-11-02"), and the methods of dates and durations. Dates are UTC.
#include <charconv>
#include <optional>

#include "agent/base/text.h"
#include "agent/expr/builtins.h"
#include "agent/expr/date_layout.h"

namespace rollguard::expr {
namespace {

using std::chrono::floor;

// Nanoseconds are kept: base's parser rounds to milliseconds.
std::optional<Value::Nanoseconds> ParseDuration(std::string_view text) {
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return Value::Nanoseconds(0);
  static constexpr std::pair<std::string_view, double> kUnits[] = {
      {"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 6e10}, {"h", 3.6e12}};
  double total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    size_t digits = text.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos) return std::nullopt;
    auto number = ParseDouble(text.substr(0, digits));
    text.remove_prefix(digits);
    size_t unit_end = std::min(text.find_first_of("0123456789."), text.size());
    std::string_view unit = text.substr(0, unit_end);
    text.remove_prefix(unit_end);
    const std::pair<std::string_view, double>* known = nullptr;
    for (const auto& row : kUnits) {
      if (row.first == unit) known = &row;
    }
    if (!number || known == nullptr) return std::nullopt;
    total += *number * known->second;
  }
  if (total > 9.2e18) return std::nullopt;
  return Value::Nanoseconds(static_cast<int64_t>(negative ? -total : total));
}

std::optional<Value> DurationMethod(Value::Nanoseconds d, std::string_view name) {
  auto count = static_cast<double>(d.count());
  if (name == "Hours") return Value(count / 3.6e12);
  if (name == "Minutes") return Value(count / 6e10);
  if (name == "Seconds") return Value(count / 1e9);
  if (name == "Milliseconds") return Value(d.count() / 1'000'000);
  if (name == "Microseconds") return Value(d.count() / 1'000);
  if (name == "Nanoseconds") return Value(static_cast<int64_t>(d.count()));
  if (name == "String") return Value(Value(d).ToText());
  return std::nullopt;
}

std::optional<Value> TimeMethod(Time t, std::string_view name) {
  auto day = floor<std::chrono::days>(t);
  std::chrono::year_month_day date(day);
  auto clock = t - day;
  auto part = [&](auto unit, int64_t modulus) { return Value(clock / unit % modulus); };
  if (name == "Year") return Value(static_cast<int>(date.year()));
  if (name == "Month") return Value(static_cast<int64_t>(static_cast<unsigned>(date.month())));
  if (name == "Day") return Value(static_cast<int64_t>(static_cast<unsigned>(date.day())));
  if (name == "Hour") return part(std::chrono::hours(1), 24);
  if (name == "Minute") return part(std::chrono::minutes(1), 60);
  if (name == "Second") return part(std::chrono::seconds(1), 60);
  if (name == "Weekday") return Value(static_cast<int64_t>(std::chrono::weekday(day).c_encoding()));
  if (name == "YearDay")
    return Value(static_cast<int64_t>((day - std::chrono::sys_days(date.year() / 1 / 1)).count()) +
                 1);
  if (name == "Unix")
    return Value(static_cast<int64_t>(floor<std::chrono::seconds>(t).time_since_epoch().count()));
  if (name == "UnixMilli") return Value(ToUnixMillis(t));
  if (name == "String") return Value(FormatRfc3339(t));
  return std::nullopt;
}

// date(text), date(text, layout), date(text, layout, zone).
Value Date(std::span<const Value> args, CallContext& context) {
  for (const Value& arg : args) {
    if (!arg.is_string()) return BadArgument("date", arg, context);
  }
  const std::string& text = args[0].AsString();
  if (args.size() == 1) {
    auto time = ParseAnyDate(text);
    if (time) return Value(*time);
    return context.Fail(StrCat("invalid date ", Quote(text), " (write 2026-11-02T10:00:00Z)"));
  }
  auto zone = args.size() > 2 ? ParseZone(args[2].AsString()) : Duration(0);
  if (!zone) {
    return context.Fail(StrCat("unknown time zone ", Quote(args[2].AsString()),
                               " (write UTC or an offset like +01:00)"));
  }
  const std::string& layout = args[1].AsString();
  auto time = ParseLayout(layout, text, *zone);
  if (time) return Value(*time);
  return context.Fail(StrCat("the date ", Quote(text), " does not fit the layout ", Quote(layout)));
}

}  // namespace

Value CallTime(std::string_view name, std::span<const Value> args, CallContext& context) {
  if (name == "now") return Value(context.env().now);
  if (!args[0].is_string()) return BadArgument(name, args[0], context);
  const std::string& text = args[0].AsString();
  if (name == "duration") {
    auto duration = ParseDuration(text);
    return duration ? Value(*duration) : context.Fail(StrCat("invalid duration ", Quote(text)));
  }
  return Date(args, context);
}

Value CallMethod(const Value& self, std::string_view name, std::span<const Value> args,
                 CallContext& context) {
  std::optional<Value> value;
  if (args.empty() && self.is_duration()) value = DurationMethod(self.AsDuration(), name);
  if (args.empty() && self.is_time()) value = TimeMethod(self.AsTime(), name);
  if (args.size() == 1 && self.is_time() && args[0].is_time()) {
    if (name == "Before") value = Value(self.AsTime() < args[0].AsTime());
    if (name == "After") value = Value(self.AsTime() > args[0].AsTime());
    if (name == "Equal") value = Value(self.AsTime() == args[0].AsTime());
    if (name == "Sub") value = Value(Between(self.AsTime(), args[0].AsTime()));
  }
  if (args.size() == 1 && self.is_time() && args[0].is_duration() && name == "Add") {
    value = Add(self, args[0], context);
  }
  if (value) return *value;
  return context.Fail(StrCat("type ", self.TypeName(), " has no method ", name));
}

}  // namespace rollguard::expr
