// SPDX-License-Identifier: Apache-2.0
#include "agent/yaml/text_checks.h"

#include <cstdint>

#include "agent/base/text.h"
#include "agent/yaml/source_map.h"

namespace rollguard::yaml {
namespace {

size_t FirstInvalidUtf8(std::string_view text) {
  // Halve until the character is found: a prefix is valid exactly up to it.
  size_t good = 0;
  for (size_t step = text.size(); step > 0; step /= 2) {
    while (good + step <= text.size()) {
      size_t end = good + step;
      while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80 &&
             end - good - step < 3)
        ++end;
      if (!IsValidUtf8(text.substr(good, end - good))) break;
      good = end;
    }
  }
  return good;
}

// yaml-cpp looks far ahead at each open bracket. A run of them deeper than may be is refused
// unread. npos: there is none.
size_t FirstTooDeepRun(std::string_view text, size_t depth) {
  size_t run = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '[' || c == '{') {
      if (++run > depth) return i;
    } else if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
      run = 0;
    }
  }
  return std::string_view::npos;
}

}  // namespace

bool CheckText(std::string_view file, std::string_view text, Diagnostics& diagnostics,
               const Limits& limits) {
  if (text.size() > limits.max_bytes) {
    diagnostics.Error(
        file, {},
        StrCat("the file has ", text.size(), " bytes; at most ", limits.max_bytes, " are read"));
    return false;
  }
  size_t nul = text.find('\0');
  if (nul != std::string_view::npos) {
    diagnostics.Error(file, SourceMap(text.substr(0, nul)).At(nul),
                      "a NUL byte: this is not a text file");
    return false;
  }
  if (!IsValidUtf8(text)) {
    size_t bad = FirstInvalidUtf8(text);
    diagnostics.Error(file, SourceMap(text.substr(0, bad)).At(bad),
                      "not valid UTF-8: save the file as UTF-8");
    return false;
  }
  size_t deep = FirstTooDeepRun(text, limits.max_depth);
  if (deep != std::string_view::npos) {
    diagnostics.Error(file, SourceMap(text.substr(0, deep)).At(deep),
                      StrCat("nested more than ", limits.max_depth, " levels deep"));
    return false;
  }
  return true;
}

std::string JoinSurrogates(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  auto hex = [&](size_t at) -> uint32_t {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) {
      char c = text[at + i];
      uint32_t digit = c >= '0' && c <= '9'   ? static_cast<uint32_t>(c - '0')
                       : c >= 'a' && c <= 'f' ? static_cast<uint32_t>(c - 'a' + 10)
                       : c >= 'A' && c <= 'F' ? static_cast<uint32_t>(c - 'A' + 10)
                                              : 0x10000;
      value = value * 16 + digit;
      if (value > 0xFFFF) return 0;
    }
    return value;
  };
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] != 'u') {
      out.append(text.substr(i, 2));
      i += 2;
      continue;
    }
    if (text[i] == '\\' && i + 12 <= text.size() && text[i + 6] == '\\' && text[i + 7] == 'u') {
      uint32_t high = hex(i + 2);
      uint32_t low = hex(i + 8);
      if (high >= 0xD800 && high < 0xDC00 && low >= 0xDC00 && low < 0xE000) {
        out += Format("\\U%08X", 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00));
        i += 12;
        continue;
      }
    }
    out += text[i++];
  }
  return out;
}

bool LooksLikeJson(std::string_view text) {
  size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

}  // namespace rollguard::yaml
