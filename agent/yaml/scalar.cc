// SPDX-License-Identifier: Apache-2.0
// What a plain scalar means: the rules of Go's yaml.v2, by which kubectl and the API machinery turn
// YAML into JSON.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "agent/base/text.h"
#include "agent/yaml/yaml.h"

namespace rollguard::yaml {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

template <size_t N>
bool IsOneOf(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

constexpr std::array<std::string_view, 5> kNull = {"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 11> kTrue = {"true", "True", "TRUE", "yes", "Yes", "YES",
                                                    "on",   "On",   "ON",   "y",   "Y"};
constexpr std::array<std::string_view, 11> kFalse = {"false", "False", "FALSE", "no", "No", "NO",
                                                     "off",   "Off",   "OFF",   "n",  "N"};
constexpr std::array<std::string_view, 9> kInfinity = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                                       "+.INF", "-.inf", "-.Inf", "-.INF"};
constexpr std::array<std::string_view, 3> kNan = {".nan", ".NaN", ".NAN"};

// Base from the prefix, as Go's strconv with base 0.
std::optional<int64_t> ReadInt(std::string_view text) {
  std::string digits;
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text.empty() || !IsDigit(text[0])) return std::nullopt;
  for (char c : text) {
    if (c != '_') digits += c;
  }
  int base = 10;
  std::string_view rest = digits;
  if (rest.size() > 1 && rest[0] == '0') {
    char kind = rest[1];
    base = kind == 'x' || kind == 'X' ? 16 : kind == 'b' || kind == 'B' ? 2 : 8;
    rest.remove_prefix(base == 8 && kind != 'o' && kind != 'O' ? 1 : 2);
  }
  uint64_t value = 0;
  auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value, base);
  if (rest.empty() || error != std::errc() || end != rest.data() + rest.size()) return std::nullopt;
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (value > kMax + (negative ? 1 : 0)) return std::nullopt;
  return negative ? static_cast<int64_t>(~value + 1) : static_cast<int64_t>(value);
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool LooksLikeFloat(std::string_view text) {
  size_t i = 0;
  auto digits = [&] {
    size_t from = i;
    while (i < text.size() && IsDigit(text[i])) ++i;
    return i - from;
  };
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
  size_t whole = digits();
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (digits() + whole == 0) return false;
  } else if (whole == 0) {
    return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    if (digits() == 0) return false;
  }
  return i == text.size();
}

std::optional<double> ReadFloat(std::string_view text) {
  if (IsOneOf(text, kNan)) return std::numeric_limits<double>::quiet_NaN();
  if (IsOneOf(text, kInfinity)) {
    double infinity = std::numeric_limits<double>::infinity();
    return text[0] == '-' ? -infinity : infinity;
  }
  if (!LooksLikeFloat(text)) return std::nullopt;
  if (text[0] == '+') text.remove_prefix(1);
  return ParseDouble(text);
}

}  // namespace

const char* ToString(ScalarType type) {
  switch (type) {
    case ScalarType::kNull: return "null";
    case ScalarType::kBool: return "bool";
    case ScalarType::kInt: return "int";
    case ScalarType::kFloat: return "float";
    case ScalarType::kString: return "string";
  }
  return "string";
}

ScalarType ResolvePlain(std::string_view text) {
  if (text.empty()) return ScalarType::kNull;
  // Most plain scalars are words that no rule below can match.
  if (std::string_view("~nNtTfFyYoO+-.0123456789").find(text[0]) == std::string_view::npos)
    return ScalarType::kString;
  if (IsOneOf(text, kNull)) return ScalarType::kNull;
  if (IsOneOf(text, kTrue) || IsOneOf(text, kFalse)) return ScalarType::kBool;
  if (std::string_view("+-.0123456789").find(text[0]) == std::string_view::npos)
    return ScalarType::kString;
  if (ReadInt(text)) return ScalarType::kInt;
  if (ReadFloat(text)) return ScalarType::kFloat;
  return ScalarType::kString;
}

std::optional<bool> Node::AsBool() const {
  if (kind != Kind::kScalar || type != ScalarType::kBool) return std::nullopt;
  return IsOneOf(text, kTrue);
}

std::optional<int64_t> Node::AsInt() const {
  if (kind != Kind::kScalar || type != ScalarType::kInt) return std::nullopt;
  return ReadInt(text);
}

std::optional<double> Node::AsDouble() const {
  if (kind != Kind::kScalar) return std::nullopt;
  if (type == ScalarType::kInt) {
    auto value = ReadInt(text);
    return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
  }
  return type == ScalarType::kFloat ? ReadFloat(text) : std::nullopt;
}

}  // namespace rollguard::yaml
