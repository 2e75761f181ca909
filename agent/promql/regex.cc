// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/regex.h"

#include <re2/re2.h>

#include "agent/base/text.h"

namespace rollguard::promql {
namespace {

// Letters, digits and what means nothing special, with `.`, `|`, and `*`, `+`, `?` after something
// that can be repeated: always a regular expression.
bool IsPlain(std::string_view pattern) {
  bool repeatable = false;
  for (char c : pattern) {
    if (c == '*' || c == '+' || c == '?') {
      if (!repeatable) return false;
      repeatable = false;  // `a**` is for RE2 to judge
      continue;
    }
    if (c == '|') {
      repeatable = false;
      continue;
    }
    bool special = std::string_view("\\()[]{}^$").find(c) != std::string_view::npos;
    if (special || static_cast<unsigned char>(c) >= 0x80) return false;
    repeatable = true;
  }
  return true;
}

// RE2's `\C` (a single byte) is no part of Go's syntax.
bool HasByteEscape(std::string_view pattern) {
  for (size_t i = 0; i + 1 < pattern.size(); ++i) {
    if (pattern[i] != '\\') continue;
    if (pattern[i + 1] == 'C') return true;
    ++i;
  }
  return false;
}

RE2::Options Quiet() {
  RE2::Options options;
  options.set_log_errors(false);
  return options;
}

}  // namespace

Status CheckRegex(std::string_view pattern) {
  if (IsPlain(pattern)) return {};
  if (HasByteEscape(pattern)) {
    return Error(ErrorCode::kInvalid, "error parsing regexp: invalid escape sequence: `\\C`");
  }
  RE2 alone(re2::StringPiece(pattern.data(), pattern.size()), Quiet());
  RE2 anchored(Anchored(pattern), Quiet());
  if (alone.ok() && anchored.ok()) return {};
  const std::string& why = alone.ok() ? anchored.error() : alone.error();
  return Error(ErrorCode::kInvalid, StrCat("error parsing regexp: ", Abbreviate(why, 200)));
}

bool RegexMatches(std::string_view pattern, std::string_view text) {
  RE2 regex(Anchored(pattern), Quiet());
  return regex.ok() && RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), regex);
}

std::string Anchored(std::string_view pattern) { return StrCat("^(?:", pattern, ")$"); }

std::string QuoteRegex(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace rollguard::promql
