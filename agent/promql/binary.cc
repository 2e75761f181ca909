// SPDX-License-Identifier: Apache-2.0
// Vector matching. Each series' signature (the labels that must agree) is computed once; series of
// equal signature form a group. Inside a group every pair of a "many" row and a "one" row makes an
// output row. What Prometheus checks at each step (uniqueness on the "one" side, one match each) is
// checked by looking at the columns of those groups that have several rows.
#include "agent/promql/binary.h"

#include <algorithm>
#include <string>

#include "agent/base/text.h"
#include "agent/promql/binary_kernel.h"
#include "agent/promql/key_table.h"

namespace rollguard::promql {
namespace {

using Rows = std::vector<uint32_t>;

std::vector<std::string> SortedNames(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return names;
}

// The signatures of two vectors, numbered together.
struct Signatures {
  std::vector<Labels> storage;
  Rows lhs, rhs;  // signature of each row
  size_t count = 0;

  Signatures(const Matching& matching, const Grid& left, const Grid& right) {
    std::vector<std::string> names = SortedNames(matching.labels);
    storage.reserve(left.rows() + right.rows());
    KeyTable table(left.rows() + right.rows());
    auto number = [&](const Grid& grid, Rows& out) {
      out.reserve(grid.rows());
      for (const Labels& labels : grid.labels) {
        storage.push_back(matching.on ? labels.Keep(names) : labels.Without(names));
        out.push_back(table.Insert(storage.back()).first);
      }
    };
    number(left, lhs);
    number(right, rhs);
    count = table.size();
  }
};

// Rows by signature.
std::vector<Rows> Group(const Rows& signature, size_t count) {
  std::vector<Rows> groups(count);
  for (uint32_t row = 0; row < signature.size(); ++row) groups[signature[row]].push_back(row);
  return groups;
}

bool AnyAt(const Grid& grid, size_t step) {
  for (size_t row = 0; row < grid.rows(); ++row) {
    if (!IsAbsent(grid.Row(row)[step])) return true;
  }
  return false;
}

// One operation between two vectors, with the side that must be unique singled out.
class Operation {
 public:
  Operation(const BinaryNode& node, const Grid& lhs, const Grid& rhs, Budget& budget)
      : node_(node),
        budget_(budget),
        swapped_(node.matching.grouping == Grouping::kRight),
        many_(swapped_ ? rhs : lhs),
        one_(swapped_ ? lhs : rhs),
        names_(SortedNames(node.matching.labels)),
        signatures_(node.matching, lhs, rhs),
        many_signature_(swapped_ ? signatures_.rhs : signatures_.lhs),
        one_groups_(Group(swapped_ ? signatures_.lhs : signatures_.rhs, signatures_.count)) {}

  Grid Run() {
    for (const Rows& group : one_groups_) {
      if (group.size() > 1 && !CheckUnique(group)) return {};
    }
    out_.width = many_.width;
    size_t pairs = 0;
    for (uint32_t signature : many_signature_) pairs += one_groups_[signature].size();
    if (!budget_.Reserve(pairs, out_.width) || !budget_.Work(pairs * out_.width)) return {};
    out_.labels.reserve(pairs);
    out_.cells.reserve(pairs * out_.width);
    for (uint32_t row = 0; row < many_.rows(); ++row) {
      for (uint32_t other : one_groups_[many_signature_[row]]) AddPair(row, other);
    }
    bool one_to_one = node_.matching.grouping == Grouping::kNone;
    if (one_to_one && !CheckSingleMatches()) return {};
    MergeRows(
        out_, budget_,
        {.whole_rows = false,
         .origin = origin_,
         .conflict = "multiple matches for labels: grouping labels must ensure unique matches"});
    return std::move(out_);
  }

 private:
  bool CheckUnique(const Rows& group) {
    for (size_t step = 0; step < one_.width; ++step) {
      uint32_t seen = kNoKey;
      for (uint32_t row : group) {
        if (IsAbsent(one_.Row(row)[step])) continue;
        if (seen != kNoKey && AnyAt(many_, step)) return FailDuplicate(seen, row);
        seen = row;
      }
    }
    return true;
  }

  bool FailDuplicate(uint32_t first, uint32_t second) {
    const Labels& labels = one_.labels[second];
    Labels group = node_.matching.on ? labels.Keep(names_) : labels.Without(names_);
    return budget_.Fail(
        StrCat("found duplicate series for the match group ", group.ToString(), " on the ",
               swapped_ ? "left" : "right", " hand-side of the operation: [", labels.ToString(),
               ", ", one_.labels[first].ToString(),
               "];many-to-many matching not allowed: matching labels must be unique on one side"));
  }

  void AddPair(uint32_t row, uint32_t other) {
    size_t at = out_.cells.size();
    out_.cells.resize(at + out_.width);
    double* out = out_.cells.data() + at;
    const double* lhs = (swapped_ ? one_.Row(other) : many_.Row(row)).data();
    const double* rhs = (swapped_ ? many_.Row(row) : one_.Row(other)).data();
    size_t width = out_.width;
    bool as_bool = node_.return_bool;
    WithOperator(node_.op, [=](auto f) {
      for (size_t i = 0; i < width; ++i) {
        bool both = !IsAbsent(lhs[i]) && !IsAbsent(rhs[i]);
        out[i] = both ? Decide(f, lhs[i], rhs[i], lhs[i], as_bool) : kNoCell;
      }
    });
    if (AllAbsent({out, width})) {
      out_.cells.resize(at);
      return;
    }
    out_.labels.push_back(ResultLabels(many_.labels[row], one_.labels[other]));
    origin_.push_back(many_signature_[row]);
  }

