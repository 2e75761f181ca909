// SPDX-License-Identifier: Apache-2.0
// The regular expressions of label matchers: Go's syntax, anchored at both ends.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/base/expected.h"

namespace rollguard::promql {

// Whether `pattern` is a regular expression; the error says what is wrong with it. Plain patterns
// (`5..`, `a|b`, `api-.*`) are decided without compiling anything.
Status CheckRegex(std::string_view pattern);

// Whether the whole `text` matches. A pattern that is none matches nothing. Compiles the pattern:
// for single questions, not for loops.
bool RegexMatches(std::string_view pattern, std::string_view text);

// `^(?:pattern)$`: what Prometheus compiles. Both this and the pattern alone must be expressions:
// an unclosed `\Q` is refused, and so is `a)(?:b`.
std::string Anchored(std::string_view pattern);

// A pattern that matches exactly `text`: `\.+*?()|[]{}^$` are escaped, as Go's QuoteMeta does.
std::string QuoteRegex(std::string_view text);

// A pattern that no text matches.
inline constexpr std::string_view kMatchNothing = R"([^\x00-\x{10FFFF}])";

}  // namespace rollguard::promql
