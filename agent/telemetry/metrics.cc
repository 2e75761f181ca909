// SPDX-License-Identifier: Apache-2.0
// A metric's series live in a map ordered by their labels as the page prints them
// (`namespace="shop",guard="cart"`, and the rest): a scrape copies keys as they are, and all series
// of one guard lie side by side, so that they can be taken away without a search. A key is two
// pointers to texts that all series share.
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
#include "agent/telemetry/label_texts.h"

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

// The labels of a series: who it speaks of (a guard, or nobody), and the rest.
struct LabelsView {
  std::string_view whose;
  std::string_view rest;
};

constexpr size_t kLabelsOfGuard = 2;

// Prints them into `out`, which the views then point into.
LabelsView PrintLabels(std::string& out, const MetricInfo& info, Metrics::Labels values) {
  const size_t of_guard = info.PerGuard() ? kLabelsOfGuard : 0;
  size_t at = 0, whose = 0, rest = 0;
  for (std::string_view value : values) {
    if (at != 0) out += ',';
    if (at == of_guard) rest = out.size();
    out += info.labels[at++];
    out += "=\"";
    if (value.size() <= kMaxLabelBytes) {
      AppendLabelValue(out, value);
    } else {
      AppendLabelValue(out, Abbreviate(value, kMaxLabelBytes));
    }
    out += '"';
    if (at <= of_guard) whose = rest = out.size();
  }
  return {std::string_view(out).substr(0, whose), std::string_view(out).substr(rest)};
}

void AppendSample(std::string& out, std::string_view name, std::string_view suffix,
                  const LabelsView& labels, std::string_view extra, double value) {
  out += name;
  out += suffix;
  char before = '{';
  for (std::string_view part : {labels.whose, labels.rest, extra}) {
    if (part.empty()) continue;
    out += before;
    out += part;
    before = ',';
  }
  if (before == ',') out += '}';
  out += ' ';
  out += FormatNumber(value);
  out += '\n';
}

using Series = std::variant<Counter, Gauge, std::unique_ptr<Histogram>>;

void AppendHistogram(std::string& out, const MetricInfo& info, const LabelsView& labels,
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

void AppendSeries(std::string& out, const MetricInfo& info, const LabelsView& labels,
                  const Series& series) {
  if (const auto* counter = std::get_if<Counter>(&series)) {
    AppendSample(out, info.name, "", labels, "", counter->value());
  } else if (const auto* gauge = std::get_if<Gauge>(&series)) {
    AppendSample(out, info.name, "", labels, "", gauge->value());
  } else {
    AppendHistogram(out, info, labels, *std::get<std::unique_ptr<Histogram>>(series));
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
  Family(const MetricInfo& info, LabelTexts& texts) : info_(info), texts_(texts) { Begin(spare_); }
  const MetricInfo& info() const { return info_; }

  Series& Find(Labels values, size_t max_series, std::atomic<uint64_t>& dropped) {
    thread_local std::string printed;
    printed.clear();
    const LabelsView labels = PrintLabels(printed, info_, values);
    std::lock_guard lock(mutex_);
    auto at = series_.lower_bound(labels);
    if (at != series_.end() && !Before()(labels, at->first)) return at->second;
    if (series_.size() >= max_series) {
      dropped.fetch_add(1, std::memory_order_relaxed);
      return spare_;
    }
    const Key key{texts_.Take(labels.whose), texts_.Take(labels.rest)};
    Series& series = series_.try_emplace(at, key)->second;
    Begin(series);
    return series;
  }

  void Remove(Labels first) {
    std::string printed;
    const LabelsView prefix = PrintLabels(printed, info_, first);
    std::lock_guard lock(mutex_);
    auto at = series_.lower_bound(prefix);
    while (at != series_.end() && Covers(prefix, at->first)) {
      const Key key = at->first;
      at = series_.erase(at);
      texts_.Drop(key.whose);
      texts_.Drop(key.rest);
    }
  }

  void Expose(std::string& out) const {
    std::string last_whose, last_rest;
    for (bool begun = false;; begun = true) {
      std::lock_guard lock(mutex_);
      auto at = begun ? series_.upper_bound(LabelsView{last_whose, last_rest}) : series_.begin();
      if (at == series_.end()) return;
      if (!begun) {
        out += StrCat("# HELP ", info_.name, " ", info_.help, "\n# TYPE ", info_.name, " ",
                      ToString(info_.kind), "\n");
      }
      for (size_t n = 0; n < kSeriesPerLock && at != series_.end(); ++n, ++at) {
        AppendSeries(out, info_, ViewOf(at->first), at->second);
        if (n + 1 < kSeriesPerLock) continue;
        last_whose = *at->first.whose;
        last_rest = *at->first.rest;
      }
      if (at == series_.end()) return;
    }
  }

  size_t size() const {
    std::lock_guard lock(mutex_);
    return series_.size();
  }

 private:
  struct Key {
    const std::string* whose;  // of texts_
    const std::string* rest;
  };
  static LabelsView ViewOf(const Key& key) { return {*key.whose, *key.rest}; }
  static const LabelsView& ViewOf(const LabelsView& labels) { return labels; }
  // As the page prints them: no guard's labels are the beginning of another's.
  struct Before {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      const LabelsView x = ViewOf(a), y = ViewOf(b);
      const int order = x.whose.compare(y.whose);
      return order < 0 || (order == 0 && x.rest < y.rest);
    }
  };

  void Begin(Series& series) const {
    if (info_.kind == Kind::kGauge) series.emplace<Gauge>();
    if (info_.kind == Kind::kHistogram) series = std::make_unique<Histogram>(info_.buckets);
  }
  static bool Covers(std::string_view prefix, std::string_view text) {
    if (prefix.empty()) return true;
    return text.starts_with(prefix) && (text.size() == prefix.size() || text[prefix.size()] == ',');
  }
  static bool Covers(const LabelsView& prefix, const Key& key) {
    return Covers(prefix.whose, *key.whose) && Covers(prefix.rest, *key.rest);
  }

  const MetricInfo& info_;
  LabelTexts& texts_;
  mutable std::mutex mutex_;
  std::map<Key, Series, Before> series_;
  Series spare_;  // counts what is not kept
};

struct Metrics::Impl {
  size_t max_series = 0;
  LabelTexts texts;
  std::vector<std::unique_ptr<Family>> families;  // in the catalog's order
  std::vector<std::function<void()>> reads;
  mutable std::atomic<uint64_t> dropped{0};
};

Metrics::Metrics(size_t max_series) : impl_(std::make_unique<Impl>()) {
  impl_->max_series = max_series;
  for (const MetricInfo& info : Catalog())
    impl_->families.push_back(std::make_unique<Family>(info, impl_->texts));
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
  Family& family = FamilyOf(metric, Kind::kHistogram, values.size());
  return *std::get<std::unique_ptr<Histogram>>(
      family.Find(values, impl_->max_series, impl_->dropped));
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
