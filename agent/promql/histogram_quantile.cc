// SPDX-License-Identifier: Apache-2.0
// histogram_quantile over classic buckets. Rows are grouped by their labels without `le` and sorted
// by bound once; each step then walks a group's column.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>

#include "agent/promql/key_table.h"
#include "agent/promql/vector_functions.h"

namespace rollguard::promql {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

struct Bucket {
  double bound;
  double count;
};

struct BucketRow {
  double bound;
  const double* cells;
};

std::optional<double> ParseBound(std::string_view text) {
  if (text.empty() || text.front() == ' ') return std::nullopt;
  std::string copy(text);
  char* end = nullptr;
  double bound = std::strtod(copy.c_str(), &end);
  if (*end != '\0') return std::nullopt;
  return bound;
}

// Joins equal bounds and makes the counts grow; returns how many buckets are left.
size_t Tidy(std::vector<Bucket>& buckets) {
  size_t last = 0;
  for (size_t i = 1; i < buckets.size(); ++i) {
    if (buckets[i].bound == buckets[last].bound) {
      buckets[last].count += buckets[i].count;
    } else {
      buckets[++last] = buckets[i];
    }
  }
  double highest = buckets[0].count;
  for (size_t i = 1; i <= last; ++i) {
    if (buckets[i].count > highest) highest = buckets[i].count;
    if (buckets[i].count < highest) buckets[i].count = highest;
  }
  return last + 1;
}

double BucketQuantile(double q, std::vector<Bucket>& buckets) {
  if (std::isnan(q)) return kNan;
  if (q < 0) return -kInf;
  if (q > 1) return kInf;
  if (buckets.back().bound != kInf) return kNan;
  size_t count = Tidy(buckets);
  if (count < 2) return kNan;
  double observations = buckets[count - 1].count;
  if (observations == 0) return kNan;
  double rank = q * observations;
  size_t low = 0;
  size_t high = count - 1;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (buckets[middle].count >= rank) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  if (low == count - 1) return buckets[count - 2].bound;
  if (low == 0 && buckets[0].bound <= 0) return buckets[0].bound;
  double start = 0;
  double inside = buckets[low].count;
  if (low > 0) {
    start = buckets[low - 1].bound;
    inside -= buckets[low - 1].count;
    rank -= buckets[low - 1].count;
  }
  return start + (buckets[low].bound - start) * (rank / inside);
}

}  // namespace

Grid HistogramQuantile(const Grid& grid, std::span<const double> quantile, Budget& budget) {
  if (!budget.Work(grid.cells.size() * 2)) return {};
  static const std::vector<std::string> kWithoutBucket = {"__name__", "le"};
  std::vector<Labels> keys;
  keys.reserve(grid.rows());
  KeyTable table(grid.rows());
  std::vector<std::vector<BucketRow>> groups;
  Grid out;
  out.width = grid.width;
  for (size_t row = 0; row < grid.rows(); ++row) {
    const Labels& labels = grid.labels[row];
    auto bound = ParseBound(labels.Get(kBucketLabel));
    if (!bound) continue;
    keys.push_back(labels.With(kBucketLabel, ""));
    auto [group, fresh] = table.Insert(keys.back());
    if (fresh) {
      groups.emplace_back();
      AddRow(out, labels.Without(kWithoutBucket));
    }
    groups[group].push_back({*bound, grid.Row(row).data()});
  }
  std::vector<Bucket> buckets;
  for (size_t group = 0; group < groups.size(); ++group) {
    auto& rows = groups[group];
    std::stable_sort(rows.begin(), rows.end(),
                     [](const BucketRow& a, const BucketRow& b) { return a.bound < b.bound; });
    auto cells = out.Row(group);
    for (size_t step = 0; step < cells.size(); ++step) {
      buckets.clear();
      for (const BucketRow& row : rows) {
        if (!IsAbsent(row.cells[step])) buckets.push_back({row.bound, row.cells[step]});
      }
      if (!buckets.empty()) cells[step] = BucketQuantile(quantile[step], buckets);
    }
  }
  MergeRows(out, budget);
  return out;
}

}  // namespace rollguard::promql
