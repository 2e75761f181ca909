// SPDX-License-Identifier: Apache-2.0
// Recursive descent with a depth bound; every byte is looked at once. Duplicate keys are found by
// sorting pointers for large objects, so that a hostile object costs n log n.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "agent/base/json.h"
#include "agent/base/text.h"

namespace rollguard {
namespace {

class Parser {
 public:
  Parser(std::string_view text, const JsonLimits& limits) : text_(text), limits_(limits) {}

  Expected<Json> Run() {
    Json value;
    if (!Value(value, 0)) return Failure();
    SkipSpace();
    if (at_ != text_.size()) {
      Fail("unexpected text after the value");
      return Failure();
    }
    return value;
  }

 private:
  bool Fail(std::string why) {
    if (why_.empty()) why_ = std::move(why);
    return false;
  }

  Error Failure() const {
    size_t line = 1, column = 1;
    for (size_t i = 0; i < std::min(at_, text_.size()); ++i) {
      column = text_[i] == '\n' ? 1 : column + 1;
      line += text_[i] == '\n' ? 1U : 0U;
    }
    return {ErrorCode::kInvalid, StrCat("invalid JSON at ", line, ":", column, ": ", why_)};
  }

  void SkipSpace() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }

  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool Literal(std::string_view word, Json value, Json& out) {
    if (text_.substr(at_, word.size()) != word) return Fail("unexpected character");
    at_ += word.size();
    out = std::move(value);
    return true;
  }

  bool Value(Json& out, size_t depth) {
    if (depth > limits_.max_depth) return Fail("nested too deeply");
    SkipSpace();
    if (at_ >= text_.size()) return Fail("the text ends too early");
    switch (text_[at_]) {
      case '{': return ObjectValue(out, depth);
      case '[': return ArrayValue(out, depth);
      case '"': {
        std::string text;
        if (!StringValue(text)) return false;
        out = Json(std::move(text));
        return true;
      }
      case 't': return Literal("true", Json(true), out);
      case 'f': return Literal("false", Json(false), out);
      case 'n': return Literal("null", Json(), out);
      default: return Number(out);
    }
  }

  bool ArrayValue(Json& out, size_t depth) {
    ++at_;
    Json::Array items;
    SkipSpace();
    if (!Take(']')) {
      do {
        if (!Value(items.emplace_back(), depth + 1)) return false;
        SkipSpace();
      } while (Take(','));
      if (!Take(']')) return Fail("expected ',' or ']'");
    }
    out = Json(std::move(items));
    return true;
  }

  bool ObjectValue(Json& out, size_t depth) {
    ++at_;
    Json::Object members;
    SkipSpace();
    if (!Take('}')) {
      do {
        SkipSpace();
        auto& member = members.emplace_back();
        if (at_ >= text_.size() || text_[at_] != '"') return Fail("expected a quoted key");
        if (!StringValue(member.first)) return false;
        SkipSpace();
        if (!Take(':')) return Fail("expected ':'");
        if (!Value(member.second, depth + 1)) return false;
        SkipSpace();
      } while (Take(','));
      if (!Take('}')) return Fail("expected ',' or '}'");
    }
    if (!CheckKeys(members)) return false;
    out = Json(std::move(members));
    return true;
  }

  bool CheckKeys(Json::Object& members) {
    std::vector<std::pair<std::string_view, size_t>> keys;
    keys.reserve(members.size());
    for (size_t i = 0; i < members.size(); ++i) keys.emplace_back(members[i].first, i);
    std::sort(keys.begin(), keys.end());
    std::vector<bool> drop(members.size());
    bool any = false;
    for (size_t i = 1; i < keys.size(); ++i) {
      if (keys[i].first != keys[i - 1].first) continue;
      if (!limits_.allow_duplicate_keys) return Fail("duplicate key " + Quote(keys[i].first));
      drop[keys[i - 1].second] = any = true;
    }
    if (!any) return true;
    size_t kept = 0;
    for (size_t i = 0; i < members.size(); ++i) {
      if (drop[i]) continue;
      if (kept != i) members[kept] = std::move(members[i]);
      ++kept;
    }
    members.resize(kept);
    return true;
  }

