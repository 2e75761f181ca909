// SPDX-License-Identifier: Apache-2.0
// Values are put into each matcher from the last variable to the first, so that the places of the
// others stay true. In a regular expression a value becomes `(?:value)` unless its neighbours are
// the ends, `|`, or characters that cannot join with it (`\0` + "12" would be another character,
// `ab` + `+` would repeat only the b). Inside `[...]` and `\Q...\E` no value can be kept whole:
// such places are refused.
#include "agent/promql/bind.h"

#include <algorithm>

#include "agent/base/diagnostic.h"
#include "agent/base/text.h"
#include "agent/base/time.h"
#include "agent/promql/check.h"
#include "agent/promql/lexer.h"
#include "agent/promql/regex.h"

namespace rollguard::promql {
namespace {

using Kind = VariableValue::Kind;

// Where byte `at` of a regular expression lies.
enum class RegexPlace { kPlain, kClass, kQuoted };

RegexPlace PlaceIn(std::string_view pattern, size_t at) {
  RegexPlace place = RegexPlace::kPlain;
  for (size_t i = 0; i < at; ++i) {
    char c = pattern[i];
    bool escape = c == '\\' && i + 1 < at;
    if (place == RegexPlace::kQuoted) {
      if (escape && pattern[i + 1] == 'E') place = RegexPlace::kPlain;
      continue;
    }
    if (escape) {
      ++i;
      if (pattern[i] == 'Q') place = RegexPlace::kQuoted;
    } else if (place == RegexPlace::kPlain && c == '[') {
      place = RegexPlace::kClass;
      // A `]` right behind `[` or `[^` is a member of the class.
      if (i + 1 < at && pattern[i + 1] == '^') ++i;
      if (i + 1 < at && pattern[i + 1] == ']') ++i;
    } else if (place == RegexPlace::kClass && c == ']') {
      place = RegexPlace::kPlain;
    }
  }
  return place;
}

bool StandsApart(std::string_view pattern, size_t begin, size_t end) {
  auto safe = [](char c, std::string_view set) { return set.find(c) != std::string_view::npos; };
  bool left = begin == 0 || safe(pattern[begin - 1], "|-_/");
  bool right = end == pattern.size() || safe(pattern[end], "|-_/.");
  return left && right;
}

class Binder {
 public:
  Binder(const Query& query, std::string_view text, const Bindings& values)
      : text_(text), values_(values), result_{query, {}} {}

  ParseResult Run() {
    std::vector<Variable> variables = std::move(result_.query.variables);
    result_.query.variables.clear();
    for (auto v = variables.rbegin(); v != variables.rend(); ++v) BindOne(*v);
    for (const Variable& v : variables) CheckPattern(v);
    if (result_.errors.empty()) {
      for (Problem& p : CheckQuery(result_.query)) Report(p.span, std::move(p.message));
    }
    std::stable_sort(
        result_.errors.begin(), result_.errors.end(),
        [](const ParseError& a, const ParseError& b) { return a.span.begin < b.span.begin; });
    return std::move(result_);
  }

 private:
  void Report(Span span, std::string message) {
    result_.errors.push_back({span, Locate(text_, span), std::move(message)});
  }

  void BindOne(const Variable& v);
  void BindMatcher(const Variable& v, const VariableValue& value);
  void BindDuration(const Variable& v, const VariableValue& value);
  void Unknown(const Variable& v);
  void CheckPattern(const Variable& v);
  std::optional<std::string> Literal(const Variable& v, const VariableValue& value);
  std::optional<std::string> Pattern(const Variable& v, const VariableValue& value,
                                     const std::string& around);
  Matcher& MatcherOf(const Variable& v) {
    return std::get<SelectorNode>(result_.query[v.node].is).matchers[v.matcher];
  }

