// SPDX-License-Identifier: Apache-2.0
// Numbers: 42 0x2A 0o52 0b101 1_000 .5 1e-3. Strings: "a" 'a' with Go's escapes, `raw`.
// Words that are operators: and or not in matches contains startsWith endsWith let.
#include "agent/expr/lexer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "agent/base/text.h"

namespace rollguard::expr {
namespace {

constexpr std::array<std::string_view, 9> kWords = {
    "and", "or", "not", "in", "matches", "contains", "startsWith", "endsWith", "let"};
// Longest first.
constexpr std::array<std::string_view, 30> kOperators = {
    "||", "&&", "==", "!=", "<=", ">=", "**", "?.", "??", "..", "|", "<", ">", "+", "-",
    "*",  "/",  "%",  "^",  "!",  "=",  ",",  ":",  ";",  ".",  "?", "#", "&", "@", "~"};

bool IsNameStart(unsigned char c) { return std::isalpha(c) || c == '_' || c == '$' || c >= 0x80; }
bool IsNamePart(unsigned char c) { return IsNameStart(c) || std::isdigit(c); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

void AppendUtf8(std::string& out, uint32_t c) {
  auto push = [&](uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    push(c);
  } else if (c < 0x800) {
    push(0xC0 | (c >> 6));
    push(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    push(0xE0 | (c >> 12));
    push(0x80 | ((c >> 6) & 0x3F));
    push(0x80 | (c & 0x3F));
  } else {
    push(0xF0 | (c >> 18));
    push(0x80 | ((c >> 12) & 0x3F));
    push(0x80 | ((c >> 6) & 0x3F));
    push(0x80 | (c & 0x3F));
  }
}

class Lexer {
 public:
  Lexer(std::string_view text, std::vector<Problem>& problems) : text_(text), problems_(problems) {}

  std::vector<Token> Run() {
    while (Next()) {
    }
    Begin();
    Push(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  void Advance() {
    auto c = static_cast<unsigned char>(text_[at_++]);
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else if ((c & 0xC0) != 0x80) {
      ++column_;
    }
  }
  void Advance(size_t count) {
    while (count-- > 0) Advance();
  }

  void Begin() {
    start_ = at_;
    start_span_ = {line_, column_, 1};
  }
  SourceSpan Span() const {
    SourceSpan span = start_span_;
    if (line_ == span.line && column_ > span.column) span.length = column_ - span.column;
    return span;
  }
  void Push(TokenKind kind, std::string text) {
    tokens_.push_back({kind, std::move(text), Span()});
  }
  bool Fail(std::string message) {
    problems_.push_back({Span(), std::move(message)});
    return false;
  }

  bool SkipSpace() {
    while (at_ < text_.size()) {
      if (std::isspace(static_cast<unsigned char>(Peek()))) {
        Advance();
      } else if (Peek() == '/' && Peek(1) == '/') {
        while (at_ < text_.size() && Peek() != '\n') Advance();
      } else if (Peek() == '/' && Peek(1) == '*') {
        Begin();
        size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos)
          return Fail("the comment is never closed (\"*/\" is missing)");
        Advance(end + 2 - at_);
      } else {
        break;
      }
    }
    return true;
  }

  bool Next() {
    if (!SkipSpace() || at_ >= text_.size()) return false;
    Begin();
    char c = Peek();
    if (c == '"' || c == '\'') return String(c);
    if (c == '`') return Raw();
    if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) return Number();
    if (IsNameStart(static_cast<unsigned char>(c))) return Name();
    if (std::string_view("()[]{}").find(c) != std::string_view::npos) {
      Advance();
      Push(TokenKind::kBracket, std::string(1, c));
      return true;
    }
    return Operator();
  }

  bool Operator() {
    for (std::string_view op : kOperators) {
      if (text_.substr(at_, op.size()) != op) continue;
      // `a ?.5 : b` is a condition with a number, not an optional chain.
      if (op == "?." && IsDigit(Peek(2))) op = "?";
      Advance(op.size());
      if (op == "&" || op == "@" || op == "~") {
        return Fail(StrCat("unexpected ", Quote(op), op == "&" ? " (did you mean \"&&\"?)" : ""));
      }
      Push(TokenKind::kOperator, std::string(op));
      return true;
    }
    Advance();
    return Fail(StrCat("unexpected character ", Quote(text_.substr(start_, at_ - start_))));
  }

  bool Name() {
    while (at_ < text_.size() && IsNamePart(static_cast<unsigned char>(Peek()))) Advance();
    std::string name(text_.substr(start_, at_ - start_));
    bool word = std::find(kWords.begin(), kWords.end(), name) != kWords.end();
    Push(word ? TokenKind::kOperator : TokenKind::kName, std::move(name));
    return true;
  }

  bool Number() {
    auto digits = [&](auto accept) {
      while (accept(Peek()) || Peek() == '_') Advance();
    };
    auto decimal = [](char c) { return IsDigit(c); };
    char kind =
        Peek() == '0' ? static_cast<char>(std::tolower(static_cast<unsigned char>(Peek(1)))) : '\0';
    if (kind == 'x' || kind == 'o' || kind == 'b') {
      Advance(2);
      digits([](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; });
    } else {
      digits(decimal);
      if (Peek() == '.' && Peek(1) != '.') {
        Advance();
        digits(decimal);
      }
      if (Peek() == 'e' || Peek() == 'E') {
        Advance();
        if (Peek() == '+' || Peek() == '-') Advance();
        digits(decimal);
      }
    }
    bool bad = at_ < text_.size() && IsNamePart(static_cast<unsigned char>(Peek()));
    while (at_ < text_.size() && IsNamePart(static_cast<unsigned char>(Peek()))) Advance();
    std::string number(text_.substr(start_, at_ - start_));
    if (bad) return Fail(StrCat("bad number ", Quote(number)));
    number.erase(std::remove(number.begin(), number.end(), '_'), number.end());
    Push(TokenKind::kNumber, std::move(number));
    return true;
  }

  bool Raw() {
    size_t end = text_.find('`', at_ + 1);
    if (end == std::string_view::npos) return Fail("the string is never closed (\"`\" is missing)");
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    Advance(end + 1 - at_);
    Push(TokenKind::kString, std::move(value));
    return true;
  }

  bool String(char quote) {
    std::string value;
    Advance();
    while (true) {
      if (at_ >= text_.size() || Peek() == '\n') {
        return Fail(StrCat("the string is never closed (", Quote(std::string_view(&quote, 1)),
                           " is missing)"));
      }
      if (Peek() == quote) break;
      if (Peek() == '\\') {
        if (!Escape(value)) return false;
        continue;
      }
      value += Peek();
      Advance();
    }
    Advance();
    Push(TokenKind::kString, std::move(value));
    return true;
  }

  std::optional<uint32_t> Digits(size_t count, int base) {
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      char c = static_cast<char>(std::tolower(static_cast<unsigned char>(Peek())));
      int digit = IsDigit(c) ? c - '0' : (c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99);
      if (digit >= base) return std::nullopt;
      value = value * static_cast<uint32_t>(base) + static_cast<uint32_t>(digit);
      Advance();
    }
    return value;
  }

  bool Escape(std::string& value) {
    static constexpr std::string_view kFrom = "abfnrtv\\'\"`";
    static constexpr std::string_view kTo = "\a\b\f\n\r\t\v\\'\"`";
    Advance();
    char c = Peek();
    if (size_t i = kFrom.find(c); c != '\0' && i != std::string_view::npos) {
      value += kTo[i];
      Advance();
      return true;
    }
    std::optional<uint32_t> code;
    if (c == 'x' || c == 'u' || c == 'U') {
      Advance();
      code = Digits(c == 'x' ? 2 : (c == 'u' ? 4 : 8), 16);
    } else if (c >= '0' && c <= '3') {
      code = Digits(3, 8);
    }
    if (!code || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000)) {
      return Fail("unknown escape in the string (write \\\\ for a backslash)");
    }
    AppendUtf8(value, *code);
    return true;
  }

  std::string_view text_;
  std::vector<Problem>& problems_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  size_t start_ = 0;
  uint32_t line_ = 1;
  uint32_t column_ = 1;
  SourceSpan start_span_;
};

}  // namespace

std::vector<Token> Lex(std::string_view text, std::vector<Problem>& problems) {
  return Lexer(text, problems).Run();
}

}  // namespace rollguard::expr