  int HexDigit() {
    if (at_ >= text_.size()) return -1;
    char c = text_[at_++];
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  }

  bool Hex4(uint32_t& out) {
    out = 0;
    for (int i = 0; i < 4; ++i) {
      int digit = HexDigit();
      if (digit < 0) return Fail("invalid \\u escape");
      out = out << 4 | static_cast<uint32_t>(digit);
    }
    return true;
  }

  static void AppendUtf8(std::string& out, uint32_t c) {
    auto put = [&](uint32_t byte) { out += static_cast<char>(byte); };
    if (c < 0x80) {
      put(c);
    } else if (c < 0x800) {
      put(0xC0 | c >> 6);
      put(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
      put(0xE0 | c >> 12);
      put(0x80 | (c >> 6 & 0x3F));
      put(0x80 | (c & 0x3F));
    } else {
      put(0xF0 | c >> 18);
      put(0x80 | (c >> 12 & 0x3F));
      put(0x80 | (c >> 6 & 0x3F));
      put(0x80 | (c & 0x3F));
    }
  }

  bool UnicodeEscape(std::string& out) {
    uint32_t c = 0;
    if (!Hex4(c)) return false;
    if (c >= 0xD800 && c < 0xDC00) {
      uint32_t low = 0;
      if (!Take('\\') || !Take('u') || !Hex4(low) || low < 0xDC00 || low > 0xDFFF) {
        return Fail("unpaired surrogate");
      }
      c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    } else if (c >= 0xDC00 && c <= 0xDFFF) {
      return Fail("unpaired surrogate");
    }
    AppendUtf8(out, c);
    return true;
  }

  bool Escape(std::string& out) {
    if (at_ >= text_.size()) return Fail("the text ends inside a string");
    constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    char c = text_[at_++];
    if (c == 'u') return UnicodeEscape(out);
    size_t which = kFrom.find(c);
    if (which == std::string_view::npos) return Fail("invalid escape");
    out += kTo[which];
    return true;
  }

  bool StringValue(std::string& out) {
    ++at_;
    while (true) {
      size_t begin = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20) {
        ++at_;
      }
      out += text_.substr(begin, at_ - begin);
      if (at_ >= text_.size()) return Fail("the text ends inside a string");
      char c = text_[at_++];
      if (c == '"') break;
      if (c != '\\') return Fail("control character in a string");
      if (!Escape(out)) return false;
    }
    return IsValidUtf8(out) || Fail("invalid UTF-8 in a string");
  }

  size_t Digits() {
    size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ - begin;
  }

  bool Number(Json& out) {
    size_t begin = at_;
    Take('-');
    bool zero = at_ < text_.size() && text_[at_] == '0';
    size_t digits = Digits();
    if (digits == 0) return Fail("unexpected character");
    if (zero && digits > 1) return Fail("a number must not start with 0");
    bool integral = true;
    if (Take('.')) {
      integral = false;
      if (Digits() == 0) return Fail("digits expected after '.'");
    }
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      integral = false;
      ++at_;
      if (!Take('+')) Take('-');
      if (Digits() == 0) return Fail("digits expected in the exponent");
    }
    std::string_view token = text_.substr(begin, at_ - begin);
    if (integral) {
      if (auto value = ParseInt(token)) {
        out = Json(*value);
        return true;
      }
    }
    const double value = std::strtod(std::string(token).c_str(), nullptr);
    if (!std::isfinite(value)) return Fail("a number is too large");
    out = Json(value);
    return true;
  }

  std::string_view text_;
  JsonLimits limits_;
  size_t at_ = 0;
  std::string why_;
};

}  // namespace

Expected<Json> ParseJson(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Error(ErrorCode::kTooLarge,
                 StrCat("JSON of ", text.size(), " bytes is larger than the limit of ",
                        limits.max_bytes, " bytes"));
  }
  return Parser(text, limits).Run();
}

}  // namespace rollguard
