// SPDX-License-Identifier: Apache-2.0
// What is wrong with something a person wrote, and where. Loaders collect every problem before
// they give up; nothing is reported twice. Positions are 1-based; columns count characters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rollguard {

// A place in a file. `line` 0 means "the file as a whole". `length` is what the caret underlines.
struct SourceSpan {
  uint32_t line = 0;
  uint32_t column = 1;
  uint32_t length = 1;

  friend bool operator==(const SourceSpan&, const SourceSpan&) = default;
};

enum class Severity { kError, kWarning };

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string file;
  SourceSpan span;
  std::string message;  // one sentence, lower case, with "did you mean" and what to do
  std::string context;  // optional second line under the caret, e.g. an inner column

  friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

// A growing list of problems. Not thread-safe. Order of adding does not matter: Sorted() orders by
// file, line, column and drops exact duplicates.
class Diagnostics {
 public:
  void Error(std::string_view file, SourceSpan span, std::string message);
  void Warning(std::string_view file, SourceSpan span, std::string message);
  void Add(Diagnostic diagnostic);
  void Append(const Diagnostics& other);

  bool has_errors() const { return errors_ > 0; }
  size_t error_count() const { return errors_; }
  bool empty() const { return list_.empty(); }
  std::vector<Diagnostic> Sorted() const;

 private:
  std::vector<Diagnostic> list_;
  size_t errors_ = 0;
};

// "file:14:18: error: message", then the source line with a caret when `source` (the whole text of
// the file) has that line. Tabs are kept so that the caret lines up. Ends with a newline.
std::string Render(const Diagnostic& diagnostic, std::string_view source);

// `, did you mean "x"?` in parentheses, or nothing: " (did you mean \"rate\"?)".
std::string Suggestion(std::string_view word, std::vector<std::string_view> candidates);

}  // namespace rollguard
