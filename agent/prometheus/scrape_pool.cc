// SPDX-License-Identifier: Apache-2.0
#include "agent/prometheus/scrape_pool.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::prometheus {
namespace {

using promql::Labels;
using promql::Millis;

// Samples that claim to be further in the future are dropped, as Prometheus does.
constexpr Millis kMaxAhead = 10 * 60'000;

constexpr std::string_view kReports[] = {"up", "scrape_duration_seconds", "scrape_samples_scraped",
                                         "scrape_samples_post_metric_relabeling",
                                         "scrape_series_added"};

}  // namespace

Status TargetSeries::Accept(std::string_view body, bool open_metrics, Millis t, double seconds) {
  ++scrape_;
  promql::ExpositionOptions options;
  options.open_metrics = open_metrics;
  options.max_samples = limits_.max_series_per_target;
  auto samples = promql::ParseExposition(body, options);
  size_t added = 0;
  Status status = samples ? Take(*samples, t, added) : Status(samples.error());
  // What a page brought before it turned out bad is not kept alive.
  if (!status) ++scrape_;
  MarkUnseen(t);
  Report(t, status.ok(), seconds, samples ? samples->size() : 0, added);
  return status;
}

void TargetSeries::Fail(Millis t, double seconds) {
  ++scrape_;
  MarkUnseen(t);
  Report(t, false, seconds, 0, 0);
}

void TargetSeries::Retire(Millis t) {
  ++scrape_;
  MarkUnseen(t);
  for (std::string_view name : kReports) Put(name, t, promql::StaleMarker());
}

void TargetSeries::Forget(const std::vector<promql::MemoryStore::SeriesId>& sorted_ids) {
  std::erase_if(known_, [&](const auto& entry) {
    return std::binary_search(sorted_ids.begin(), sorted_ids.end(), entry.second.id);
  });
}

Status TargetSeries::Take(const std::vector<promql::ExpositionSample>& samples, Millis t,
                          size_t& added) {
  for (const promql::ExpositionSample& sample : samples) {
    auto known = known_.find(sample.series);
    if (known == known_.end()) {
      if (store_.series_count() >= limits_.max_series) {
        return Error(ErrorCode::kTooLarge,
                     StrCat("the embedded source holds ", limits_.max_series,
                            " series; scrape fewer targets or raise its limit"));
      }
      auto labels = FullLabels(sample.series);
      if (!labels) return labels.error();
      known = known_.try_emplace(std::string(sample.series)).first;
      known->second.id = store_.Intern(*labels);
      ++added;
    }
    known->second.seen = scrape_;
    known->second.own_time = sample.t.has_value();
    if (sample.t && *sample.t > t + kMaxAhead) continue;
    // Out of order and repeated times are the page's own affair; the newest sample stands.
    (void)store_.Append(known->second.id, sample.t.value_or(t), sample.value).ok();
  }
  return {};
}

Expected<Labels> TargetSeries::FullLabels(std::string_view series) const {
  auto page = promql::ParseExpositionSeries(series);
  if (!page) return page.error();
  Labels labels = *page;
  for (const promql::Label& own : labels_) {
    if (std::string_view theirs = page->Get(own.name); !theirs.empty()) {
      std::string name = StrCat("exported_", own.name);
      while (labels.Has(name)) name = "exported_" + name;
      labels = labels.With(name, theirs);
    }
    labels = labels.With(own.name, own.value);
  }
  return labels;
}

void TargetSeries::MarkUnseen(Millis t) {
  std::erase_if(known_, [&](const auto& entry) {
    const Known& known = entry.second;
    if (known.seen == scrape_) return false;
    if (!known.own_time) (void)store_.Append(known.id, t, promql::StaleMarker()).ok();
    return true;
  });
}

void TargetSeries::Report(Millis t, bool up, double seconds, size_t samples, size_t added) {
  const double values[] = {up ? 1.0 : 0.0, seconds, static_cast<double>(samples),
                           static_cast<double>(samples), static_cast<double>(added)};
  for (size_t i = 0; i < std::size(kReports); ++i) Put(kReports[i], t, values[i]);
}

void TargetSeries::Put(std::string_view name, Millis t, double value) {
  (void)store_.Append(labels_.With(promql::kMetricName, name), t, value).ok();
}

}  // namespace rollguard::prometheus
