// SPDX-License-Identifier: Apache-2.0
#include "tests/promql/expression_table.h"

namespace rollguard::promql {

const std::vector<ExpressionRow>& ExpressionTable() {
  static const std::vector<ExpressionRow> rows = [] {
    std::vector<ExpressionRow> all(OperandRows().begin(), OperandRows().end());
    all.insert(all.end(), OperatorRows().begin(), OperatorRows().end());
    return all;
  }();
  return rows;
}

}  // namespace rollguard::promql
