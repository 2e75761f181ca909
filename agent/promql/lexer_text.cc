// SPDX-License-Identifier: Apache-2.0
// Strings: where they end, which escapes they may hold, and what they stand for.
#include "agent/base/text.h"
#include "agent/promql/lexer.h"

namespace rollguard::promql {
namespace {

using enum TokenKind;

constexpr uint32_t kBadRune = 0xFFFD;
constexpr uint32_t kMaxRune = 0x10FFFF;

int DigitValue(int c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

void AppendUtf8(std::string& out, uint32_t rune) {
  auto put = [&out](uint32_t byte) { out += static_cast<char>(byte); };
  if (rune < 0x80) {
    put(rune);
  } else if (rune < 0x800) {
    put(0xC0 | (rune >> 6));
    put(0x80 | (rune & 0x3F));
  } else if (rune < 0x10000) {
    put(0xE0 | (rune >> 12));
    put(0x80 | ((rune >> 6) & 0x3F));
    put(0x80 | (rune & 0x3F));
  } else {
    put(0xF0 | (rune >> 18));
    put(0x80 | ((rune >> 12) & 0x3F));
    put(0x80 | ((rune >> 6) & 0x3F));
    put(0x80 | (rune & 0x3F));
  }
}

// The escape whose backslash was at body[*i - 1]; moves *i behind it.
void AppendEscape(std::string& out, std::string_view body, size_t* i) {
  char c = body[(*i)++];
  auto digits = [&](size_t count, uint32_t base) {
    uint32_t value = 0;
    for (size_t k = 0; k < count && *i < body.size(); ++k) {
      value = value * base + static_cast<uint32_t>(DigitValue(body[(*i)++]));
    }
    return value;
  };
  switch (c) {
    case 'a': out += '\a'; break;
    case 'b': out += '\b'; break;
    case 'f': out += '\f'; break;
    case 'n': out += '\n'; break;
    case 'r': out += '\r'; break;
    case 't': out += '\t'; break;
    case 'v': out += '\v'; break;
    case 'x': out += static_cast<char>(digits(2, 16)); break;
    case 'u': AppendUtf8(out, digits(4, 16)); break;
    case 'U': AppendUtf8(out, digits(8, 16)); break;
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
      --*i;
      out += static_cast<char>(digits(3, 8));
      break;
    default: out += c;
  }
}

}  // namespace

// The code point at the current place; U+FFFD with width 1 for what is not UTF-8.
uint32_t Lexer::Rune(size_t* width) const {
  *width = 1;
  auto byte = [this](size_t i) { return static_cast<uint32_t>(Peek(i)); };
  uint32_t lead = byte(0);
  if (lead < 0x80) return lead;
  size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (at_ + size > text_.size() || !IsValidUtf8(text_.substr(at_, size))) return kBadRune;
  *width = size;
  uint32_t rune = lead & (0xFFU >> (size + 1));
  for (size_t i = 1; i < size; ++i) rune = (rune << 6) | (byte(i) & 0x3F);
  return rune;
}

std::string Lexer::QuotedRune() const {
  if (at_ >= text_.size()) return "end of input";
  size_t width = 1;
  if (Rune(&width) == kBadRune) return "invalid UTF-8";
  std::string shown = Quote(text_.substr(at_, width));
  return StrCat("'", shown.substr(1, shown.size() - 2), "'");
}

Token Lexer::String(char quote) {
  ++at_;
  while (true) {
    int c = Peek();
    if (c < 0 || c == '\n') return Fail("unterminated quoted string");
    if (c == quote) {
      ++at_;
      return Emit(kString);
    }
    if (c == '\\') {
      ++at_;
      if (!ScanEscape(quote)) return *last_;
    } else if (c < 0x80) {
      ++at_;
    } else {
      size_t width = 1;
      if (Rune(&width) == kBadRune) return Fail("invalid UTF-8 rune");
      at_ += width;
    }
  }
}

Token Lexer::RawString() {
  ++at_;
  while (true) {
    int c = Peek();
    if (c < 0) return Fail("unterminated raw string");
    if (c == '`') {
      ++at_;
      return Emit(kString);
    }
    size_t width = 1;
    if (c >= 0x80 && Rune(&width) == kBadRune) return Fail("invalid UTF-8 rune");
    at_ += width;
  }
}

bool Lexer::ScanEscape(char quote) {
  int c = Peek();
  if (c == quote || (c > 0 && std::string_view("abfnrtv\\").find(static_cast<char>(c)) !=
                                  std::string_view::npos)) {
    ++at_;
    return true;
  }
  if (c >= '0' && c <= '7') return ScanCodePoint(3, 8, 255);
  if (c < 0) {
    Fail("escape sequence not terminated");
    return false;
  }
  ++at_;
  if (c == 'x') return ScanCodePoint(2, 16, 255);
  if (c == 'u') return ScanCodePoint(4, 16, kMaxRune);
  if (c == 'U') return ScanCodePoint(8, 16, kMaxRune);
  --at_;
  Fail(StrCat("unknown escape sequence ", QuotedRune(),
              "; write \\\\ for a backslash, or use `...` around the text"));
  return false;
}

bool Lexer::ScanCodePoint(int digits, uint32_t base, uint32_t max) {
  uint64_t value = 0;
  for (int i = 0; i < digits; ++i, ++at_) {
    int digit = DigitValue(Peek());
    if (digit >= static_cast<int>(base)) {
      Fail(Peek() < 0 ? "escape sequence not terminated"
                      : StrCat("illegal character ", QuotedRune(), " in escape sequence"));
      return false;
    }
    value = value * base + static_cast<uint32_t>(digit);
  }
  bool surrogate = value >= 0xD800 && value < 0xE000;
  if (value <= max && !surrogate) return true;
  Fail("escape sequence is an invalid Unicode code point");
  return false;
}

std::string UnquoteToken(std::string_view token) {
  std::string_view body = token.substr(1, token.size() - 2);
  if (token.front() == '`' || body.find('\\') == std::string_view::npos) return std::string(body);
  std::string out;
  out.reserve(body.size());
  for (size_t i = 0; i < body.size();) {
    char c = body[i++];
    if (c == '\\' && i < body.size()) {
      AppendEscape(out, body, &i);
    } else {
      out += c;
    }
  }
  return out;
}

bool IsLabelName(std::string_view text) {
  if (text.empty() || !IsAlpha(text.front())) return false;
  for (char c : text) {
    if (!IsAlphaNumeric(c)) return false;
  }
  return true;
}

}  // namespace rollguard::promql
