// SPDX-License-Identifier: Apache-2.0
// A matrix as a small picture of characters.
#pragma once

#include <cstddef>
#include <string>

#include "agent/promql/value.h"

namespace rollguard::promql {

struct PlotSize {
  size_t width = 72;  // of the whole picture, axis included
  size_t height = 12;
};

// Braille dots, two by four to a character, values at the left, times below, one line per series
// with its last value. Gaps stay gaps. At most eight series are named, the others counted.
std::string Plot(const Matrix& matrix, const PlotSize& size = {});

}  // namespace rollguard::promql
