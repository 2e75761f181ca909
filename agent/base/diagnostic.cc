// SPDX-License-Identifier: Apache-2.0
#include "agent/base/diagnostic.h"

#include <algorithm>
#include <tuple>

#include "agent/base/secret_line.h"
#include "agent/base/text.h"

namespace rollguard {
namespace {

constexpr size_t kMaxShownLine = 400;

std::string_view LineOf(std::string_view source, uint32_t line) {
  for (uint32_t i = 1; i < line; ++i) {
    size_t end = source.find('\n');
    if (end == std::string_view::npos) return {};
    source.remove_prefix(end + 1);
  }
  source = source.substr(0, source.find('\n'));
  if (!source.empty() && source.back() == '\r') source.remove_suffix(1);
  return source;
}

bool StartsCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

// Nothing that could play tricks on a terminal.
bool IsShowable(std::string_view line) {
  bool control = std::any_of(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  });
  return !control && IsValidUtf8(line);
}

// Blanks up to the column, with tabs kept, then the carets.
std::string Underline(std::string_view line, const SourceSpan& span) {
  std::string out;
  uint32_t column = 1;
  uint32_t characters = 0;
  for (char c : line) {
    if (!StartsCharacter(c)) continue;
    ++characters;
    if (column < span.column) {
      out += c == '\t' ? '\t' : ' ';
      ++column;
    }
  }
  for (; column < span.column; ++column) out += ' ';
  uint32_t room = characters >= span.column ? characters - span.column + 1 : 1;
  out += '^';
  out.append(std::clamp<uint32_t>(span.length, 1, room) - 1, '~');
  return out;
}

}  // namespace

void Diagnostics::Error(std::string_view file, SourceSpan span, std::string message) {
  Add({Severity::kError, std::string(file), span, std::move(message), {}});
}

void Diagnostics::Warning(std::string_view file, SourceSpan span, std::string message) {
  Add({Severity::kWarning, std::string(file), span, std::move(message), {}});
}

void Diagnostics::Add(Diagnostic diagnostic) {
  if (diagnostic.severity == Severity::kError) ++errors_;
  list_.push_back(std::move(diagnostic));
}

void Diagnostics::Append(const Diagnostics& other) {
  for (const Diagnostic& d : other.list_) Add(d);
}

std::vector<Diagnostic> Diagnostics::Sorted() const {
  std::vector<Diagnostic> sorted = list_;
  auto key = [](const Diagnostic& d) {
    return std::tie(d.file, d.span.line, d.span.column, d.severity, d.message);
  };
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const auto& a, const auto& b) { return key(a) < key(b); });
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return sorted;
}

std::string Render(const Diagnostic& d, std::string_view source) {
  std::string out = d.file;
  if (d.span.line > 0) out += StrCat(":", d.span.line, ":", d.span.column);
  if (!out.empty()) out += ": ";
  out += d.severity == Severity::kError ? "error: " : "warning: ";
  out += d.message + "\n";
  if (d.span.line == 0) return out;
  const bool secret = d.context == kSecretLine;
  std::string_view line = LineOf(source, d.span.line);
  if (!secret && !line.empty() && line.size() <= kMaxShownLine && IsShowable(line)) {
    std::string number = Format("%5u", d.span.line);
    out += StrCat(number, " | ", line, "\n");
    out += StrCat(std::string(number.size(), ' '), " | ", Underline(line, d.span), "\n");
  }
  if (!d.context.empty()) out += StrCat("      = ", d.context, "\n");
  return out;
}

std::string Suggestion(std::string_view word, std::vector<std::string_view> candidates) {
  auto found = DidYouMean(word, candidates);
  return found ? StrCat(" (did you mean ", Quote(*found), "?)") : std::string();
}

}  // namespace rollguard
