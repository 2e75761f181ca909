// SPDX-License-Identifier: Apache-2.0
// Expressions and whether PromQL takes them. Held against the parser here and against the real
// server's parser, so a wrong row fails too.
#pragma once

#include <span>
#include <vector>

namespace rollguard::promql {

struct ExpressionRow {
  const char* text;
  bool accepted;
};

std::span<const ExpressionRow> OperandRows();
std::span<const ExpressionRow> OperatorRows();

// All of them.
const std::vector<ExpressionRow>& ExpressionTable();

}  // namespace rollguard::promql
