// SPDX-License-Identifier: Apache-2.0
// Small text helpers shared by everyone: concatenation, quoting, UTF-8, "did you mean".
#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace rollguard {

namespace internal {
inline void AppendPiece(std::string& out, std::string_view piece) { out += piece; }
inline void AppendPiece(std::string& out, char piece) { out += piece; }
template <class T>
requires(std::is_integral_v<T> && !std::is_same_v<T, char> &&
         !std::is_same_v<T, bool>) void AppendPiece(std::string& out, T piece) {
  out += std::to_string(piece);
}
}  // namespace internal

// Concatenates strings, characters and integers. Floats go through FormatNumber on purpose.
template <class... Pieces>
std::string StrCat(const Pieces&... pieces) {
  std::string out;
  (internal::AppendPiece(out, pieces), ...);
  return out;
}

// printf into a string; for fixed-width and float formatting.
[[gnu::format(printf, 1, 2)]] std::string Format(const char* format, ...);

std::vector<std::string_view> Split(std::string_view text, char separator);
std::string Join(std::span<const std::string> parts, std::string_view separator);
std::string_view Trim(std::string_view text);
std::string ToLower(std::string_view text);
std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to);
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

// A double-quoted string with Go/JSON-like escapes; control characters and invalid UTF-8 are
// escaped so that hostile input can be shown safely.
std::string Quote(std::string_view text);

// At most `max_bytes` of `text`, cut at a UTF-8 boundary, with "..." when something was left out.
std::string Abbreviate(std::string_view text, size_t max_bytes);

// The shortest decimal that reads back to the same double; "NaN", "+Inf", "-Inf" for the others.
// Prometheus' own style ('f' up to 1e21, then exponent).
std::string FormatNumber(double value);

// Strict: the whole text must be a number. Accepts what strtod accepts except hex floats.
std::optional<double> ParseDouble(std::string_view text);
std::optional<int64_t> ParseInt(std::string_view text);

bool IsValidUtf8(std::string_view text);

// The candidate nearest to `word` when it is close enough to be a slip of the hand.
std::optional<std::string> DidYouMean(std::string_view word,
                                      std::span<const std::string_view> candidates);

// base64 with padding; the decoder accepts both alphabets and missing padding.
std::string Base64Encode(std::string_view bytes);
std::optional<std::string> Base64Decode(std::string_view text);

}  // namespace rollguard
