// SPDX-License-Identifier: Apache-2.0
// The notation in which rule tests write series: `http_requests_total{job="a"}` and
// `0+10x5 _ _x3 stale NaN`. Shared by rule tests and `rollguard promql eval`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/expected.h"
#include "agent/promql/labels.h"
#include "agent/promql/storage.h"

namespace rollguard::promql {

// What is wrong, and at which byte of the text.
struct NotationError {
  size_t offset = 0;
  size_t length = 1;
  std::string message;
};

// One value per interval from the start; nothing where the notation leaves a gap.
using SeriesValues = std::vector<std::optional<double>>;

// Longer sequences than this are refused.
inline constexpr size_t kMaxSeriesValues = 1'000'000;

// Values are separated by spaces: `1`, `-2.5`, `NaN`, `+Inf`, `stale`, `_` (a gap), `_x3` (three),
// `a+bxN` and `a-bxN` (N+1 values), `axN` (N+1 times a). On an error `error` is set and the result
// is empty.
SeriesValues ParseSeriesValues(std::string_view text, std::optional<NotationError>& error);

// A metric with labels: `name`, `name{a="b"}`, `{__name__="x"}`.
Labels ParseSeriesName(std::string_view text, std::optional<NotationError>& error);

// Appends the values to the store, the first at `start`.
Status AppendSeries(MemoryStore& store, const Labels& labels, const SeriesValues& values,
                    Millis start, Millis interval);

}  // namespace rollguard::promql
