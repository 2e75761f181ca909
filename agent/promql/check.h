// SPDX-License-Identifier: Apache-2.0
// What a well-formed tree must still keep: types and numbers of arguments, matching rules,
// selectors that select something. The parser runs it; so does whoever rewrites a query.
#pragma once

#include <string>
#include <vector>

#include "agent/promql/ast.h"

namespace rollguard::promql {

struct Problem {
  Span span;
  std::string message;
};

// Every problem, in the order of the nodes. Nodes of type kNone (an unknown function, already
// reported) cause no further ones.
std::vector<Problem> CheckQuery(const Query& query);

// A matcher that an absent label does not satisfy.
bool RefusesEmpty(const Matcher& matcher);

}  // namespace rollguard::promql
