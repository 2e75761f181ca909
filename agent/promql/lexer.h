// SPDX-License-Identifier: Apache-2.0
// PromQL text -> tokens, one at a time, and the values that tokens stand for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/expected.h"
#include "agent/promql/token.h"

namespace rollguard::promql {

// Not thread-safe. `text` must outlive the lexer. After kEnd or kError every further token is the
// same one.
class Lexer {
 public:
  Lexer(std::string_view text, bool variables) : text_(text), variables_(variables) {}

  Token Next();

  // What the kError token says.
  const std::string& error() const { return error_; }
  std::string_view Text(const Token& token) const {
    return text_.substr(token.span.begin, token.span.end - token.span.begin);
  }

 private:
  int Peek(size_t ahead = 0) const;
  bool Accept(std::string_view set);
  void AcceptRun(std::string_view set);
  Token Emit(TokenKind kind);
  Token Emit(TokenKind kind, size_t bytes);
  Token Fail(std::string message);

  void SkipBlanks();
  Token Statement();
  Token InBraces();
  Token InBraces(char c);
  Token Comparison(char c);
  Token OpenBracket();
  Token CloseParen();
  Token AtEnd();
  Token Word(bool keywords);
  Token WordOrColon();
  Token NumberOrDuration();
  Token Duration();
  Token VariableWord();
  Token String(char quote);
  Token RawString();
  bool ScanNumber();
  bool ScanDuration();
  bool ScanEscape(char quote);
  bool ScanCodePoint(int digits, uint32_t base, uint32_t max);
  uint32_t Rune(size_t* width) const;
  std::string QuotedRune() const;

  std::string_view text_;
  bool variables_;
  size_t start_ = 0;  // of the token being read
  size_t at_ = 0;
  bool in_braces_ = false;
  bool in_brackets_ = false;
  bool after_bracket_ = false;  // a duration must follow
  bool got_colon_ = false;
  size_t open_parens_ = 0;
  std::optional<Token> last_;  // kEnd or kError
  std::string error_;
};

// "010" is 8, "0x1F" 31, "1e3", "Inf", "nan".
Expected<double> ParseNumberToken(std::string_view text);

// "1h30m" in milliseconds; zero is refused.
Expected<int64_t> ParseDurationToken(std::string_view text);

// The text inside a well-formed string token, escapes resolved.
std::string UnquoteToken(std::string_view token);

// [a-zA-Z_][a-zA-Z0-9_]*
bool IsLabelName(std::string_view text);

inline bool IsAlpha(int c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool IsDigit(int c) { return c >= '0' && c <= '9'; }
inline bool IsAlphaNumeric(int c) { return IsAlpha(c) || IsDigit(c); }

}  // namespace rollguard::promql
