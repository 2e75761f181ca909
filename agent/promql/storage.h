// SPDX-License-Identifier: Apache-2.0
// Where samples live while they are asked for: the reading side that the engine needs (Querier) and
// an in-memory store.
//
// Each series keeps its points in one contiguous array of 16 bytes a sample, so that the engine
// reads windows in place, without copying or decoding. An index maps every label pair to the series
// that carry it. Compression would save memory that label sets dominate anyway and cost every read.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/base/expected.h"
#include "agent/promql/label_predicate.h"
#include "agent/promql/labels.h"
#include "agent/promql/value.h"

namespace rollguard::promql {

// One selected series. The views live until the store is next changed.
struct SeriesView {
  const Labels* labels = nullptr;
  std::span<const Point> points;  // in order of time; never empty
  bool may_have_stale = false;    // stale markers may be among the points
};

class Querier {
 public:
  virtual ~Querier() = default;
  // Appends every series that satisfies all predicates and has points with from <= t <= to, cut to
  // those. In no particular but a repeatable order.
  virtual void Select(std::span<const LabelPredicate> predicates, Millis from, Millis to,
                      std::vector<SeriesView>& out) const = 0;
};

// Not thread-safe. Series ids stay valid until the series is dropped.
class MemoryStore : public Querier {
 public:
  using SeriesId = uint32_t;

  // The id of the series with these labels, made when it is new.
  SeriesId Intern(const Labels& labels);
  // Time must grow within a series; the same time again is accepted when the value is the same.
  Status Append(SeriesId id, Millis t, double v);
  Status Append(const Labels& labels, Millis t, double v) { return Append(Intern(labels), t, v); }

  // Forgets points older than `t`. Points leave in batches (at most a quarter of a series lingers);
  // series that have nothing left leave the index. Returns the ids that are no longer valid.
  std::vector<SeriesId> DropBefore(Millis t);

  void Select(std::span<const LabelPredicate> predicates, Millis from, Millis to,
              std::vector<SeriesView>& out) const override;

  const Labels& labels(SeriesId id) const { return series_[id].labels; }
  std::span<const Point> points(SeriesId id) const { return series_[id].points; }
  size_t series_count() const { return ids_.size(); }
  size_t sample_count() const;
  // The first and last time of any sample; {0, -1} when there is none.
  std::pair<Millis, Millis> TimeRange() const;
  // What points, labels and index take, estimated from capacities.
  size_t MemoryBytes() const;

 private:
  struct Stored {
    Labels labels;
    std::vector<Point> points;
    bool stale_seen = false;
    bool live = false;
  };
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Postings = std::vector<SeriesId>;  // ascending
  template <class T>
  using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

  void Index(SeriesId id);
  void Forget(const std::vector<SeriesId>& gone);
  // Candidates by the index alone; true in `exact[i]` when predicate i is already satisfied.
  Postings Candidates(std::span<const LabelPredicate> predicates, std::vector<bool>& exact) const;
  const Postings* Find(std::string_view name, std::string_view value) const;

  std::vector<Stored> series_;
  std::vector<SeriesId> free_;
  // By hash of the labels; the labels themselves are kept once, in series_.
  std::unordered_multimap<uint64_t, SeriesId> ids_;
  TextMap<TextMap<Postings>> index_;
};

}  // namespace rollguard::promql
