// SPDX-License-Identifier: Apache-2.0
// Folding: many queries that differ in the value of one or two labels are asked as a few grouped
// queries. `sum(rate(x{app="a"}[5m])) > 1` and the same for app "b", "c", ... become one request
// `sum by (app) (rate(x{app=~"a|b|c"}[5m]))`; the comparison is evaluated here, once per member.
// Pods are named by the beginning of their names, `pod=~"a-7f9-.*"`: that becomes a label of its
// own on the server, label_replace(rate(x{pod=~"(a-7f9|b-5c4)-.*"}[5m]), ..., "pod",
// "(a-7f9|b-5c4)-.*").
//
// How a plan is made (fold*.cc, one step a file):
//   1. buckets: queries of one shape; the labels whose values differ within a bucket are its keys
//   2. classes (fold_class): which nodes of the shape can be asked for all members at once
//   3. cut (fold_cut): the largest such nodes are asked, what is above is evaluated per member
//   4. chunks: equal nodes of different templates are one request; limits split it
// What nothing else shares is asked as it is written.
//
// Pure: no I/O. A plan is a value that stays valid whatever becomes of the queries.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/time.h"
#include "agent/promql/ast.h"
#include "agent/promql/value.h"

namespace rollguard::promql {

struct FoldLimits {
  size_t max_values = 200;       // in one alternation
  size_t max_overselection = 4;  // keys' cross product against the members it is for
  // How many members one request of this shape may have (from what earlier answers cost); empty:
  // only the limits above.
  std::function<size_t(std::string_view shape)> max_members;
  // A shape that must not be folded (a shadow check found a difference). May be empty.
  std::function<bool(std::string_view shape)> is_off;
};

// What requests of one kind have in common. Immutable.
struct FoldShape {
  std::string text;               // with a blank for every key's value: the shape's identity
  Query query;                    // of one member, as it is asked singly
  std::vector<std::string> keys;  // labels of the folded answer; empty: nothing varies
  std::vector<bool> visible;      // per key: whether a member's own answer carries the label
};

// One question to the server, with the members' parts of its answer.
struct FoldRequest {
  std::shared_ptr<const FoldShape> shape;
  // One slot per member: the keys' values. Without keys there is a single empty slot.
  std::vector<std::vector<std::string>> slots;
  std::string expr;  // what to ask

  bool folded() const { return slots.size() > 1; }
};

// Part `slot` of the answer to request `request`.
struct FoldPart {
  uint32_t request = 0;
  uint32_t slot = 0;
};

// How one query gets its value: `local` evaluated with the parts in place of its placeholders.
struct FoldRecipe {
  std::vector<FoldPart> parts;
  std::shared_ptr<const Query> local;  // shared by all members of a bucket
};

struct FoldPlan {
  std::vector<FoldRequest> requests;
  std::vector<FoldRecipe> recipes;  // one per query, in their order
};

// What planning compares of a query: much smaller than the query, for those who ask the same ones
// again and again. Queries of one text of `family` differ in `values` alone.
struct FoldFamily {
  std::string text;                 // with a blank for every value that may be folded over
  std::vector<std::string> labels;  // of the blanks
};
struct FoldSign {
  std::shared_ptr<const FoldFamily> family;
  std::vector<std::string> values;
};
FoldSign SignOf(const Query& query);

// `queries` are bound and without errors.
FoldPlan PlanFold(std::span<const Query* const> queries, const FoldLimits& limits = {});
// The same of their signs; `query` gives those that are looked into: one of each group that folds,
// and what does not.
using QueryOfSign = std::function<std::shared_ptr<const Query>(uint32_t index)>;
FoldPlan PlanFold(std::span<const FoldSign* const> signs, const QueryOfSign& query,
                  const FoldLimits& limits);

// The same question for some of the slots only; a single slot is asked exactly as the member wrote
// it.
FoldRequest Narrow(const FoldRequest& request, std::span<const uint32_t> slots);

// The answer cut into one value per slot. A slot the answer says nothing about is an empty vector;
// series that belong to no slot are dropped.
std::vector<Value> Unfold(const FoldRequest& request, Value answer);

// The member's value. Fails only as the query itself would.
Expected<Value> EvaluateRecipe(const FoldRecipe& recipe, std::span<const Value> parts, Time at);

}  // namespace rollguard::promql
