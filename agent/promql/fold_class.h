// SPDX-License-Identifier: Apache-2.0
// The algebra of folding: what each node of a query is when the keys' values vary.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/promql/ast.h"

namespace rollguard::promql::internal {

// A set of keys, by index: at most two keys fold together, a few more may be looked at.
using KeyMask = uint8_t;
inline constexpr size_t kMaxKeys = 2;

// A key is a label that members match by `=`, or, as rules write it about pods, the prefix P of a
// matcher `pod=~"P-.*"`. The second kind is no label of the series: the folded query makes it one,
// under a name of its own, so it is never visible in a member's own result.
std::string PrefixKey(std::string_view label);
bool IsPrefixKey(std::string_view key);
std::string_view LabelOf(std::string_view key);  // the label it is about, for either kind
// P, when the matcher is `=~"P-.*"` and P has nothing in it that a regular expression would read.
std::optional<std::string_view> PrefixOf(const Matcher& matcher);
// Whether some text can begin with both prefixes, as `a-` and `a-b-` do: it would be of one only.
bool PrefixesClash(std::string_view a, std::string_view b);

enum class FoldKind : uint8_t {
  kFree,     // the same for every member: constants, and vectors and scalars free of the keys
  kKeyed,    // folds: every series carries the keys, and restricting to a member's values gives
             // exactly what the member's own query gives
  kBlocked,  // depends on the keys and does not fold
};

struct FoldClass {
  FoldKind kind = FoldKind::kFree;
  KeyMask keys = 0;         // kKeyed: which ones
  KeyMask visible = 0;      // kKeyed: those that the member's own result carries as labels, too
  bool bare = false;        // exactly one series without labels, if any (but for folded keys)
  bool selects = false;     // reads series
  bool has_keyed = false;   // it or something below it is kKeyed
  bool aggregates = false;  // an aggregation in it
};

// One class per node of the query; nodes that the root does not reach are classified as well.
std::vector<FoldClass> Classify(const Query& query, const std::vector<std::string>& keys);

// `query` with `values[k]` in every matcher that says keys[k]: non-empty `=`, or a prefix.
Query Substitute(Query query, const std::vector<std::string>& keys,
                 const std::vector<std::string>& values);

// What `root` asks, with a blank in place of the keys' values: the same for every member.
std::string BlankText(const Query& query, NodeId root, const std::vector<std::string>& keys);

// The query below `root` as it is asked for several members: values become alternations, clauses
// keep the keys apart. `root` is kKeyed; `values[i]` are the (distinct) values of keys[i].
Query Rewrite(const Query& query, NodeId root, const std::vector<std::string>& keys,
              const std::vector<FoldClass>& classes,
              const std::vector<std::vector<std::string>>& values);

// A copy of what `root` reaches, with `root` last.
Query Extract(const Query& query, NodeId root);

}  // namespace rollguard::promql::internal
