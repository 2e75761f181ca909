// SPDX-License-Identifier: Apache-2.0
// PromQL text -> Query. Accepts what Prometheus 2.42 accepts and refuses what it refuses, with its
// wording where people search for it.
//
// Bounded whatever comes in: text longer than kMaxQueryBytes is refused unread, nesting deeper than
// kMaxQueryHeight is refused where it happens.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/expected.h"
#include "agent/promql/ast.h"

namespace rollguard::promql {

// One thing that is wrong with an expression.
struct ParseError {
  Span span;
  SourceSpan place;  // line and column inside the expression
  std::string message;
};

struct ParseOptions {
  // `$name` and `${name}` are variables inside quoted label values and as durations (`$$` is a
  // dollar sign). Without it a dollar sign is a character like any other, as Prometheus sees it.
  bool variables = false;
};

// `query` is usable exactly when there are no errors; errors are in order of position.
struct ParseResult {
  Query query;
  std::vector<ParseError> errors;

  bool ok() const { return errors.empty(); }
};

ParseResult Parse(std::string_view text, const ParseOptions& options = {});

// The same for callers that only want the first error: "1:5: parse error: message".
Expected<Query> ParseQuery(std::string_view text, const ParseOptions& options = {});

// "1:5: parse error: message".
std::string ToString(const ParseError& error);

}  // namespace rollguard::promql
