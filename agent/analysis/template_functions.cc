// SPDX-License-Identifier: Apache-2.0
#include "agent/analysis/template_functions.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "agent/analysis/template_text.h"
#include "agent/base/text.h"
#include "agent/base/time.h"

namespace rollguard::analysis {
namespace {

struct Row {
  std::string_view name;
  size_t min_args;
  size_t max_args;
};

constexpr std::array kFunctions = {
    Row{"humanize", 1, 1},
    Row{"humanize1024", 1, 1},
    Row{"humanizePercentage", 1, 1},
    Row{"humanizeDuration", 1, 1},
    Row{"humanizeTimestamp", 1, 1},
    Row{"printf", 1, 16},
    Row{"print", 0, 16},
    Row{"toUpper", 1, 1},
    Row{"toLower", 1, 1},
    Row{"title", 1, 1},
    Row{"len", 1, 1},
    Row{"index", 2, 2},
    Row{"eq", 2, 16},
    Row{"ne", 2, 2},
    Row{"lt", 2, 2},
    Row{"le", 2, 2},
    Row{"gt", 2, 2},
    Row{"ge", 2, 2},
    Row{"and", 1, 16},
    Row{"or", 1, 16},
    Row{"not", 1, 1},
};

std::optional<double> NumberIn(const TemplateValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? std::nullopt : ParseDouble(*text);
}

Error Invalid(std::string message) { return {ErrorCode::kInvalid, std::move(message)}; }

// -1, 0, 1, or nothing when the two cannot be ordered.
std::optional<int> Order(const TemplateValue& a, const TemplateValue& b) {
  auto x = NumberIn(a);
  auto y = NumberIn(b);
  if (x && y) return *x < *y ? -1 : (*x > *y ? 1 : (*x == *y ? std::optional(0) : std::nullopt));
  const auto* s = std::get_if<std::string>(&a);
  const auto* t = std::get_if<std::string>(&b);
  if (s == nullptr || t == nullptr) return std::nullopt;
  return *s < *t ? -1 : (*t < *s ? 1 : 0);
}

Expected<TemplateValue> Compare(std::string_view name, std::span<const TemplateValue> args) {
  if (name == "eq") {
    bool any = false;
    for (const TemplateValue& other : args.subspan(1))
      any = any || args[0] == other || Order(args[0], other) == 0;
    return TemplateValue(any);
  }
  if (name == "ne") return TemplateValue(!(args[0] == args[1] || Order(args[0], args[1]) == 0));
  auto order = Order(args[0], args[1]);
  if (!order)
    return NumberIn(args[0]) && NumberIn(args[1])
               ? Expected<TemplateValue>(TemplateValue(false))
               : Invalid(StrCat(name, ": incompatible types for comparison"));
  if (name == "lt") return TemplateValue(*order < 0);
  if (name == "le") return TemplateValue(*order <= 0);
  return TemplateValue(name == "gt" ? *order > 0 : *order >= 0);
}

// One verb of printf: flags, width, precision are handed to C after they have been checked.
Expected<std::string> FormatVerb(std::string_view spec, char verb, const TemplateValue& value) {
  std::string format = StrCat("%", spec);
  char buffer[512];
  if (std::string_view("feEgG").find(verb) != std::string_view::npos) {
    auto number = NumberIn(value);
    if (!number) return Invalid(StrCat("printf: %", std::string(1, verb), " needs a number"));
    if (!std::isfinite(*number)) return FormatNumber(*number);
    format += verb;
    int size = std::snprintf(buffer, sizeof buffer, format.c_str(), *number);
    return std::string(buffer,
                       std::min<size_t>(static_cast<size_t>(std::max(size, 0)), sizeof buffer - 1));
  }
  if (verb == 'd') {
    auto number = NumberIn(value);
    if (!number || !(std::fabs(*number) < 9e18)) return Invalid("printf: %d needs a whole number");
    format += "lld";
    int size =
        std::snprintf(buffer, sizeof buffer, format.c_str(), static_cast<long long>(*number));
    return std::string(buffer,
                       std::min<size_t>(static_cast<size_t>(std::max(size, 0)), sizeof buffer - 1));
  }
  if (verb == 's' || verb == 'v') return TextOf(value);
  if (verb == 'q') return Quote(TextOf(value));
  return Invalid(
      StrCat("printf: %", std::string(1, verb), " is not supported (use %s %v %q %d %f %e %g)"));
}

Expected<TemplateValue> Printf(std::span<const TemplateValue> args) {
  const auto* format = std::get_if<std::string>(&args[0]);
  if (format == nullptr) return Invalid("printf: the first argument must be a string");
  std::string out;
  size_t next = 1;
  for (size_t i = 0; i < format->size(); ++i) {
    if ((*format)[i] != '%') {
      out += (*format)[i];
      continue;
    }
    size_t start = ++i;
    while (i < format->size() &&
           std::string_view("+-0 #.123456789").find((*format)[i]) != std::string_view::npos)
      ++i;
    std::string_view spec = std::string_view(*format).substr(start, i - start);
    if (i >= format->size() || spec.size() > 6) return Invalid("printf: bad format");
    if ((*format)[i] == '%') {
      out += '%';
      continue;
    }
    if (next >= args.size()) return Invalid("printf: too few arguments for the format");
    auto piece = FormatVerb(spec, (*format)[i], args[next++]);
    if (!piece) return piece.error();
    out += *piece;
  }
  if (next < args.size()) return Invalid("printf: more arguments than the format has places");
  return TemplateValue(std::move(out));
}

Expected<TemplateValue> OnNumber(std::string_view name, const TemplateValue& value) {
  auto number = NumberIn(value);
  if (!number) return Invalid(StrCat(name, " needs a number, not ", Quote(TextOf(value))));
  if (name == "humanize") return TemplateValue(Humanize(*number));
  if (name == "humanize1024") return TemplateValue(Humanize1024(*number));
  if (name == "humanizePercentage") return TemplateValue(HumanizePercentage(*number));
  if (name == "humanizeDuration") return TemplateValue(HumanizeDuration(*number));
  if (!std::isfinite(*number) || std::fabs(*number) > 2e11)
    return TemplateValue(FormatNumber(*number));
  return TemplateValue(FormatRfc3339(Time(FromSeconds(*number))));
}

std::string ChangeCase(std::string text, std::string_view name) {
  bool start = true;
  for (char& c : text) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool up = name == "toUpper" || (name == "title" && start);
    if (up && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (name == "toLower" && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    start = !letter;
  }
  return text;
}

std::string WithPrefix(double value, std::string_view prefix) {
  return StrCat(Format("%.4g", value), prefix);
}

}  // namespace

bool IsTemplateFunction(std::string_view name) {
  return std::any_of(kFunctions.begin(), kFunctions.end(),
                     [&](const Row& r) { return r.name == name; });
}

std::vector<std::string_view> TemplateFunctionNames() {
  std::vector<std::string_view> names;
  names.reserve(std::size(kFunctions));
  for (const Row& row : kFunctions) names.push_back(row.name);
  return names;
}

bool IsTrue(const TemplateValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return !text->empty();
  if (const auto* number = std::get_if<double>(&value)) return *number != 0;
  if (const auto* truth = std::get_if<bool>(&value)) return *truth;
  return !std::get<spec::StringMap>(value).empty();
}

std::string TextOf(const TemplateValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<double>(&value)) return FormatNumber(*number);
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  std::string out = "map[";
  for (const auto& [name, text] : std::get<spec::StringMap>(value)) {
    if (out.size() > 4) out += ' ';
    out += StrCat(name, ":", text);
  }
  return out + "]";
}

Expected<TemplateValue> CallTemplateFunction(std::string_view name,
                                             std::span<const TemplateValue> args) {
  const auto* row = std::find_if(kFunctions.begin(), kFunctions.end(),
                                 [&](const Row& r) { return r.name == name; });
  if (row == kFunctions.end()) return Invalid(StrCat("function ", Quote(name), " not defined"));
  if (args.size() < row->min_args || args.size() > row->max_args) {
    return Invalid(StrCat("wrong number of args for ", name, ": got ", args.size()));
  }
  if (name.starts_with("humanize")) return OnNumber(name, args[0]);
  if (name == "printf") return Printf(args);
  if (name == "print") {
    std::string out;
    for (const TemplateValue& arg : args) out += TextOf(arg);
    return TemplateValue(std::move(out));
  }
  if (name == "toUpper" || name == "toLower" || name == "title")
    return TemplateValue(ChangeCase(TextOf(args[0]), name));
  const auto* map = std::get_if<spec::StringMap>(&args[0]);
  if (name == "len")
    return TemplateValue(
        static_cast<double>(map != nullptr ? map->size() : TextOf(args[0]).size()));
  if (name == "index") {
    if (map == nullptr) return Invalid("index needs $labels");
    const std::string* found = spec::FindIn(*map, TextOf(args[1]));
    return TemplateValue(found == nullptr ? std::string() : *found);
  }
  if (name == "not") return TemplateValue(!IsTrue(args[0]));
  if (name == "and" || name == "or") {
    for (const TemplateValue& arg : args) {
      if (IsTrue(arg) == (name == "or")) return arg;
    }
    return args.back();
  }
  return Compare(name, args);
}

std::string Humanize(double value) {
  static constexpr std::string_view kUp[] = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
  static constexpr std::string_view kDown[] = {"m", "u", "n", "p", "f", "a", "z", "y"};
  if (value == 0 || !std::isfinite(value)) return std::isfinite(value) ? "0" : FormatNumber(value);
  std::string_view prefix;
  if (std::fabs(value) >= 1) {
    for (std::string_view p : kUp) {
      if (std::fabs(value) < 1000) break;
      prefix = p;
      value /= 1000;
    }
  } else {
    for (std::string_view p : kDown) {
      if (std::fabs(value) >= 1) break;
      prefix = p;
      value *= 1000;
    }
  }
  return WithPrefix(value, prefix);
}

std::string Humanize1024(double value) {
  static constexpr std::string_view kPrefixes[] = {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};
  if (!std::isfinite(value)) return FormatNumber(value);
  std::string_view prefix;
  for (std::string_view p : kPrefixes) {
    if (std::fabs(value) < 1024) break;
    prefix = p;
    value /= 1024;
  }
  return WithPrefix(value, prefix);
}

std::string HumanizePercentage(double value) {
  return std::isfinite(value) ? Format("%.4g%%", value * 100) : FormatNumber(value) + "%";
}

std::string HumanizeDuration(double value) {
  static constexpr std::string_view kDown[] = {"m", "u", "n", "p", "f", "a", "z", "y"};
  if (!std::isfinite(value)) return FormatNumber(value);
  if (value == 0) return "0s";
  if (std::fabs(value) >= 1) {
    std::string sign = value < 0 ? "-" : "";
    value = std::fabs(value);
    if (value >= 9e15) return StrCat(sign, Format("%.4g", value), "s");
    auto whole = static_cast<int64_t>(value);
    int64_t seconds = whole % 60;
    int64_t minutes = whole / 60 % 60;
    int64_t hours = whole / 3600 % 24;
    int64_t days = whole / 86400;
    if (days != 0) return StrCat(sign, days, "d ", hours, "h ", minutes, "m ", seconds, "s");
    if (hours != 0) return StrCat(sign, hours, "h ", minutes, "m ", seconds, "s");
    if (minutes != 0) return StrCat(sign, minutes, "m ", seconds, "s");
    return StrCat(sign, Format("%.4g", value), "s");
  }
  std::string_view prefix;
  for (std::string_view p : kDown) {
    if (std::fabs(value) >= 1) break;
    prefix = p;
    value *= 1000;
  }
  return StrCat(Format("%.4g", value), prefix, "s");
}

}  // namespace rollguard::analysis
