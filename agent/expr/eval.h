// SPDX-License-Identifier: Apache-2.0
// Computes a checked tree. Private to agent/expr.
#pragma once

#include "agent/expr/ast.h"
#include "agent/expr/builtins.h"

namespace rollguard::expr {

// The value; context.failed() tells whether there is one.
Value Run(const Tree& tree, CallContext& context);

}  // namespace rollguard::expr
