// SPDX-License-Identifier: Apache-2.0
// Words of a condition. Private to agent/expr.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/expr/expr.h"

namespace rollguard::expr {

enum class TokenKind { kEnd, kNumber, kString, kName, kOperator, kBracket };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // of a string: unescaped
  SourceSpan span;

  bool Is(TokenKind k, std::string_view t) const { return kind == k && text == t; }
  bool IsOperator(std::string_view t) const { return Is(TokenKind::kOperator, t); }
  bool IsBracket(std::string_view t) const { return Is(TokenKind::kBracket, t); }
};

// The last token is always kEnd. The first problem ends the lexing.
std::vector<Token> Lex(std::string_view text, std::vector<Problem>& problems);

}  // namespace rollguard::expr
