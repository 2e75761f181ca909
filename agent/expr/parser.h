// SPDX-License-Identifier: Apache-2.0
// From words to a tree. Private to agent/expr.
#pragma once

#include <span>
#include <vector>

#include "agent/expr/ast.h"
#include "agent/expr/lexer.h"

namespace rollguard::expr {

// Stops at the first syntax error. Trees beyond kMaxNodes or kMaxNesting are errors.
void ParseTokens(std::span<const Token> tokens, Tree& tree, std::vector<Problem>& problems);

}  // namespace rollguard::expr
