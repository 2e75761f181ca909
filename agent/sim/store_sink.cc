// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/store_sink.h"

#include <span>

#include "agent/promql/labels.h"
#include "agent/promql/value.h"

namespace rollguard::sim {

SeriesRef StoreSink::Series(const MetricLabels& labels) {
  return store_.Intern(
      promql::Labels::FromPairs(std::span<const std::pair<std::string, std::string>>(labels)));
}

void StoreSink::Append(SeriesRef series, Time when, double value) {
  // A sample that the store refuses (out of order) is dropped, as a scrape would drop it.
  static_cast<void>(
      store_.Append(static_cast<promql::MemoryStore::SeriesId>(series), ToUnixMillis(when), value));
}

void StoreSink::End(SeriesRef series, Time when) { Append(series, when, promql::StaleMarker()); }

}  // namespace rollguard::sim
