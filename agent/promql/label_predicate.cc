// SPDX-License-Identifier: Apache-2.0
#include "agent/promql/label_predicate.h"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "agent/base/text.h"

namespace rollguard::promql {
namespace {

constexpr std::string_view kMeta = "\\.+*?()|[]{}^$";

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// What follows a `$` in a replacement: the group's name and how many bytes were read; 0 when it is
// not a reference and the dollar stands for itself.
size_t ReadReference(std::string_view text, std::string_view& name) {
  bool braces = !text.empty() && text.front() == '{';
  size_t start = braces ? 1 : 0;
  size_t end = start;
  while (end < text.size() && IsWord(text[end])) ++end;
  if (end == start) return 0;
  if (braces && (end == text.size() || text[end] != '}')) return 0;
  name = text.substr(start, end - start);
  return braces ? end + 1 : end;
}

// A piece of a pattern without any meta character, with `\.` and the like unescaped. False when it
// is more than plain text.
bool PlainText(std::string_view pattern, std::string& out) {
  out.clear();
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\') {
      if (i + 1 == pattern.size() || kMeta.find(pattern[i + 1]) == std::string_view::npos) {
        return false;
      }
      c = pattern[++i];
    } else if (kMeta.find(c) != std::string_view::npos) {
      return false;
    }
    out += c;
  }
  return true;
}

// Splits at every `|` that is not escaped.
std::vector<std::string_view> Alternatives(std::string_view pattern) {
  std::vector<std::string_view> parts;
  size_t start = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern[i] == '|') {
      parts.push_back(pattern.substr(start, i - start));
      start = i + 1;
    }
  }
  parts.push_back(pattern.substr(start));
  return parts;
}

}  // namespace

struct Regex::Impl {
  explicit Impl(const std::string& pattern, const RE2::Options& options) : re(pattern, options) {}
  RE2 re;
};

Regex::Regex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Expected<Regex> Regex::Compile(std::string_view pattern, bool dot_all) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(16 << 20);
  auto impl = std::make_unique<Impl>(StrCat(dot_all ? "^(?s:" : "^(?:", pattern, ")$"), options);
  if (!impl->re.ok()) {
    return Error(ErrorCode::kInvalid, "error parsing regexp: " + impl->re.error());
  }
  return Regex(std::move(impl));
}

bool Regex::Matches(std::string_view text) const {
  return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), impl_->re);
}

bool Regex::Expand(std::string_view text, std::string_view replacement, std::string& out) const {
  const RE2& re = impl_->re;
  std::vector<re2::StringPiece> groups(static_cast<size_t>(re.NumberOfCapturingGroups()) + 1);
  if (!re.Match(re2::StringPiece(text.data(), text.size()), 0, text.size(), RE2::ANCHOR_BOTH,
                groups.data(), static_cast<int>(groups.size()))) {
    return false;
  }
  for (size_t i = 0; i < replacement.size(); ++i) {
    std::string_view rest = replacement.substr(i + 1);
    std::string_view name;
    if (replacement[i] != '$') {
      out += replacement[i];
    } else if (!rest.empty() && rest.front() == '$') {
      out += '$';
      ++i;
    } else if (size_t used = ReadReference(rest, name); used > 0) {
      i += used;
      size_t group = groups.size();
      if (auto number = ParseInt(name); number && *number >= 0) {
        group = static_cast<size_t>(*number);
      } else if (auto it = re.NamedCapturingGroups().find(std::string(name));
                 it != re.NamedCapturingGroups().end()) {
        group = static_cast<size_t>(it->second);
      }
      if (group < groups.size()) out.append(groups[group].data(), groups[group].size());
    } else {
      out += '$';
    }
  }
  return true;
}

Expected<LabelPredicate> LabelPredicate::Make(MatchKind kind, std::string name, std::string value,
                                              bool dot_all) {
  bool negated = kind == MatchKind::kNotEqual || kind == MatchKind::kNotRegex;
  LabelPredicate predicate(std::move(name), negated);
  predicate.dot_all_ = dot_all;
  if (kind == MatchKind::kEqual || kind == MatchKind::kNotEqual) {
    predicate.literals_ = {std::move(value)};
    return predicate;
  }
  if (predicate.Recognise(value)) return predicate;
  auto regex = Regex::Compile(value, dot_all);
  if (!regex) return regex.error();
  predicate.form_ = Form::kRegex;
  predicate.regex_ = std::make_unique<Regex>(std::move(regex).value());
  return predicate;
}

bool LabelPredicate::Recognise(std::string_view pattern) {
  if (pattern.ends_with(".*") || pattern.ends_with(".+")) {
    if (!PlainText(pattern.substr(0, pattern.size() - 2), prefix_)) return false;
    form_ = Form::kPrefix;
    min_rest_ = pattern.back() == '+' ? 1 : 0;
    return true;
  }
  std::vector<std::string> texts;
  for (std::string_view part : Alternatives(pattern)) {
    if (!PlainText(part, texts.emplace_back())) return false;
  }
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  form_ = Form::kLiterals;
  literals_ = std::move(texts);
  return true;
}

bool LabelPredicate::Positive(std::string_view value) const {
  switch (form_) {
    case Form::kLiterals:
      if (literals_.size() == 1) return literals_[0] == value;
      return std::binary_search(literals_.begin(), literals_.end(), value);
    case Form::kPrefix:
      return value.starts_with(prefix_) && value.size() - prefix_.size() >= min_rest_ &&
             (dot_all_ || value.find('\n', prefix_.size()) == std::string_view::npos);
    case Form::kRegex: return regex_->Matches(value);
  }
  return false;
}

}  // namespace rollguard::promql
