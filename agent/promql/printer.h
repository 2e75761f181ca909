// SPDX-License-Identifier: Apache-2.0
// Query -> text. The text parses back to the same tree, and prints the same again. One line,
// keywords in lower case, clauses before the parentheses: `sum by (job) (rate(x{a="b"}[5m]))`.
#pragma once

#include <string>

#include "agent/promql/ast.h"

namespace rollguard::promql {

std::string Print(const Query& query);
std::string Print(const Query& query, NodeId id);

// As Print, without parentheses that change nothing: equal texts for equal meanings.
std::string PrintCanonical(const Query& query, NodeId id);

// The tree, one node a line with types and spans, indented: for `rollguard promql parse` and tests.
std::string Dump(const Query& query);

}  // namespace rollguard::promql
