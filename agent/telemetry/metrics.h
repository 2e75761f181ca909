// SPDX-License-Identifier: Apache-2.0
// The agent's own numbers, and the page a Prometheus scrapes.
//
// Everything is thread-safe. Adding to a series one holds is one atomic operation; finding a series
// is one look into an ordered map, and makes no allocation when the series exists. A scrape holds a
// metric's lock for at most a few hundred series at a time, so that it never delays a decision.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "agent/base/time.h"
#include "agent/telemetry/catalog.h"

namespace rollguard::telemetry {

// The content type of what Expose() gives.
inline constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

// Only rises.
class Counter {
 public:
  void Add(double n = 1) {
    if (n > 0) value_.fetch_add(n, std::memory_order_relaxed);
  }
  // For a count that is kept elsewhere: the whole of it. A smaller one than before is ignored.
  void RaiseTo(double total);
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Gauge {
 public:
  void Set(double value) { value_.store(value, std::memory_order_relaxed); }
  void Set(bool value) { Set(value ? 1.0 : 0.0); }
  void Add(double n) { value_.fetch_add(n, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds);
  void Observe(double value);
  template <class Rep, class Period>
  void Observe(std::chrono::duration<Rep, Period> elapsed) {
    Observe(std::chrono::duration<double>(elapsed).count());
  }
  uint64_t count() const;
  double sum() const { return sum_.load(std::memory_order_relaxed); }
  uint64_t bucket(size_t index) const { return counts_[index].load(std::memory_order_relaxed); }

 private:
  std::span<const double> bounds_;
  std::unique_ptr<std::atomic<uint64_t>[]> counts_;  // one more than bounds
  std::atomic<double> sum_{0};
};

class Metrics {
 public:
  // `max_series`: of one metric; what would be more is counted in
  // rollguard_telemetry_series_dropped_total instead of kept.
  explicit Metrics(size_t max_series = 250'000);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The series of these label values, in the order of the catalog; it begins at 0. The metric must
  // be of that kind and have as many labels. The reference is good until the series is removed, for
  // those of a guard: do not keep it beyond the guard's next event.
  using Labels = std::initializer_list<std::string_view>;
  Counter& CounterOf(Metric metric, Labels values = {});
  Gauge& GaugeOf(Metric metric, Labels values = {});
  Histogram& HistogramOf(Metric metric, Labels values = {});

  // Takes away the series whose first labels have these values; all of the metric when none is
  // given.
  void Remove(Metric metric, Labels first = {});
  // Takes away what is said of a guard, in every metric that is per guard.
  void RemoveGuard(std::string_view ns, std::string_view name);

  // Runs at the start of every Expose(), for what is read rather than counted. Register before the
  // first scrape.
  void OnExpose(std::function<void()> read);

  // The text format 0.0.4: metrics in the catalog's order, series in order of their labels. Metrics
  // without series are left out.
  std::string Expose();
  size_t series() const;

 private:
  class Family;
  Family& FamilyOf(Metric metric, Kind kind, size_t labels) const;

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Registers memory, CPU time, threads, descriptors and start time of this process, read from /proc
// at each scrape; and the build's version.
void ExposeProcess(Metrics& metrics, std::string_view version);

}  // namespace rollguard::telemetry
