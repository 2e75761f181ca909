// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/series_file.h"

#include "agent/base/text.h"
#include "agent/promql/exposition.h"
#include "agent/promql/series_notation.h"
#include "agent/proof/rule_test_file.h"

namespace rollguard::proof {
namespace {

// A metrics page has no line that begins like this.
bool LooksLikeSeries(std::string_view text) {
  for (std::string_view line : Split(text, '\n')) {
    if (line.starts_with("input_series:") || line.starts_with("interval:")) return true;
  }
  return Trim(text).starts_with("{\"");
}

void LoadNotation(std::string_view file, std::string_view text, SeriesFile& out,
                  Diagnostics& diagnostics) {
  RuleTestGroup group = ParseSeriesGroup(file, text, diagnostics);
  if (diagnostics.has_errors()) return;
  out.start = group.start;
  out.interval = group.interval;
  for (const InputSeries& series : group.input) {
    Status status = promql::AppendSeries(out.store, series.labels, series.values,
                                         ToUnixMillis(group.start), group.interval.count());
    if (!status) {
      diagnostics.Error(file, {}, StrCat(series.labels.ToString(), " is given twice"));
    }
  }
}

void LoadPage(std::string_view file, std::string_view text, Time at, SeriesFile& out,
              Diagnostics& diagnostics) {
  promql::ExpositionOptions options;
  options.open_metrics = Trim(text).ends_with("# EOF");
  options.max_samples = 5'000'000;
  auto samples = promql::ParseExposition(text, options);
  if (!samples) {
    diagnostics.Error(file, {}, samples.error().message);
    return;
  }
  for (const promql::ExpositionSample& sample : *samples) {
    auto labels = promql::ParseExpositionSeries(sample.series);
    Status status =
        labels ? out.store.Append(*labels, sample.t.value_or(ToUnixMillis(at)), sample.value)
               : Status(labels.error());
    if (!status) diagnostics.Error(file, {}, status.error().message);
    if (diagnostics.error_count() > 20) return;
  }
}

}  // namespace

SeriesFile LoadSeriesFile(std::string_view file, std::string_view text, Time at,
                          Diagnostics& diagnostics) {
  SeriesFile out;
  if (LooksLikeSeries(text)) {
    LoadNotation(file, text, out, diagnostics);
  } else {
    LoadPage(file, text, at, out, diagnostics);
  }
  return out;
}

}  // namespace rollguard::proof
