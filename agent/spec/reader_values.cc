// SPDX-License-Identifier: Apache-2.0
// Reading one value: a method of Object for each type.
#include <algorithm>

#include "agent/spec/reader.h"

namespace rollguard::spec {
namespace {

std::string Bounds(double min, double max) {
  if (std::isfinite(min) && std::isfinite(max))
    return StrCat(" from ", FormatNumber(min), " to ", FormatNumber(max));
  if (std::isfinite(min)) return StrCat(" of at least ", FormatNumber(min));
  if (std::isfinite(max)) return StrCat(" of at most ", FormatNumber(max));
  return {};
}

}  // namespace

bool Object::Str(std::string_view key, std::string& out, std::string_view description) {
  if (describing()) {
    AddField(key, Schema::Type::kString, description).initial = out;
    return false;
  }
  const yaml::Node* found = TakeString(key);
  if (found) out = found->text;
  return found != nullptr;
}

bool Object::Name(std::string_view key, std::string& out, std::string_view description) {
  if (!Str(key, out, description)) return false;
  return CheckDnsName(context_, ValueSpan(key), key, out);
}

std::optional<double> Object::Number(std::string_view key, bool integer, bool loose, double min,
                                     double max) {
  std::string wanted = StrCat(integer ? "a whole number" : "a number", Bounds(min, max));
  const yaml::Node* found = TakeScalar(key, wanted);
  if (!found) return std::nullopt;
  std::optional<double> value = found->AsDouble();
  if (loose && found->is_string()) value = ParseDouble(found->text);
  if (value && (!integer || std::floor(*value) == *value) && *value >= min && *value <= max)
    return value;
  Error(key, StrCat(Quote(key), " must be ", wanted, ", not ", Describe(*found)));
  return std::nullopt;
}

bool Object::Int(std::string_view key, int64_t& out, std::string_view description, double min,
                 double max) {
  if (describing()) {
    Schema& field = AddField(key, Schema::Type::kInteger, description);
    if (std::isfinite(min)) field.min = min;
    if (std::isfinite(max)) field.max = max;
    field.initial = StrCat(out);
    return false;
  }
  // What a double holds exactly; more is a slip of the hand.
  constexpr double kLimit = 9007199254740992.0;
  auto value = Number(key, true, false, std::max(min, -kLimit), std::min(max, kLimit));
  if (value) out = static_cast<int64_t>(*value);
  return value.has_value();
}

bool Object::OptInt(std::string_view key, std::optional<int64_t>& out, std::string_view description,
                    double min, double max) {
  int64_t value = 0;
  const bool read = Int(key, value, description, min, max);
  if (describing()) SetInitial("");
  if (!read) return false;
  out = value;
  return true;
}

bool Object::LooseInt(std::string_view key, int64_t& out, std::string_view description,
                      double min) {
  if (describing()) return AddField(key, Schema::Type::kIntOrString, description), false;
  auto value = Number(key, true, true, min, 2147483647.0);
  if (value) out = static_cast<int64_t>(*value);
  return value.has_value();
}

bool Object::Num(std::string_view key, double& out, std::string_view description, double min,
                 double max) {
  if (describing()) {
    Schema& field = AddField(key, Schema::Type::kNumber, description);
    if (std::isfinite(min)) field.min = min;
    if (std::isfinite(max)) field.max = max;
    field.initial = FormatNumber(out);
    return false;
  }
  auto value = Number(key, false, false, min, max);
  if (value) out = *value;
  return value.has_value();
}

bool Object::OptNum(std::string_view key, std::optional<double>& out, std::string_view description,
                    double min, double max) {
  double value = 0;
  const bool read = Num(key, value, description, min, max);
  if (describing()) SetInitial("");
  if (!read) return false;
  out = value;
  return true;
}

bool Object::Share(std::string_view key, double& out, std::string_view description) {
  if (!describing()) {
    const yaml::Node* found = node_.Find(key);
    auto share = found && found->is_string() ? ParseShare(found->text)
                                             : Expected<double>(rollguard::Error());
    if (share) {
      Take(key);
      Error(key, StrCat(Quote(key), " must be a number from 0 to 1, not ", Describe(*found),
                        " (write ", FormatNumber(*share), ")"));
      return false;
    }
  }
  return Num(key, out, description, 0, 1);
}

bool Object::OptShare(std::string_view key, std::optional<double>& out,
                      std::string_view description) {
  double value = 0;
  const bool read = Share(key, value, description);
  if (describing()) SetInitial("");
  if (!read) return false;
  out = value;
  return true;
}

bool Object::Bool(std::string_view key, bool& out, std::string_view description) {
  if (describing()) {
    AddField(key, Schema::Type::kBool, description).initial = out ? "true" : "false";
    return false;
  }
  const yaml::Node* found = TakeScalar(key, "true or false");
  if (!found) return false;
  auto value = found->AsBool();
  if (!value) {
    Error(key, StrCat(Quote(key), " must be true or false, not ", Describe(*found)));
    return false;
  }
  out = *value;
  return true;
}

std::optional<Duration> Object::ReadDuration(std::string_view key, Duration min) {
  constexpr std::string_view kWanted = "a duration like 30s, 5m or 1h30m";
  const yaml::Node* found = TakeScalar(key, kWanted);
  if (!found) return std::nullopt;
  auto value = ParseGoDuration(found->text, true);
  bool bare = found->AsDouble().has_value();  // a number; the API server would refuse it
  if (!value || bare) {
    Error(key, StrCat(Quote(key), " must be ", kWanted, ", not ", Describe(*found),
                      bare ? StrCat(" (did you mean \"", found->text, "s\"?)") : ""));
    return std::nullopt;
  }
  if (*value < min) {
    Error(key, min.count() == 0 ? StrCat(Quote(key), " must not be negative")
                                : StrCat(Quote(key), " must be at least ", FormatShortDuration(min),
                                         ", not ", found->text));
    return std::nullopt;
  }
  return *value;
}

bool Object::Dur(std::string_view key, Duration& out, std::string_view description, Duration min) {
  if (describing()) {
    AddField(key, Schema::Type::kDuration, description).initial = FormatShortDuration(out);
    return false;
  }
  auto value = ReadDuration(key, min);
  if (value) out = *value;
  return value.has_value();
}

bool Object::OptDur(std::string_view key, std::optional<Duration>& out,
                    std::string_view description, Duration min) {
  if (describing()) return AddField(key, Schema::Type::kDuration, description), false;
  auto value = ReadDuration(key, min);
  if (value) out = value;
  return value.has_value();
}

bool Object::Percent(std::string_view key, std::optional<IntOrPercent>& out,
                     std::string_view description) {
  if (describing()) return AddField(key, Schema::Type::kIntOrString, description), false;
  const yaml::Node* found = TakeScalar(key, "a number or a percentage");
  if (!found) return false;
  auto value = ParseIntOrPercent(found->text);
  if (!value) {
    Error(key, StrCat(Quote(key), " must be a number like 3 or a percentage like 25%, not ",
                      Describe(*found)));
    return false;
  }
  out = *value;
  return true;
}

bool Object::Map(std::string_view key, StringMap& out, std::string_view description) {
  if (describing()) return AddField(key, Schema::Type::kMap, description), false;
  const yaml::Node* found = TakeMapping(key);
  if (!found) return false;
  out.clear();
  for (const yaml::Entry& entry : found->entries) {
    bool placeholder = context_.placeholders && entry.value.is_scalar();
    if (entry.value.is_string() || placeholder) {
      out.emplace_back(entry.key, entry.value.text);
    } else {
      context_.Error(entry.value.is_scalar() ? entry.value.span : entry.key_span,
                     StrCat(Quote(entry.key), " must be a string, not ", Describe(entry.value),
                            entry.value.is_scalar() ? " (quote it)" : ""));
    }
  }
  return true;
}

const yaml::Node* Object::TakeScalars(std::string_view key, Schema::Type item,
                                      std::string_view description, std::optional<double> min,
                                      std::optional<double> max) {
  if (!describing()) return TakeList(key);
  Schema schema;
  schema.type = item;
  schema.min = min;
  schema.max = max;
  AddField(key, Schema::Type::kList, description).item.push_back(std::move(schema));
  return nullptr;
}

bool Object::Strings(std::string_view key, std::vector<std::string>& out,
                     std::string_view description) {
  const yaml::Node* found = TakeScalars(key, Schema::Type::kString, description);
  if (!found) return false;
  out.clear();
  for (const yaml::Node& item : found->items) {
    if (CheckItem(key, item, false)) out.push_back(item.text);
  }
  return true;
}

bool Object::Ints(std::string_view key, std::vector<int64_t>& out, std::string_view description,
                  double min, double max) {
  const yaml::Node* found = TakeScalars(key, Schema::Type::kInteger, description, min, max);
  if (!found) return false;
  out.clear();
  for (const yaml::Node& item : found->items) {
    auto value = item.AsInt();
    if (value && static_cast<double>(*value) >= min && static_cast<double>(*value) <= max) {
      out.push_back(*value);
    } else {
      context_.Error(item.span, StrCat("an item of ", Quote(key), " must be a whole number",
                                       Bounds(min, max), ", not ", Describe(item)));
    }
  }
  return true;
}

bool Object::Any(std::string_view key, Json& out, std::string_view description) {
  if (describing()) return AddField(key, Schema::Type::kAny, description), false;
  const yaml::Node* found = Take(key);
  if (found) out = yaml::ToJson(*found);
  return found != nullptr;
}

bool Object::Raw(std::string_view key, yaml::Node& out, std::string_view description) {
  if (describing()) return AddField(key, Schema::Type::kAny, description), false;
  const yaml::Node* found = Take(key);
  if (found) out = *found;
  return found != nullptr;
}

void Object::Ignore(std::string_view key) {
  if (!describing()) known_.push_back(key);
}

bool Object::Ref(std::string_view key, ObjectRef& out, std::string_view description) {
  if (describing()) return AddField(key, Schema::Type::kString, description), false;
  const yaml::Node* found = TakeString(key);
  if (!found) return false;
  size_t slash = found->text.find('/');
  std::string ns = slash == std::string::npos ? "" : found->text.substr(0, slash);
  std::string name = slash == std::string::npos ? found->text : found->text.substr(slash + 1);
  if (slash != std::string::npos && !CheckDnsName(context_, found->span, key, ns)) return false;
  if (!CheckDnsName(context_, found->span, key, name)) return false;
  out = {std::move(ns), std::move(name)};
  return true;
}

bool Object::Promql(std::string_view key, Query& out, std::string_view description) {
  if (describing()) return AddField(key, Schema::Type::kString, description), false;
  const yaml::Node* found = Take(key);  // placeholders are looked through
  if (!found) return false;
  if (!found->is_scalar()) {
    Error(key, StrCat(Quote(key), " must be a PromQL expression, not ", Describe(*found)));
    return false;
  }
  CheckPromql(context_, *found, out);
  return true;
}

bool Object::Expression(std::string_view key, Condition& out, std::string_view description) {
  if (describing()) return AddField(key, Schema::Type::kString, description), false;
  const yaml::Node* found = Take(key);
  if (!found) return false;
  if (!found->is_string()) {
    Error(key, StrCat(Quote(key), " must be a string, not ", Describe(*found), " (quote it)"));
    return false;
  }
  CheckExpression(context_, *found, out);
  return true;
}

bool Object::Text(std::string_view key, std::string& out, std::string_view description) {
  if (describing()) return AddField(key, Schema::Type::kIntOrString, description), false;
  const yaml::Node* found = TakeScalar(key, "a string or a number");
  if (!found) return false;
  out = found->text;
  return true;
}

bool Object::Texts(std::string_view key, std::vector<std::string>& out,
                   std::string_view description) {
  const yaml::Node* found = TakeScalars(key, Schema::Type::kIntOrString, description);
  if (!found) return false;
  out.clear();
  for (const yaml::Node& item : found->items) {
    if (item.AsInt() || CheckItem(key, item, false)) out.push_back(item.text);
  }
  return true;
}

bool Object::Matchers(std::string_view key, std::vector<Matcher>& out,
                      std::string_view description) {
  if (describing()) {
    std::vector<std::string> unused;
    return Strings(key, unused, description);
  }
  const yaml::Node* found = TakeList(key);
  if (!found) return false;
  out.clear();
  for (const yaml::Node& item : found->items) {
    if (!CheckItem(key, item, false)) continue;
    auto matcher = ParseMatcher(item.text);
    if (matcher) {
      out.push_back(*matcher);
    } else {
      context_.Error(item.span, matcher.error().message);
    }
  }
  return true;
}

bool Object::Url(std::string_view key, std::string& out, std::string_view description) {
  if (!Str(key, out, description)) return false;
  CheckUrl(context_, ValueSpan(key), key, out);
  return true;
}

bool Object::Regex(std::string_view key, std::string& out, std::string_view description) {
  if (!Str(key, out, description)) return false;
  CheckRegex(context_, *node_.Find(key), out);
  return true;
}

std::optional<size_t> Object::Choice(std::string_view key, std::span<const std::string_view> words,
                                     std::string_view description) {
  if (describing()) {
    Schema& field = AddField(key, Schema::Type::kString, description);
    field.one_of.assign(words.begin(), words.end());
    return std::nullopt;
  }
  std::vector<std::string> names(words.begin(), words.end());
  std::string wanted = "one of " + Join(names, ", ");
  const yaml::Node* found = TakeScalar(key, wanted);
  if (!found) return std::nullopt;
  auto at = std::find(words.begin(), words.end(), found->text);
  if (at != words.end()) return static_cast<size_t>(at - words.begin());
  std::vector<std::string_view> candidates(words.begin(), words.end());
  Error(key, StrCat(Quote(key), " must be ", wanted, ", not ", Describe(*found),
                    Suggestion(found->text, candidates)));
  return std::nullopt;
}

}  // namespace rollguard::spec
