// SPDX-License-Identifier: Apache-2.0
// The words of PromQL.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/promql/ast.h"

namespace rollguard::promql {

enum class TokenKind : uint8_t {
  kEnd,
  kError,
  kComma,
  kColon,
  kLeftParen,
  kRightParen,
  kLeftBrace,
  kRightBrace,
  kLeftBracket,
  kRightBracket,
  kAt,
  kNumber,
  kDuration,
  kString,
  kVariable,
  kIdentifier,
  kMetricIdentifier,
  // Operators. kAssign, kRegexMatch and kRegexNoMatch stand only inside braces.
  kAssign,
  kRegexMatch,
  kRegexNoMatch,
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kAtan2,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAnd,
  kOr,
  kUnless,
  // Aggregators.
  kSum,
  kAvg,
  kCount,
  kMin,
  kMax,
  kGroup,
  kStddev,
  kStdvar,
  kTopk,
  kBottomk,
  kCountValues,
  kQuantile,
  // Keywords.
  kOffset,
  kBy,
  kWithout,
  kOn,
  kIgnoring,
  kGroupLeft,
  kGroupRight,
  kBool,
  kStart,
  kEndKeyword,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  Span span;
};

inline bool IsAggregator(TokenKind k) { return k >= TokenKind::kSum && k <= TokenKind::kQuantile; }
inline bool IsOperator(TokenKind k) { return k >= TokenKind::kAdd && k <= TokenKind::kUnless; }
inline bool IsKeyword(TokenKind k) { return k >= TokenKind::kOffset; }

// The keyword, operator word, aggregator or number (`inf`, `nan`) that `word` is, whatever its
// case; kIdentifier or kMetricIdentifier (with a colon) otherwise.
TokenKind ClassifyWord(std::string_view word);

// How an error message names the token: `identifier "x"`, `<by>`, `<op:+>`, `end of input`.
std::string Describe(const Token& token, std::string_view text);

}  // namespace rollguard::promql
