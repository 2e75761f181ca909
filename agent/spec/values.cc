// SPDX-License-Identifier: Apache-2.0
#include "agent/spec/values.h"

#include <re2/re2.h>

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::spec {
namespace {

bool IsNameCharacter(char c, bool first) {
  bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  return letter || (!first && c >= '0' && c <= '9');
}

// The content of a quoted matcher value, or the text as it is.
std::optional<std::string> Unquote(std::string_view text) {
  if (text.empty() || text[0] != '"')
    return text.find('"') == std::string_view::npos ? std::optional(std::string(text))
                                                    : std::nullopt;
  if (text.size() < 2 || text.back() != '"') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') return std::nullopt;
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (++i >= text.size()) return std::nullopt;
    switch (text[i]) {
      case 'n': out += '\n'; break;
      case '"':
      case '\\': out += text[i]; break;
      default:  // as Alertmanager: other escapes stay as they are
        out += '\\';
        out += text[i];
    }
  }
  return out;
}

}  // namespace

const std::string* FindIn(const StringMap& map, std::string_view key) {
  for (const auto& [name, value] : map) {
    if (name == key) return &value;
  }
  return nullptr;
}

int64_t IntOrPercent::Of(int64_t total, bool up) const {
  if (!percent) return value;
  int64_t scaled = value * total;
  return up ? (scaled + 99) / 100 : scaled / 100;
}

Expected<IntOrPercent> ParseIntOrPercent(std::string_view text) {
  IntOrPercent out;
  out.percent = !text.empty() && text.back() == '%';
  auto number = ParseInt(out.percent ? text.substr(0, text.size() - 1) : text);
  if (!number || *number < 0 || (out.percent && *number > 100) || *number > 1'000'000)
    return Error(ErrorCode::kInvalid, StrCat(Quote(text), " is no number and no percentage"));
  out.value = *number;
  return out;
}

Expected<double> ParseShare(std::string_view text) {
  bool percent = !text.empty() && text.back() == '%';
  auto number = ParseDouble(percent ? text.substr(0, text.size() - 1) : text);
  double limit = percent ? 100 : 1;
  if (!number || !(*number >= 0) || *number > limit)
    return Error(ErrorCode::kInvalid, StrCat(Quote(text), " is no share like 0.95 or 95%"));
  return percent ? *number / 100 : *number;
}

std::string ToString(const IntOrPercent& value) {
  return StrCat(value.value, value.percent ? "%" : "");
}

double WeightOf(RuleSeverity severity) {
  switch (severity) {
    case RuleSeverity::kCritical: return 1.0;
    case RuleSeverity::kHigh: return 0.8;
    case RuleSeverity::kMedium: return 0.6;
    case RuleSeverity::kLow: return 0.4;
  }
  return 1.0;
}

const char* ToString(NoData value) {
  switch (value) {
    case NoData::kHold: return "hold";
    case NoData::kPass: return "pass";
    case NoData::kFail: return "fail";
  }
  return "hold";
}

const char* ToString(TriggerAction value) {
  switch (value) {
    case TriggerAction::kRollback: return "rollback";
    case TriggerAction::kPause: return "pause";
    case TriggerAction::kObserve: return "observe";
  }
  return "rollback";
}

const char* ToString(RuleSeverity value) {
  switch (value) {
    case RuleSeverity::kCritical: return "critical";
    case RuleSeverity::kHigh: return "high";
    case RuleSeverity::kMedium: return "medium";
    case RuleSeverity::kLow: return "low";
  }
  return "critical";
}

Expected<Matcher> ParseMatcher(std::string_view text) {
  text = Trim(text);
  size_t end = 0;
  while (end < text.size() && IsNameCharacter(text[end], end == 0)) ++end;
  std::string_view rest = Trim(text.substr(end));
  Matcher matcher;
  matcher.name = std::string(text.substr(0, end));
  size_t op = 2;
  if (rest.rfind("=~", 0) == 0) {
    matcher.op = Matcher::Op::kRegex;
  } else if (rest.rfind("!~", 0) == 0) {
    matcher.op = Matcher::Op::kNotRegex;
  } else if (rest.rfind("!=", 0) == 0) {
    matcher.op = Matcher::Op::kNotEqual;
  } else if (rest.rfind('=', 0) == 0) {
    op = 1;
  } else {
    op = 0;
  }
  std::optional<std::string> value;
  if (op > 0) value = Unquote(Trim(rest.substr(op)));
  if (matcher.name.empty() || !value)
    return Error(ErrorCode::kInvalid,
                 StrCat("a matcher looks like severity=\"critical\" or team=~\"a|b\", not ",
                        Quote(Abbreviate(text, 80))));
  matcher.value = std::move(*value);
  if (matcher.op == Matcher::Op::kRegex || matcher.op == Matcher::Op::kNotRegex) {
    RE2 regex("^(?:" + matcher.value + ")$", RE2::Quiet);
    if (!regex.ok())
      return Error(ErrorCode::kInvalid,
                   StrCat("bad regular expression ", Quote(matcher.value), ": ", regex.error()));
  }
  return matcher;
}

std::string ToString(const Matcher& matcher) {
  const char* op = "=";
  switch (matcher.op) {
    case Matcher::Op::kEqual: break;
    case Matcher::Op::kNotEqual: op = "!="; break;
    case Matcher::Op::kRegex: op = "=~"; break;
    case Matcher::Op::kNotRegex: op = "!~"; break;
  }
  return StrCat(matcher.name, op, Quote(matcher.value));
}

bool Selector::Matches(const StringMap& labels) const {
  return std::all_of(match_labels.begin(), match_labels.end(), [&](const auto& wanted) {
    const std::string* value = FindIn(labels, wanted.first);
    return value && *value == wanted.second;
  });
}

}  // namespace rollguard::spec
