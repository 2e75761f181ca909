// SPDX-License-Identifier: Apache-2.0
// Selecting: the posting lists of predicates with known values are intersected, shortest first;
// what is left is filtered by looking at each candidate's labels.
#include "agent/promql/storage.h"

#include <algorithm>
#include <cmath>

#include "agent/base/text.h"

namespace rollguard::promql {
namespace {

bool Earlier(const Point& point, Millis t) { return point.t < t; }
bool Later(Millis t, const Point& point) { return t < point.t; }

bool HoldsEmpty(std::span<const std::string> literals) {
  return !literals.empty() && literals.front().empty();
}

}  // namespace

MemoryStore::SeriesId MemoryStore::Intern(const Labels& labels) {
  uint64_t hash = labels.Hash();
  auto [first, last] = ids_.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    if (series_[it->second].labels == labels) return it->second;
  }
  SeriesId id;
  if (free_.empty()) {
    id = static_cast<SeriesId>(series_.size());
    series_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  series_[id].labels = labels;
  series_[id].live = true;
  ids_.emplace(hash, id);
  Index(id);
  return id;
}

void MemoryStore::Index(SeriesId id) {
  for (const Label& label : series_[id].labels) {
    auto name = index_.find(label.name);
    if (name == index_.end()) name = index_.try_emplace(std::string(label.name)).first;
    auto value = name->second.find(label.value);
    if (value == name->second.end()) {
      value = name->second.try_emplace(std::string(label.value)).first;
    }
    Postings& postings = value->second;
    if (postings.empty() || postings.back() < id) {
      postings.push_back(id);
    } else {
      postings.insert(std::lower_bound(postings.begin(), postings.end(), id), id);
    }
  }
}

Status MemoryStore::Append(SeriesId id, Millis t, double v) {
  Stored& series = series_[id];
  std::vector<Point>& points = series.points;
  bool stale = IsStale(v);
  // One bit pattern for every other NaN: the engine keeps others for itself.
  if (!stale && std::isnan(v)) v = std::bit_cast<double>(kNormalNanBits);
  if (!points.empty() && t <= points.back().t) {
    bool same = t == points.back().t &&
                std::bit_cast<uint64_t>(points.back().v) == std::bit_cast<uint64_t>(v);
    if (same) return {};
    return Error(ErrorCode::kInvalid, StrCat("out of order sample for ", series.labels.ToString(),
                                             ": ", t, " after ", points.back().t));
  }
  if (points.size() == points.capacity()) points.reserve(points.size() + points.size() / 4 + 4);
  points.push_back({t, v});
  series.stale_seen = series.stale_seen || stale;
  return {};
}

std::vector<MemoryStore::SeriesId> MemoryStore::DropBefore(Millis t) {
  std::vector<SeriesId> gone;
  for (SeriesId id = 0; id < series_.size(); ++id) {
    Stored& series = series_[id];
    if (!series.live) continue;
    auto keep = std::lower_bound(series.points.begin(), series.points.end(), t, Earlier);
    auto old = static_cast<size_t>(keep - series.points.begin());
    if (old == series.points.size()) {
      gone.push_back(id);
    } else if (old * 4 > series.points.size()) {
      series.points.erase(series.points.begin(), keep);
    }
  }
  if (!gone.empty()) Forget(gone);
  return gone;
}

void MemoryStore::Forget(const std::vector<SeriesId>& gone) {
  TextMap<TextMap<bool>> touched;
  for (SeriesId id : gone) {
    for (const Label& label : series_[id].labels) {
      touched[std::string(label.name)][std::string(label.value)] = true;
    }
    auto [first, last] = ids_.equal_range(series_[id].labels.Hash());
    ids_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == id; }));
    series_[id] = {};
    free_.push_back(id);
  }
  for (const auto& [name, values] : touched) {
    auto& index = index_[name];
    for (const auto& [value, unused] : values) {
      Postings& postings = index[value];
      std::erase_if(postings, [&](SeriesId id) { return !series_[id].live; });
      if (postings.empty()) index.erase(value);
    }
    if (index.empty()) index_.erase(name);
  }
}