  Labels ResultLabels(const Labels& many, const Labels& one) const {
    const Matching& matching = node_.matching;
    bool drop = DropsName(node_.op) || node_.return_bool;
    if (matching.grouping != Grouping::kNone) {
      Labels labels = drop ? many.WithoutName() : many;
      for (const std::string& name : matching.include) {
        if (!(drop && name == kMetricName && node_.return_bool)) {
          labels = labels.With(name, one.Get(name));
        }
      }
      return labels;
    }
    if (matching.on) return drop ? many.Keep(names_).WithoutName() : many.Keep(names_);
    if (drop) return names_.empty() ? many.WithoutName() : many.Without(names_);
    Labels labels = many;
    for (const std::string& name : names_) labels = labels.With(name, "");
    return labels;
  }

  // One-to-one: at no step may two rows of one group both have a result.
  bool CheckSingleMatches() {
    std::vector<Rows> groups = Group(origin_, signatures_.count);
    for (const Rows& group : groups) {
      if (group.size() < 2) continue;
      for (size_t step = 0; step < out_.width; ++step) {
        size_t results = 0;
        for (uint32_t row : group) results += IsAbsent(out_.Row(row)[step]) ? 0 : 1;
        if (results > 1) {
          return budget_.Fail(
              "multiple matches for labels: many-to-one matching must be explicit "
              "(group_left/group_right)");
        }
      }
    }
    return true;
  }

  const BinaryNode& node_;
  Budget& budget_;
  bool swapped_;  // the right hand side is the "many" side
  const Grid& many_;
  const Grid& one_;
  std::vector<std::string> names_;
  Signatures signatures_;
  const Rows& many_signature_;
  std::vector<Rows> one_groups_;
  Grid out_;
  Rows origin_;  // signature of each output row
};

bool PresentAt(const Grid& grid, const Rows& rows, size_t step) {
  for (uint32_t row : rows) {
    if (!IsAbsent(grid.Row(row)[step])) return true;
  }
  return false;
}

// Empties the cells of `grid` for which "some row of `other` in the same group is there" is not
// `wanted`.
void Mask(Grid& grid, const Rows& signature, const Grid& other, const std::vector<Rows>& groups,
          bool wanted) {
  for (size_t row = 0; row < grid.rows(); ++row) {
    const Rows& group = groups[signature[row]];
    auto cells = grid.Row(row);
    for (size_t step = 0; step < cells.size(); ++step) {
      if (PresentAt(other, group, step) != wanted) cells[step] = kNoCell;
    }
  }
}

}  // namespace

std::vector<double> ScalarBinary(BinaryOp op, std::span<const double> lhs,
                                 std::span<const double> rhs) {
  std::vector<double> out(lhs.size());
  WithOperator(op, [&](auto f) {
    for (size_t i = 0; i < out.size(); ++i) out[i] = Decide(f, lhs[i], rhs[i], lhs[i], true);
  });
  return out;
}

Grid VectorScalarBinary(const BinaryNode& node, Grid vector, std::span<const double> scalar,
                        bool scalar_left, Budget& budget) {
  if (!budget.Work(vector.cells.size())) return {};
  bool as_bool = node.return_bool;
  WithOperator(node.op, [&](auto f) {
    for (size_t row = 0; row < vector.rows(); ++row) {
      double* cells = vector.Row(row).data();
      for (size_t i = 0; i < vector.width; ++i) {
        double v = cells[i];
        if (IsAbsent(v)) continue;
        cells[i] =
            scalar_left ? Decide(f, scalar[i], v, v, as_bool) : Decide(f, v, scalar[i], v, as_bool);
      }
    }
  });
  if (DropsName(node.op) || as_bool) {
    for (Labels& labels : vector.labels) labels = labels.WithoutName();
    MergeRows(vector, budget);
  }
  return vector;
}

Grid VectorBinary(const BinaryNode& node, const Grid& lhs, const Grid& rhs, Budget& budget) {
  return Operation(node, lhs, rhs, budget).Run();
}

Grid SetBinary(const BinaryNode& node, Grid lhs, Grid rhs, Budget& budget) {
  if (!budget.Work(lhs.cells.size() + rhs.cells.size())) return {};
  Signatures signatures(node.matching, lhs, rhs);
  if (node.op != BinaryOp::kOr) {
    Mask(lhs, signatures.lhs, rhs, Group(signatures.rhs, signatures.count),
         node.op == BinaryOp::kAnd);
    return lhs;
  }
  Mask(rhs, signatures.rhs, lhs, Group(signatures.lhs, signatures.count), false);
  lhs.labels.insert(lhs.labels.end(), rhs.labels.begin(), rhs.labels.end());
  lhs.cells.insert(lhs.cells.end(), rhs.cells.begin(), rhs.cells.end());
  MergeRows(lhs, budget);
  return lhs;
}

}  // namespace rollguard::promql
