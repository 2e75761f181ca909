// SPDX-License-Identifier: Apache-2.0
// A file of series to try queries on: YAML with `input_series` (as rule tests have them) or a
// metrics page.
#pragma once

#include <string_view>

#include "agent/base/diagnostic.h"
#include "agent/promql/storage.h"

namespace rollguard::proof {

struct SeriesFile {
  promql::MemoryStore store;
  Time start{};                                 // of the series in notation
  Duration interval = std::chrono::minutes(1);  // and of subqueries without a step
};

// Every problem is reported; the value is usable only without errors. A metrics page's samples that
// carry no time stand at `at`.
SeriesFile LoadSeriesFile(std::string_view file, std::string_view text, Time at,
                          Diagnostics& diagnostics);

}  // namespace rollguard::proof