const MemoryStore::Postings* MemoryStore::Find(std::string_view name,
                                               std::string_view value) const {
  auto values = index_.find(name);
  if (values == index_.end()) return nullptr;
  auto postings = values->second.find(value);
  return postings == values->second.end() ? nullptr : &postings->second;
}

MemoryStore::Postings MemoryStore::Candidates(std::span<const LabelPredicate> predicates,
                                              std::vector<bool>& exact) const {
  std::vector<const Postings*> single;  // predicates with one value
  std::vector<Postings> unions;         // predicates with several
  for (size_t i = 0; i < predicates.size(); ++i) {
    auto literals = predicates[i].literals();
    if (literals.empty() || HoldsEmpty(literals)) continue;
    exact[i] = true;
    if (literals.size() == 1) {
      const Postings* postings = Find(predicates[i].name(), literals[0]);
      if (postings == nullptr) return {};
      single.push_back(postings);
      continue;
    }
    Postings& all = unions.emplace_back();
    for (const std::string& value : literals) {
      if (const Postings* postings = Find(predicates[i].name(), value)) {
        all.insert(all.end(), postings->begin(), postings->end());
      }
    }
    std::sort(all.begin(), all.end());
  }
  for (const Postings& postings : unions) single.push_back(&postings);
  if (single.empty()) {
    Postings all;
    for (SeriesId id = 0; id < series_.size(); ++id) {
      if (series_[id].live) all.push_back(id);
    }
    return all;
  }
  std::sort(single.begin(), single.end(),
            [](const Postings* a, const Postings* b) { return a->size() < b->size(); });
  Postings result = *single[0];
  for (size_t i = 1; i < single.size() && !result.empty(); ++i) {
    auto at = single[i]->begin();
    std::erase_if(result, [&](SeriesId id) {
      at = std::lower_bound(at, single[i]->end(), id);
      return at == single[i]->end() || *at != id;
    });
  }
  return result;
}

void MemoryStore::Select(std::span<const LabelPredicate> predicates, Millis from, Millis to,
                         std::vector<SeriesView>& out) const {
  std::vector<bool> exact(predicates.size(), false);
  for (SeriesId id : Candidates(predicates, exact)) {
    const Stored& series = series_[id];
    bool matches = true;
    for (size_t i = 0; i < predicates.size() && matches; ++i) {
      matches = exact[i] || predicates[i].Matches(series.labels.Get(predicates[i].name()));
    }
    if (!matches) continue;
    auto first = std::lower_bound(series.points.begin(), series.points.end(), from, Earlier);
    auto last = std::upper_bound(first, series.points.end(), to, Later);
    if (first == last) continue;
    out.push_back({&series.labels, {first, last}, series.stale_seen});
  }
}

size_t MemoryStore::sample_count() const {
  size_t count = 0;
  for (const Stored& series : series_) count += series.points.size();
  return count;
}

std::pair<Millis, Millis> MemoryStore::TimeRange() const {
  std::pair<Millis, Millis> range{0, -1};
  for (const Stored& series : series_) {
    if (series.points.empty()) continue;
    Millis first = series.points.front().t;
    Millis last = series.points.back().t;
    bool none = range.second < range.first;
    range = {none ? first : std::min(range.first, first),
             none ? last : std::max(range.second, last)};
  }
  return range;
}

size_t MemoryStore::MemoryBytes() const {
  size_t bytes = series_.capacity() * sizeof(Stored) + ids_.size() * 48;
  for (const Stored& series : series_) {
    bytes += series.points.capacity() * sizeof(Point) + series.labels.packed().capacity();
  }
  for (const auto& [name, values] : index_) {
    for (const auto& [value, postings] : values) {
      bytes += postings.capacity() * sizeof(SeriesId) + value.capacity() + 96;
    }
  }
  return bytes;
}

}  // namespace rollguard::promql
