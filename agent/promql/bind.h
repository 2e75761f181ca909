// SPDX-License-Identifier: Apache-2.0
// Variables of a query template -> a query. Values go into the tree, never into text: a value
// cannot close a quote, add a matcher or become an operator, and in a regular expression it is
// quoted (or, when it is a pattern itself, kept in a group of its own).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/promql/ast.h"
#include "agent/promql/parser.h"

namespace rollguard::promql {

struct VariableValue {
  enum class Kind : uint8_t {
    kText,          // matched literally, everywhere; as a duration when it reads as one
    kPattern,       // a regular expression: only for =~ and !~
    kAlternatives,  // any of these texts; none at all matches nothing; `=` and `!=` need exactly
                    // one
    kDuration,
  };
  Kind kind = Kind::kText;
  std::string text;                // kText, kPattern
  std::vector<std::string> texts;  // kAlternatives
  int64_t duration_ms = 0;         // kDuration, above zero

  static VariableValue Text(std::string text);
  static VariableValue Pattern(std::string pattern);
  static VariableValue Alternatives(std::vector<std::string> texts);
  static VariableValue OfDuration(int64_t ms);
};

// By name, without the dollar sign.
using Bindings = std::map<std::string, VariableValue, std::less<>>;

// `query` was parsed from `text` with ParseOptions::variables. Every variable must have a value;
// all problems are reported, with their positions in `text`. The result has no variables left.
ParseResult Bind(const Query& query, std::string_view text, const Bindings& values);

// The names a template uses, in order, each once.
std::vector<std::string> VariableNames(const Query& query);

}  // namespace rollguard::promql
