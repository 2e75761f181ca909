// SPDX-License-Identifier: Apache-2.0
// What becomes of one target's pages in the store. No I/O and no time of its own: EmbeddedSource
// brings the pages.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/base/expected.h"
#include "agent/promql/exposition.h"
#include "agent/promql/storage.h"

namespace rollguard::prometheus {

struct ScrapeLimits {
  size_t max_series_per_target = 10'000;
  size_t max_series = 1'000'000;
};

// The series of one target, known by their text so that labels are parsed once. Not thread-safe;
// the store must outlive it.
class TargetSeries {
 public:
  TargetSeries(promql::MemoryStore& store, promql::Labels labels, ScrapeLimits limits)
      : store_(store), labels_(std::move(labels)), limits_(limits) {}

  // A page that was fetched at `t`. On an error everything known becomes stale.
  Status Accept(std::string_view body, bool open_metrics, promql::Millis t, double seconds);
  // There was no page.
  void Fail(promql::Millis t, double seconds);
  // The target is gone: its series and its `up` become stale.
  void Retire(promql::Millis t);
  // Ids that the store has dropped.
  void Forget(const std::vector<promql::MemoryStore::SeriesId>& sorted_ids);

  const promql::Labels& labels() const { return labels_; }

 private:
  struct Known {
    promql::MemoryStore::SeriesId id = 0;
    uint64_t seen = 0;      // the scrape that saw it last
    bool own_time = false;  // the page gives its times: never marked stale
  };
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  Status Take(const std::vector<promql::ExpositionSample>& samples, promql::Millis t,
              size_t& added);
  Expected<promql::Labels> FullLabels(std::string_view series) const;
  void MarkUnseen(promql::Millis t);
  void Report(promql::Millis t, bool up, double seconds, size_t samples, size_t added);
  void Put(std::string_view name, promql::Millis t, double value);

  promql::MemoryStore& store_;
  promql::Labels labels_;
  ScrapeLimits limits_;
  std::unordered_map<std::string, Known, TextHash, std::equal_to<>> known_;
  uint64_t scrape_ = 0;
};

}  // namespace rollguard::prometheus