  std::string_view text_;
  const Bindings& values_;
  ParseResult result_;
};

void Binder::Unknown(const Variable& v) {
  std::vector<std::string_view> known;
  for (const auto& [name, value] : values_) known.push_back(name);
  Report(v.span, StrCat("unknown variable \"$", v.name, "\"", Suggestion(v.name, known)));
}

void Binder::BindOne(const Variable& v) {
  if (v.name == "$") {
    // `$$` in a regular expression is an escaped dollar sign, not the end of the text.
    Matcher& m = MatcherOf(v);
    bool regex = m.op == MatchOp::kRegex || m.op == MatchOp::kNotRegex;
    m.value.replace(v.begin, v.end - v.begin, regex ? "\\$" : "$");
    return;
  }
  auto found = values_.find(v.name);
  if (found == values_.end()) return Unknown(v);
  if (v.place == VariablePlace::kMatcher) {
    BindMatcher(v, found->second);
  } else {
    BindDuration(v, found->second);
  }
}

std::optional<std::string> Binder::Literal(const Variable& v, const VariableValue& value) {
  switch (value.kind) {
    case Kind::kText: return value.text;
    case Kind::kDuration: return FormatPromDuration(Duration(value.duration_ms));
    case Kind::kPattern:
      Report(v.span, StrCat("\"$", v.name, "\" is a regular expression; match it with =~ or !~"));
      return std::nullopt;
    case Kind::kAlternatives:
      if (value.texts.size() == 1) return value.texts.front();
      Report(v.span, StrCat("\"$", v.name, "\" stands for ", value.texts.size(),
                            " values; match it with =~ or !~"));
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::string> Binder::Pattern(const Variable& v, const VariableValue& value,
                                           const std::string& around) {
  if (PlaceIn(around, v.begin) != RegexPlace::kPlain) {
    Report(v.span, "a variable cannot stand inside [...] or \\Q...\\E of a regular expression");
    return std::nullopt;
  }
  bool alone = v.begin == 0 && v.end == around.size();
  std::string pattern;
  bool group = !alone;
  switch (value.kind) {
    case Kind::kText:
    case Kind::kDuration:
      pattern = QuoteRegex(*Literal(v, value));
      group = !alone && !StandsApart(around, v.begin, v.end);
      break;
    case Kind::kPattern:
      pattern = value.text;
      if (Status ok = CheckRegex(pattern); !ok.ok()) {
        Report(v.span, StrCat("the value of \"$", v.name, "\": ", ok.error().message));
        return std::nullopt;
      }
      break;
    case Kind::kAlternatives:
      for (const std::string& text : value.texts) {
        if (!pattern.empty() || &text != &value.texts.front()) pattern += '|';
        pattern += QuoteRegex(text);
      }
      if (value.texts.empty()) pattern = kMatchNothing;
      break;
  }
  return group ? StrCat("(?:", pattern, ")") : pattern;
}

void Binder::BindMatcher(const Variable& v, const VariableValue& value) {
  Matcher& m = MatcherOf(v);
  bool regex = m.op == MatchOp::kRegex || m.op == MatchOp::kNotRegex;
  auto bound = regex ? Pattern(v, value, m.value) : Literal(v, value);
  if (bound) m.value.replace(v.begin, v.end - v.begin, *bound);
}

void Binder::BindDuration(const Variable& v, const VariableValue& value) {
  int64_t ms = value.duration_ms;
  if (value.kind == Kind::kText) ms = ParseDurationToken(value.text).value_or(0);
  if (ms <= 0) {
    return Report(v.span, StrCat("the value of \"$", v.name, "\" is not a duration such as 5m"));
  }
  Node& node = result_.query[v.node];
  auto* subquery = std::get_if<SubqueryNode>(&node.is);
  auto* selector = std::get_if<SelectorNode>(&node.is);
  switch (v.place) {
    case VariablePlace::kMatcher: break;
    case VariablePlace::kRange: (subquery ? subquery->range_ms : selector->range_ms) = ms; break;
    case VariablePlace::kStep: subquery->step_ms = ms; break;
    case VariablePlace::kOffset:
      (subquery ? subquery->shift : selector->shift).offset_ms = v.negative ? -ms : ms;
      break;
  }
}

// The whole pattern once more: values are whole in it, but may stand where none can (`\p{$x}`).
void Binder::CheckPattern(const Variable& v) {
  if (v.place != VariablePlace::kMatcher || !result_.errors.empty()) return;
  const Matcher& m = MatcherOf(v);
  if (m.op != MatchOp::kRegex && m.op != MatchOp::kNotRegex) return;
  if (Status ok = CheckRegex(m.value); !ok.ok()) Report(v.span, ok.error().message);
}

}  // namespace

VariableValue VariableValue::Text(std::string text) {
  VariableValue value;
  value.text = std::move(text);
  return value;
}

VariableValue VariableValue::Pattern(std::string pattern) {
  VariableValue value;
  value.kind = Kind::kPattern;
  value.text = std::move(pattern);
  return value;
}

VariableValue VariableValue::Alternatives(std::vector<std::string> texts) {
  VariableValue value;
  value.kind = Kind::kAlternatives;
  value.texts = std::move(texts);
  return value;
}

VariableValue VariableValue::OfDuration(int64_t ms) {
  VariableValue value;
  value.kind = Kind::kDuration;
  value.duration_ms = ms;
  return value;
}

ParseResult Bind(const Query& query, std::string_view text, const Bindings& values) {
  return Binder(query, text, values).Run();
}

std::vector<std::string> VariableNames(const Query& query) {
  std::vector<std::string> names;
  for (const Variable& v : query.variables) {
    if (v.name != "$" && std::find(names.begin(), names.end(), v.name) == names.end()) {
      names.push_back(v.name);
    }
  }
  return names;
}

}  // namespace rollguard::promql
