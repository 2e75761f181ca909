// SPDX-License-Identifier: Apache-2.0
// A state machine of three places: plain text, inside braces, and right after `[`. What a character
// means depends on the place (`=` in braces, `:` in brackets), as in Prometheus' own lexer, whose
// corner cases are kept: a letter inside brackets stands for the colon, U+FFFD is refused.
#include "agent/promql/lexer.h"

#include "agent/base/text.h"

namespace rollguard::promql {
namespace {

using enum TokenKind;

constexpr int kEof = -1;

bool IsBlank(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

TokenKind SingleCharacter(int c) {
  switch (c) {
    case ',': return kComma;
    case '*': return kMul;
    case '/': return kDiv;
    case '%': return kMod;
    case '+': return kAdd;
    case '-': return kSub;
    case '^': return kPow;
    case '@': return kAt;
    default: return kError;
  }
}

}  // namespace

int Lexer::Peek(size_t ahead) const {
  size_t i = at_ + ahead;
  return i < text_.size() ? static_cast<unsigned char>(text_[i]) : kEof;
}

bool Lexer::Accept(std::string_view set) {
  if (at_ >= text_.size() || set.find(text_[at_]) == std::string_view::npos) return false;
  ++at_;
  return true;
}

void Lexer::AcceptRun(std::string_view set) {
  while (Accept(set)) {
  }
}

Token Lexer::Emit(TokenKind kind) {
  return {kind, {static_cast<uint32_t>(start_), static_cast<uint32_t>(at_)}};
}

Token Lexer::Emit(TokenKind kind, size_t bytes) {
  at_ = start_ + bytes;
  return Emit(kind);
}

Token Lexer::Fail(std::string message) {
  if (at_ <= start_ && at_ < text_.size()) {
    size_t width = 1;
    Rune(&width);
    at_ += width;
  }
  error_ = std::move(message);
  last_ = Emit(kError);
  return *last_;
}

// Blanks and comments.
void Lexer::SkipBlanks() {
  while (at_ < text_.size()) {
    if (IsBlank(Peek())) {
      ++at_;
    } else if (Peek() == '#') {
      size_t end = text_.find('\n', at_);
      at_ = end == std::string_view::npos ? text_.size() : end;
    } else {
      return;
    }
  }
}

Token Lexer::Next() {
  if (last_) return *last_;
  if (after_bracket_) {
    while (IsBlank(Peek())) ++at_;
    start_ = at_;
    after_bracket_ = false;
    return variables_ && Peek() == '$' ? VariableWord() : Duration();
  }
  SkipBlanks();
  start_ = at_;
  return in_braces_ ? InBraces() : Statement();
}

Token Lexer::Statement() {
  int c = Peek();
  if (c == kEof) return AtEnd();
  if (TokenKind kind = SingleCharacter(c); kind != kError) return Emit(kind, 1);
  if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) return NumberOrDuration();
  if (IsAlpha(c) || c == ':') return WordOrColon();
  switch (c) {
    case '=':
    case '!':
    case '<':
    case '>': return Comparison(static_cast<char>(c));
    case '"':
    case '\'': return String(static_cast<char>(c));
    case '`': return RawString();
    case '(': ++open_parens_; return Emit(kLeftParen, 1);
    case ')': return CloseParen();
    case '{': in_braces_ = true; return Emit(kLeftBrace, 1);
    case '[': return OpenBracket();
    case ']':
      if (!in_brackets_) return Fail("unexpected right bracket ']'");
      in_brackets_ = false;
      return Emit(kRightBracket, 1);
    case '$':
      if (variables_) return VariableWord();
      break;
    default: break;
  }
  return Fail(StrCat("unexpected character: ", QuotedRune()));
}

Token Lexer::AtEnd() {
  if (open_parens_ > 0) return Fail("unclosed left parenthesis");
  if (in_brackets_) return Fail("unclosed left bracket");
  last_ = Emit(kEnd);
  return *last_;
}

Token Lexer::CloseParen() {
  if (open_parens_ == 0) return Fail("unexpected right parenthesis ')'");
  --open_parens_;
  return Emit(kRightParen, 1);
}

Token Lexer::OpenBracket() {
  if (in_brackets_) return Fail("unexpected left bracket '['");
  in_brackets_ = true;
  after_bracket_ = true;
  got_colon_ = false;
  return Emit(kLeftBracket, 1);
}

Token Lexer::Comparison(char c) {
  bool equals = Peek(1) == '=';
  switch (c) {
    case '<': return equals ? Emit(kLessEqual, 2) : Emit(kLess, 1);
    case '>': return equals ? Emit(kGreaterEqual, 2) : Emit(kGreater, 1);
    case '!':
      if (equals) return Emit(kNotEqual, 2);
      ++at_;
      return Fail(StrCat("unexpected character after '!': ", QuotedRune()));
    default:
      if (equals) return Emit(kEqual, 2);
      if (Peek(1) == '~') {
        ++at_;
        return Fail("unexpected character after '=': '~'");
      }
      return Emit(kAssign, 1);
  }
}

Token Lexer::InBraces() {
  int c = Peek();
  if (c == kEof) return Fail("unexpected end of input inside braces");
  if (IsAlpha(c)) return Word(/*keywords=*/false);
  return InBraces(static_cast<char>(c));
}

Token Lexer::InBraces(char c) {
  switch (c) {
    case ',': return Emit(kComma, 1);
    case '"':
    case '\'': return String(c);
    case '`': return RawString();
    case '=': return Peek(1) == '~' ? Emit(kRegexMatch, 2) : Emit(kAssign, 1);
    case '!':
      if (Peek(1) == '~') return Emit(kRegexNoMatch, 2);
      if (Peek(1) == '=') return Emit(kNotEqual, 2);
      ++at_;
      return Fail(StrCat("unexpected character after '!' inside braces: ", QuotedRune()));
    case '{': return Fail("unexpected left brace '{'");
    case '}': in_braces_ = false; return Emit(kRightBrace, 1);
    default: return Fail(StrCat("unexpected character inside braces: ", QuotedRune()));
  }
}

Token Lexer::WordOrColon() {
  if (!in_brackets_) return Word(/*keywords=*/true);
  if (got_colon_) return Fail(StrCat("unexpected colon ", QuotedRune()));
  got_colon_ = true;
  return Emit(kColon, 1);
}

Token Lexer::Word(bool keywords) {
  while (IsAlphaNumeric(Peek()) || (keywords && Peek() == ':')) ++at_;
  if (!keywords) return Emit(kIdentifier);
  return Emit(ClassifyWord(text_.substr(start_, at_ - start_)));
}

bool Lexer::ScanNumber() {
  std::string_view digits = "0123456789";
  if (Accept("0") && Accept("xX")) digits = "0123456789abcdefABCDEF";
  AcceptRun(digits);
  if (Accept(".")) AcceptRun(digits);
  if (Accept("eE")) {
    Accept("+-");
    AcceptRun("0123456789");
  }
  return !IsAlphaNumeric(Peek());
}

// What follows the first digits of a duration. Wrong units (`hs`) are found by ParseDurationToken.
bool Lexer::ScanDuration() {
  if (!Accept("smhdwy")) return false;
  Accept("s");
  while (Accept("0123456789")) {
    AcceptRun("0123456789");
    if (!Accept("smhdw")) return false;
    Accept("s");
  }
  return !IsAlphaNumeric(Peek());
}

Token Lexer::NumberOrDuration() {
  if (ScanNumber()) return Emit(kNumber);
  if (ScanDuration()) return Emit(kDuration);
  while (IsAlphaNumeric(Peek())) ++at_;
  return Fail(StrCat("bad number or duration syntax: ",
                     Quote(Abbreviate(text_.substr(start_, at_ - start_), 60))));
}

Token Lexer::Duration() {
  if (ScanNumber()) return Fail("missing unit character in duration");
  if (ScanDuration()) return Emit(kDuration);
  while (IsAlphaNumeric(Peek())) ++at_;
  return Fail(
      StrCat("bad duration syntax: ", Quote(Abbreviate(text_.substr(start_, at_ - start_), 60))));
}

Token Lexer::VariableWord() {
  bool braces = Peek(1) == '{';
  at_ += braces ? 2 : 1;
  size_t name = at_;
  if (IsAlpha(Peek())) {
    while (IsAlphaNumeric(Peek())) ++at_;
  }
  if (at_ == name) return Fail("a variable's name must follow '$'");
  if (braces && !Accept("}")) return Fail("unclosed variable, expected \"}\"");
  return Emit(kVariable);
}

}  // namespace rollguard::promql
