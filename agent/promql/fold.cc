// SPDX-License-Identifier: Apache-2.0
// What a plan's requests ask, how their answers are cut, and what is made of the parts.
#include "agent/promql/fold.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "agent/promql/engine.h"
#include "agent/promql/fold_class.h"
#include "agent/promql/printer.h"

namespace rollguard::promql {
namespace {

// Nothing is stored: recipes read placeholders only.
class NoSeries : public Querier {
 public:
  void Select(std::span<const LabelPredicate>, Millis, Millis,
              std::vector<SeriesView>&) const override {}
};

std::string Ask(const FoldRequest& request) {
  const FoldShape& shape = *request.shape;
  if (!request.folded()) {
    return Print(internal::Substitute(shape.query, shape.keys, request.slots.front()));
  }
  std::vector<std::vector<std::string>> values;
  for (size_t k = 0; k < shape.keys.size(); ++k) {
    std::set<std::string> distinct;
    for (const auto& slot : request.slots) distinct.insert(slot[k]);
    values.emplace_back(distinct.begin(), distinct.end());
  }
  auto classes = internal::Classify(shape.query, shape.keys);
  return Print(internal::Rewrite(shape.query, shape.query.root, shape.keys, classes, values));
}

// The slot's values as one text: lengths first, so that no two tuples are alike.
template <class Values>
std::string TupleKey(const Values& values) {
  std::string key;
  for (const auto& value : values) {
    key += std::to_string(value.size());
    key += ':';
    key += value;
  }
  return key;
}

}  // namespace

FoldRequest Narrow(const FoldRequest& request, std::span<const uint32_t> slots) {
  FoldRequest narrowed;
  narrowed.shape = request.shape;
  for (uint32_t slot : slots) narrowed.slots.push_back(request.slots[slot]);
  narrowed.expr = Ask(narrowed);
  return narrowed;
}

std::vector<Value> Unfold(const FoldRequest& request, Value answer) {
  if (!request.folded()) {
    std::vector<Value> single;
    single.push_back(std::move(answer));
    return single;
  }
  std::unordered_map<std::string, uint32_t> slot_of;
  for (uint32_t i = 0; i < request.slots.size(); ++i) slot_of[TupleKey(request.slots[i])] = i;
  std::vector<Vector> parts(request.slots.size());
  const FoldShape& shape = *request.shape;
  std::vector<std::string_view> values(shape.keys.size());
  Vector nothing;
  auto* vector = std::get_if<Vector>(&answer);
  if (vector == nullptr) vector = &nothing;
  for (Sample& sample : *vector) {
    for (size_t k = 0; k < shape.keys.size(); ++k) values[k] = sample.labels.Get(shape.keys[k]);
    auto found = slot_of.find(TupleKey(values));
    if (found == slot_of.end()) continue;
    for (size_t k = 0; k < shape.keys.size(); ++k) {
      if (!shape.visible[k]) sample.labels = sample.labels.With(shape.keys[k], "");
    }
    parts[found->second].push_back(std::move(sample));
  }
  return {std::make_move_iterator(parts.begin()), std::make_move_iterator(parts.end())};
}

Expected<Value> EvaluateRecipe(const FoldRecipe& recipe, std::span<const Value> parts, Time at) {
  if (const auto* given = recipe.local->As<PlaceholderNode>(recipe.local->root)) {
    return parts[given->index];
  }
  NoSeries nothing;
  return Engine(nothing).Instant(*recipe.local, at, parts);
}

}  // namespace rollguard::promql
