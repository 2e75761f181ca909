// SPDX-License-Identifier: Apache-2.0
// A metric's series live in a map ordered by their labels as the page prints them
// (`namespace="shop",guard="cart"`): a scrape copies keys as they are, and all series of one guard
// lie side by side, so that they can be taken away without a search.
//
// A scrape takes a metric's lock anew every few hundred series and goes on after the last key it
// printed; series that come or go meanwhile are seen or not, never half.
#include "agent/telemetry/metrics.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <mutex>
#include <variant>
#include <vector>

#include "agent/base/text.h"

namespace rollguard::telemetry {
namespace {

constexpr size_t kSeriesPerLock = 256;
constexpr size_t kMaxLabelBytes = 200;

void AppendLabelValue(std::string& out, std::string_view value) {
  const bool valid = IsValidUtf8(value);
  for (char c : value) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '"') {
      out += "\\\"";
    } else if (c == '\n') {
      out += "\\n";
    } else if (!valid && (static_cast<unsigned char>(c) & 0x80U) != 0) {
      out += '?';  // one bad byte would cost the whole scrape
    } else {
      out += c;
    }
  }
}

void AppendLabels(std::string& out, const MetricInfo& info, Metrics::Labels values) {
  size_t at = 0;
  for (std::string_view value : values) {
    if (at != 0) out += ',';
    out += info.labels[at++];
    out += "=\"";
    if (value.size() <= kMaxLabelBytes) {
      AppendLabelValue(out, value);
    } else {
      AppendLabelValue(out, Abbreviate(value, kMaxLabelBytes));
    }
    out += '"';
  }
}

void AppendSample(std::string& out, std::string_view name, std::string_view suffix,
                  std::string_view labels, std::string_view extra, double value) {
  out += name;
  out += suffix;
  if (!labels.empty() || !extra.empty()) {
    out += '{';
    out += labels;
    if (!labels.empty() && !extra.empty()) out += ',';
    out += extra;
    out += '}';
  }
  out += ' ';
  out += FormatNumber(value);
  out += '\n';
}

using Series = std::variant<Counter, Gauge, Histogram>;

void AppendHistogram(std::string& out, const MetricInfo& info, std::string_view labels,
                     const Histogram& histogram) {
  uint64_t total = 0;
  for (size_t i = 0; i <= info.buckets.size(); ++i) {
    total += histogram.bucket(i);
    std::string bound = i < info.buckets.size() ? FormatNumber(info.buckets[i]) : "+Inf";
    AppendSample(out, info.name, "_bucket", labels, StrCat("le=\"", bound, "\""),
                 static_cast<double>(total));
  }
  AppendSample(out, info.name, "_sum", labels, "", histogram.sum());
  AppendSample(out, info.name, "_count", labels, "", static_cast<double>(total));
}

void AppendSeries(std::string& out, const MetricInfo& info, std::string_view labels,
                  const Series& series) {
  if (const auto* counter = std::get_if<Counter>(&series)) {
    AppendSample(out, info.name, "", labels, "", counter->value());
  } else if (const auto* gauge = std::get_if<Gauge>(&series)) {
    AppendSample(out, info.name, "", labels, "", gauge->value());
  } else {
    AppendHistogram(out, info, labels, std::get<Histogram>(series));
  }
}

}  // namespace

void Counter::RaiseTo(double total) {
  double seen = value_.load(std::memory_order_relaxed);
  while (seen < total && !value_.compare_exchange_weak(seen, total, std::memory_order_relaxed)) {
  }
}

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds), counts_(new std::atomic<uint64_t>[bounds.size() + 1]()) {}

