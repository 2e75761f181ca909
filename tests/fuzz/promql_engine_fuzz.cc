// SPDX-License-Identifier: Apache-2.0
// Whatever parses is evaluated over a small store, as an instant and over a range, within tight
// limits: no crash, no runaway, and version 3 too.
#include <cstdlib>
#include <string_view>

#include "agent/promql/engine.h"
#include "agent/promql/parser.h"
#include "agent/promql/series_notation.h"

namespace {

using namespace rollguard;
using namespace rollguard::promql;

MemoryStore MakeStore() {
  MemoryStore store;
  std::optional<NotationError> error;
  const std::pair<Labels, const char*> series[] = {
      {Labels({{"__name__", "m"}, {"g", "a"}}), "1+2x20 stale 5 NaN Inf"},
      {Labels({{"__name__", "m"}, {"g", "b"}}), "5 3 _x3 2 1 7x9"},
      {Labels({{"__name__", "n"}, {"g", "a"}}), "-1-1x20"},
      {Labels({{"__name__", "h"}, {"le", "1"}}), "0+1x20"},
      {Labels({{"__name__", "h"}, {"le", "+Inf"}}), "0+2x20"},
  };
  for (const auto& [labels, values] : series) {
    if (!AppendSeries(store, labels, ParseSeriesValues(values, error), 0, 30'000)) std::abort();
  }
  return store;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const MemoryStore store = MakeStore();
  if (size > 2000) return 0;
  ParseResult parsed = Parse({reinterpret_cast<const char*>(data), size});
  if (!parsed.ok()) return 0;
  EngineOptions options;
  options.max_samples = 100'000;
  options.max_work = 3'000'000;
  for (bool version3 : {false, true}) {
    options.version3 = version3;
    Engine engine(store, options);
    (void)engine.Instant(parsed.query, FromUnixMillis(300'000)).ok();
    (void)engine.Range(parsed.query, FromUnixMillis(0), FromUnixMillis(600'000), Duration(37'000))
        .ok();
  }
  return 0;
}
