// SPDX-License-Identifier: Apache-2.0
// Whatever a pod serves as its metrics page, and whatever a test file calls a series: no crash, and
// what is accepted can be stored and found again.
#include <cstdlib>
#include <string_view>

#include "agent/promql/exposition.h"
#include "agent/promql/series_notation.h"
#include "agent/promql/storage.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rollguard::promql;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (bool open_metrics : {false, true}) {
    auto samples = ParseExposition(text, {.open_metrics = open_metrics, .max_samples = 1000});
    if (!samples) continue;
    MemoryStore store;
    for (const ExpositionSample& sample : *samples) {
      auto labels = ParseExpositionSeries(sample.series);
      if (!labels) continue;
      auto id = store.Intern(*labels);
      if (store.Intern(*labels) != id || !(store.labels(id) == *labels)) std::abort();
      (void)store.Append(id, sample.t.value_or(0), sample.value).ok();
    }
    store.DropBefore(0);
  }
  if (size < 4096) {
    std::optional<NotationError> error;
    (void)ParseSeriesValues(text, error);
    if (error && error->offset > size) std::abort();
    error.reset();
    (void)ParseSeriesName(text, error);
  }
  return 0;
}
