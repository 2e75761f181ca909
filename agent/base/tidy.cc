// SPDX-License-Identifier: Apache-2.0
#include "agent/base/tidy.h"

#include "agent/base/text.h"

namespace rollguard {
namespace {

constexpr size_t kLongFraction = 5;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
// What a number may not touch: else it is a piece of something.
bool IsPiece(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
         c == ':' || c == '-';
}

size_t DigitsAt(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && IsDigit(text[end])) ++end;
  return end - at;
}

// The length of the number "12.345678", "1.2345678e-05" at `at`; 0 when it is short or none.
size_t LongNumberAt(std::string_view text, size_t at) {
  size_t whole = DigitsAt(text, at);
  size_t point = at + whole;
  if (whole == 0 || point >= text.size() || text[point] != '.') return 0;
  size_t fraction = DigitsAt(text, point + 1);
  if (fraction < kLongFraction) return 0;
  size_t end = point + 1 + fraction;
  if (end + 1 < text.size() && text[end] == 'e') {
    size_t sign = text[end + 1] == '-' || text[end + 1] == '+' ? 1 : 0;
    if (size_t power = DigitsAt(text, end + 1 + sign); power > 0) end += 1 + sign + power;
  }
  // A point behind it may end the sentence.
  bool sentence =
      end < text.size() && text[end] == '.' && (end + 1 == text.size() || !IsPiece(text[end + 1]));
  if (end < text.size() && IsPiece(text[end]) && text[end] != ':' && !sentence) return 0;
  return end - at;
}

}  // namespace

std::string TidyNumbers(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    bool begins = at == 0 || !IsPiece(text[at - 1]) ||
                  (text[at - 1] == '-' && (at == 1 || !IsPiece(text[at - 2])));
    size_t length = begins && IsDigit(text[at]) ? LongNumberAt(text, at) : 0;
    if (length == 0) {
      out += text[at++];
      continue;
    }
    double value = ParseDouble(text.substr(at, length)).value_or(0);
    out += Format("%.4g", value);
    at += length;
  }
  return out;
}

}  // namespace rollguard
