// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/yaml_text.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::cli {
namespace {

bool IsPlainCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_./+()=<>$ ").find(c) != std::string_view::npos;
}

// Words another reader may take for something else than text.
bool MeansSomethingElse(const std::string& text) {
  static constexpr std::string_view kWords[] = {"true", "false", "yes",  "no", "on",
                                                "off",  "null",  "y",    "n",  ".inf",
                                                ".nan", "-.inf", "+.inf"};
  const std::string lower = ToLower(text);
  if (std::find(std::begin(kWords), std::end(kWords), lower) != std::end(kWords)) return true;
  // Numbers, dates and times begin with a digit or a sign before one.
  const size_t first = text[0] == '-' || text[0] == '+' || text[0] == '.' ? 1 : 0;
  return first < text.size() && text[first] >= '0' && text[first] <= '9' &&
         text.find_first_not_of("0123456789abcdefABCDEFxXoO_.+-:TZ ") == std::string::npos;
}

bool IsPlain(const std::string& text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return false;
  if (!std::all_of(text.begin(), text.end(), IsPlainCharacter)) return false;
  if (std::string_view("-=<>.").find(text[0]) != std::string_view::npos) return false;
  return !MeansSomethingElse(text);
}

bool IsBlock(const std::string& text) {
  if (text.find('\n') == std::string::npos || text.front() == ' ' || text.front() == '\n')
    return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\n' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f);
  });
}

std::string Block(const std::string& text, int indent) {
  const size_t newlines = text.size() - text.find_last_not_of('\n') - 1;
  std::string out = newlines == 0 ? "|-" : newlines == 1 ? "|" : "|+";
  for (std::string_view rest = text; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    out += '\n';
    if (end > 0) out.append(static_cast<size_t>(indent), ' ').append(rest.substr(0, end));
    rest.remove_prefix(std::min(rest.size(), end + 1));
  }
  return out;
}

std::string Scalar(const Json& value, int indent) {
  if (!value.is_string()) return value.Dump();
  std::string text = value.Str();
  if (IsPlain(text)) return text;
  if (IsBlock(text)) return Block(text, indent);
  return value.Dump();
}

void Write(const Json& value, int indent, std::string& out);

// What stands behind "key:" or "-".
void WriteBehind(const Json& value, int indent, bool in_list, std::string& out) {
  const bool nested = (value.is_object() || value.is_array()) && value.size() > 0;
  if (!nested) {
    out += StrCat(" ",
                  value.is_object()  ? "{}"
                  : value.is_array() ? "[]"
                                     : Scalar(value, indent),
                  "\n");
    return;
  }
  if (!in_list) {
    out += '\n';
    Write(value, indent, out);
    return;
  }
  // The first line of the item stands behind the dash.
  std::string inner;
  Write(value, indent, inner);
  out += StrCat(" ", std::string_view(inner).substr(static_cast<size_t>(indent)));
}

void Write(const Json& value, int indent, std::string& out) {
  const std::string margin(static_cast<size_t>(indent), ' ');
  if (value.is_object()) {
    for (const auto& [key, member] : value.members()) {
      out += StrCat(margin, Scalar(Json(key), indent), ":");
      WriteBehind(member, member.is_array() ? indent : indent + 2, false, out);
    }
  } else if (value.is_array()) {
    for (const Json& item : value.items()) {
      out += StrCat(margin, "-");
      WriteBehind(item, indent + 2, true, out);
    }
  }
}

}  // namespace

std::string ToYaml(const Json& value) {
  std::string out;
  if ((value.is_object() || value.is_array()) && value.size() > 0) {
    Write(value, 0, out);
  } else {
    WriteBehind(value, 0, true, out);
    out.erase(0, 1);
  }
  return out;
}

}  // namespace rollguard::cli
