// SPDX-License-Identifier: Apache-2.0
// Random data with everything that is awkward in it, and random well-typed queries over it.
#pragma once

#include <string>
#include <vector>

#include "agent/base/random.h"
#include "tests/support/remote_write.h"

namespace rollguard::promql {

inline constexpr int64_t kDataStart = 1'700'000'000'000;
inline constexpr int64_t kDataEnd = kDataStart + 80 * 60'000;

// Gauges and counters with gaps, resets, NaN, infinities, stale markers, and histograms. In the
// order in which a server that gets them by remote write numbers its series.
std::vector<testing::WrittenSeries> AwkwardData(uint64_t seed);

// Makes queries that Prometheus' parser accepts. The same seed makes the same queries.
class QueryGenerator {
 public:
  explicit QueryGenerator(uint64_t seed) : random_(seed) {}
  // A query for an instant (any type) or for a range (scalar or vector).
  std::string Next(bool range);

 private:
  std::string Vector(int depth);
  std::string Scalar(int depth);
  std::string Parameter();
  std::string Matrix(int depth);
  std::string Selector();
  std::string Distinct();  // vectors whose values never tie
  std::string Matchers(bool histogram);
  std::string Shift(bool subquery);
  std::string Amplifying();
  std::string Call(int depth);
  std::string WindowCall(int depth);
  std::string LabelCall(int depth);
  std::string Aggregate(int depth);
  std::string Binary(int depth);
  std::string Matching(bool set, bool grouping);
  std::string Labels();
  std::string Duration();
  std::string Number();
  template <size_t N>
  const char* Pick(const char* const (&list)[N]) {
    return list[random_.Below(N)];
  }

  Random random_;
};

}  // namespace rollguard::promql
