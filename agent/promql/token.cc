// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/token.h"

#include <array>
#include <utility>

#include "agent/base/text.h"

namespace rollguard::promql {
namespace {

using enum TokenKind;

constexpr std::pair<std::string_view, TokenKind> kWords[] = {
    {"and", kAnd},
    {"atan2", kAtan2},
    {"avg", kAvg},
    {"bool", kBool},
    {"bottomk", kBottomk},
    {"by", kBy},
    {"count", kCount},
    {"count_values", kCountValues},
    {"end", kEndKeyword},
    {"group", kGroup},
    {"group_left", kGroupLeft},
    {"group_right", kGroupRight},
    {"ignoring", kIgnoring},
    {"inf", kNumber},
    {"max", kMax},
    {"min", kMin},
    {"nan", kNumber},
    {"offset", kOffset},
    {"on", kOn},
    {"or", kOr},
    {"quantile", kQuantile},
    {"start", kStart},
    {"stddev", kStddev},
    {"stdvar", kStdvar},
    {"sum", kSum},
    {"topk", kTopk},
    {"unless", kUnless},
    {"without", kWithout},
};
constexpr size_t kLongestWord = 12;

}  // namespace

TokenKind ClassifyWord(std::string_view word) {
  if (word.size() <= kLongestWord) {
    std::array<char, kLongestWord> lower{};
    for (size_t i = 0; i < word.size(); ++i) {
      char c = word[i];
      lower[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    }
    std::string_view key(lower.data(), word.size());
    for (const auto& [text, kind] : kWords) {
      if (text.front() > key.front()) break;
      if (text == key) return kind;
    }
  }
  return word.find(':') == std::string_view::npos ? kIdentifier : kMetricIdentifier;
}

std::string Describe(const Token& token, std::string_view text) {
  std::string_view word = text.substr(token.span.begin, token.span.end - token.span.begin);
  if (token.kind == kEnd) return "end of input";
  if (token.kind == kIdentifier || token.kind == kMetricIdentifier) {
    return StrCat("identifier ", Quote(Abbreviate(word, 60)));
  }
  if (token.kind == kNumber) return StrCat("number ", Quote(Abbreviate(word, 60)));
  if (token.kind == kDuration) return StrCat("duration ", Quote(Abbreviate(word, 60)));
  if (token.kind == kString) return StrCat("string ", Quote(Abbreviate(word, 60)));
  if (token.kind == kVariable) return StrCat("variable ", Quote(Abbreviate(word, 60)));
  if (IsOperator(token.kind)) return StrCat("<op:", ToLower(word), ">");
  if (IsAggregator(token.kind)) return StrCat("<aggr:", ToLower(word), ">");
  if (IsKeyword(token.kind)) return StrCat("<", ToLower(word), ">");
  return Quote(word);
}

}  // namespace rollguard::promql
