// SPDX-License-Identifier: Apache-2.0
// Binary operators over grids and scalars of the same width.
#pragma once

#include <span>
#include <vector>

#include "agent/promql/ast.h"
#include "agent/promql/budget.h"
#include "agent/promql/cells.h"

namespace rollguard::promql {

// Both scalars; comparisons give 0 or 1.
std::vector<double> ScalarBinary(BinaryOp op, std::span<const double> lhs,
                                 std::span<const double> rhs);

// A vector and a scalar; `scalar_left` tells on which side the scalar stands.
Grid VectorScalarBinary(const BinaryNode& node, Grid vector, std::span<const double> scalar,
                        bool scalar_left, Budget& budget);

// Arithmetic and comparisons between two vectors.
Grid VectorBinary(const BinaryNode& node, const Grid& lhs, const Grid& rhs, Budget& budget);

// and, or, unless.
Grid SetBinary(const BinaryNode& node, Grid lhs, Grid rhs, Budget& budget);

}  // namespace rollguard::promql
