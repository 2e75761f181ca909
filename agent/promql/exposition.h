// SPDX-License-Identifier: Apache-2.0
// Reads what `/metrics` pages say: the text format 0.0.4 and OpenMetrics 1.0.
//
// Lines are split first and labels parsed on demand: a scraper sees the same series again and again
// and knows them by their text.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "agent/base/expected.h"
#include "agent/promql/labels.h"
#include "agent/promql/value.h"

namespace rollguard::promql {

// One sample. `series` is its name and labels as written; it lives as long as the page's text.
struct ExpositionSample {
  std::string_view series;
  double value = 0;
  std::optional<Millis> t;  // when the page gives a time
};

struct ExpositionOptions {
  // OpenMetrics: times in seconds, exemplars (skipped), `# EOF` required and last, `_created`
  // samples of counters, histograms and summaries dropped.
  bool open_metrics = false;
  size_t max_samples = 200'000;
};

// Everything on the page, or the first thing that is wrong with it and its line.
Expected<std::vector<ExpositionSample>> ParseExposition(std::string_view text,
                                                        const ExpositionOptions& options = {});

// `name{a="b"}` -> labels with __name__.
Expected<Labels> ParseExpositionSeries(std::string_view series);

// Whether a Content-Type announces OpenMetrics.
bool IsOpenMetrics(std::string_view content_type);

}  // namespace rollguard::promql
