// SPDX-License-Identifier: Apache-2.0
// One matcher of a selector, compiled: `job="a"`, `code=~"5.."`. Alternations of plain texts and
// "prefix plus anything" are recognised and never reach the regular expression engine.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/expected.h"

namespace rollguard::promql {

enum class MatchKind { kEqual, kNotEqual, kRegex, kNotRegex };

// A regular expression in RE2's syntax, anchored at both ends as everywhere in PromQL. Immutable
// and thread-safe once compiled.
class Regex {
 public:
  // `dot_all`: the dot matches a newline too (version 3).
  static Expected<Regex> Compile(std::string_view pattern, bool dot_all = false);
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  bool Matches(std::string_view text) const;
  // On a match appends `replacement` to `out` with $1, ${1}, $name, ${name} and $$ expanded as Go
  // does; an unknown or unmatched group is empty.
  bool Expand(std::string_view text, std::string_view replacement, std::string& out) const;

 private:
  struct Impl;
  explicit Regex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Immutable and thread-safe once made; movable.
class LabelPredicate {
 public:
  static Expected<LabelPredicate> Make(MatchKind kind, std::string name, std::string value,
                                       bool dot_all = false);

  // `value` is "" for a label that is absent.
  bool Matches(std::string_view value) const { return Positive(value) != negated_; }
  const std::string& name() const { return name_; }
  bool negated() const { return negated_; }

  // The only values that can match, sorted, when they are few and known (not negated); else empty.
  // They may include "".
  std::span<const std::string> literals() const {
    return negated_ ? std::span<const std::string>() : literals_;
  }

 private:
  enum class Form { kLiterals, kPrefix, kRegex };
  LabelPredicate(std::string name, bool negated) : name_(std::move(name)), negated_(negated) {}
  bool Positive(std::string_view value) const;
  bool Recognise(std::string_view pattern);

  std::string name_;
  bool negated_;
  bool dot_all_ = false;
  Form form_ = Form::kLiterals;
  std::vector<std::string> literals_;
  std::string prefix_;   // kPrefix: the text before ".*" or ".+"
  size_t min_rest_ = 0;  // kPrefix: 1 after ".+"
  std::unique_ptr<Regex> regex_;
};

}  // namespace rollguard::promql
