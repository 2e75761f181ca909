// SPDX-License-Identifier: Apache-2.0
// The identity of a series: an immutable, sorted set of label names and values.
//
// All pairs live in one packed string (each text preceded by its length), so that copying a label
// set is one allocation, comparing for equality one memcmp and hashing one pass. Label work is done
// once per series of a query, never once per step.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rollguard::promql {

inline constexpr std::string_view kMetricName = "__name__";
inline constexpr std::string_view kBucketLabel = "le";

struct Label {
  std::string_view name;
  std::string_view value;
  friend bool operator==(const Label&, const Label&) = default;
};

// A value type; thread-compatible. Names are unique and in byte order; no value is empty (an empty
// value means the label is absent). The views that iteration hands out live as long as the set.
class Labels {
 public:
  class Iterator {
   public:
    using value_type = Label;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    Iterator(const char* at, const char* end) : at_(at), end_(end) { Read(); }
    const Label& operator*() const { return label_; }
    const Label* operator->() const { return &label_; }
    Iterator& operator++() {
      at_ = next_;
      Read();
      return *this;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

   private:
    void Read();
    const char* at_ = nullptr;
    const char* next_ = nullptr;
    const char* end_ = nullptr;
    Label label_;
  };

  Labels() = default;
  // Sorted here; of equal names the last one wins; empty values are dropped.
  Labels(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs);
  static Labels FromPairs(std::vector<std::pair<std::string_view, std::string_view>> pairs);
  static Labels FromPairs(std::span<const std::pair<std::string, std::string>> pairs);
  // The pairs must already be sorted, unique and without empty values.
  static Labels FromSorted(std::span<const Label> sorted);

  Iterator begin() const { return {packed_.data(), packed_.data() + packed_.size()}; }
  Iterator end() const {
    return {packed_.data() + packed_.size(), packed_.data() + packed_.size()};
  }
  bool empty() const { return packed_.empty(); }
  size_t size() const;

  // The value, or "" when the label is absent.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  std::string_view Name() const { return Get(kMetricName); }

  Labels WithoutName() const;
  // Only the labels in `names` / all but those in `names`. `names` is sorted. Without also drops
  // the metric name, as an aggregation's `without` does.
  Labels Keep(std::span<const std::string> names) const;
  Labels Without(std::span<const std::string> names) const;
  Labels With(std::string_view name, std::string_view value) const;

  uint64_t Hash() const;
  // The packed bytes: equal exactly when the sets are equal. A key for maps.
  const std::string& packed() const { return packed_; }

  // name{a="b", c="d"}; without a name {a="b"}; {} when empty. Values are quoted as in Go.
  std::string ToString() const;

  friend bool operator==(const Labels& a, const Labels& b) { return a.packed_ == b.packed_; }
  // By name, then value, pair by pair: the order in which Prometheus sorts series.
  static int Compare(const Labels& a, const Labels& b);
  friend bool operator<(const Labels& a, const Labels& b) { return Compare(a, b) < 0; }

 private:
  void Append(std::string_view name, std::string_view value);
  std::string packed_;
};

struct LabelsHash {
  size_t operator()(const Labels& labels) const { return static_cast<size_t>(labels.Hash()); }
};

}  // namespace rollguard::promql