void Histogram::Observe(double value) {
  auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<size_t>(at)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

uint64_t Histogram::count() const {
  uint64_t total = 0;
  for (size_t i = 0; i <= bounds_.size(); ++i) total += bucket(i);
  return total;
}

class Metrics::Family {
 public:
  explicit Family(const MetricInfo& info) : info_(info) {
    if (info.kind == Kind::kGauge) spare_.emplace<Gauge>();
    if (info.kind == Kind::kHistogram) spare_.emplace<Histogram>(info.buckets);
  }
  const MetricInfo& info() const { return info_; }

  Series& Find(Labels values, size_t max_series, std::atomic<uint64_t>& dropped) {
    thread_local std::string key;
    key.clear();
    AppendLabels(key, info_, values);
    std::lock_guard lock(mutex_);
    auto at = series_.lower_bound(key);
    if (at != series_.end() && at->first == key) return at->second;
    if (series_.size() >= max_series) {
      dropped.fetch_add(1, std::memory_order_relaxed);
      return spare_;
    }
    switch (info_.kind) {
      case Kind::kCounter: return Insert(at, key, std::in_place_type<Counter>);
      case Kind::kGauge: return Insert(at, key, std::in_place_type<Gauge>);
      case Kind::kHistogram: break;
    }
    return Insert(at, key, std::in_place_type<Histogram>, info_.buckets);
  }

  void Remove(Labels first) {
    std::string prefix;
    AppendLabels(prefix, info_, first);
    std::lock_guard lock(mutex_);
    auto from = series_.lower_bound(prefix);
    auto to = from;
    while (to != series_.end() && Covers(prefix, to->first)) ++to;
    series_.erase(from, to);
  }

  void Expose(std::string& out) const {
    std::string last;
    for (bool begun = false;; begun = true) {
      std::lock_guard lock(mutex_);
      auto at = begun ? series_.upper_bound(last) : series_.begin();
      if (at == series_.end()) return;
      if (!begun) {
        out += StrCat("# HELP ", info_.name, " ", info_.help, "\n# TYPE ", info_.name, " ",
                      ToString(info_.kind), "\n");
      }
      for (size_t n = 0; n < kSeriesPerLock && at != series_.end(); ++n, ++at) {
        AppendSeries(out, info_, at->first, at->second);
        if (n + 1 == kSeriesPerLock) last = at->first;
      }
      if (at == series_.end()) return;
    }
  }

  size_t size() const {
    std::lock_guard lock(mutex_);
    return series_.size();
  }

 private:
  using Map = std::map<std::string, Series, std::less<>>;

  template <class... Args>
  Series& Insert(Map::iterator hint, const std::string& key, Args&&... args) {
    return series_.try_emplace(hint, key, std::forward<Args>(args)...)->second;
  }
  static bool Covers(std::string_view prefix, std::string_view key) {
    if (prefix.empty()) return true;
    return key.starts_with(prefix) && (key.size() == prefix.size() || key[prefix.size()] == ',');
  }

  const MetricInfo& info_;
  mutable std::mutex mutex_;
  Map series_;
  Series spare_;  // counts what is not kept
};

struct Metrics::Impl {
  size_t max_series = 0;
  std::vector<std::unique_ptr<Family>> families;  // in the catalog's order
  std::vector<std::function<void()>> reads;
  mutable std::atomic<uint64_t> dropped{0};
};

Metrics::Metrics(size_t max_series) : impl_(std::make_unique<Impl>()) {
  impl_->max_series = max_series;
  for (const MetricInfo& info : Catalog())
    impl_->families.push_back(std::make_unique<Family>(info));
}

Metrics::~Metrics() = default;

Metrics::Family& Metrics::FamilyOf(Metric metric, [[maybe_unused]] Kind kind,
                                   [[maybe_unused]] size_t labels) const {
  Family& family = *impl_->families[static_cast<size_t>(metric)];
  assert(family.info().kind == kind && family.info().labels.size() == labels);
  return family;
}

Counter& Metrics::CounterOf(Metric metric, Labels values) {
  return std::get<Counter>(FamilyOf(metric, Kind::kCounter, values.size())
                               .Find(values, impl_->max_series, impl_->dropped));
}

Gauge& Metrics::GaugeOf(Metric metric, Labels values) {
  return std::get<Gauge>(FamilyOf(metric, Kind::kGauge, values.size())
                             .Find(values, impl_->max_series, impl_->dropped));
}

Histogram& Metrics::HistogramOf(Metric metric, Labels values) {
  return std::get<Histogram>(FamilyOf(metric, Kind::kHistogram, values.size())
                                 .Find(values, impl_->max_series, impl_->dropped));
}

void Metrics::Remove(Metric metric, Labels first) {
  impl_->families[static_cast<size_t>(metric)]->Remove(first);
}

void Metrics::RemoveGuard(std::string_view ns, std::string_view name) {
  for (const auto& family : impl_->families) {
    if (family->info().PerGuard()) family->Remove({ns, name});
  }
}

void Metrics::OnExpose(std::function<void()> read) { impl_->reads.push_back(std::move(read)); }

std::string Metrics::Expose() {
  for (const auto& read : impl_->reads) read();
  CounterOf(Metric::kSeriesDropped).RaiseTo(static_cast<double>(impl_->dropped.load()));
  std::string out;
  for (const auto& family : impl_->families) family->Expose(out);
  return out;
}

size_t Metrics::series() const {
  size_t total = 0;
  for (const auto& family : impl_->families) total += family->size();
  return total;
}

}  // namespace rollguard::telemetry
