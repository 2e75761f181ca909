// SPDX-License-Identifier: Apache-2.0
// Queries -> buckets of one shape -> cuts -> requests.
//
// A bucket whose members differ in one or two labels folds over them; with more, it is parted along
// the label with the fewest values until two are left. Over two labels a request selects the cross
// product of their values, so members are put in order and a request ends before the product grows
// beyond what the limits allow. Prefixes of pods do not count there: a pod's name is hardly ever in
// two namespaces. Prefixes of which one begins another are asked in different requests.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "agent/base/text.h"
#include "agent/promql/fold.h"
#include "agent/promql/fold_cut.h"
#include "agent/promql/labels.h"
#include "agent/promql/printer.h"

namespace rollguard::promql {
namespace internal {
namespace {

using Tuple = std::vector<std::string>;

// A key (a label matched by `=`, a prefix matched by `=~`) that every selector which says it gives
// the same value.
struct NamedValue {
  std::string name;
  std::string_view value;
  bool consistent = true;
};

// The key that a matcher says, and its value; nothing: it says none.
std::optional<NamedValue> SaidBy(const Matcher& m) {
  if (m.name == kMetricName || IsPrefixKey(m.name)) return std::nullopt;
  if (auto prefix = PrefixOf(m)) return NamedValue{PrefixKey(m.name), *prefix};
  if (m.op != MatchOp::kEqual || m.value.empty()) return std::nullopt;
  // What is not UTF-8 cannot be a regular expression.
  return NamedValue{m.name, m.value, IsValidUtf8(m.value)};
}

std::vector<NamedValue> SaidValues(const Query& query) {
  std::vector<NamedValue> found;
  for (const Node& node : query.nodes) {
    const auto* selector = std::get_if<SelectorNode>(&node.is);
    if (selector == nullptr) continue;
    for (const Matcher& m : selector->matchers) {
      auto said = SaidBy(m);
      if (!said) continue;
      auto same = [&said](const NamedValue& v) { return v.name == said->name; };
      auto known = std::find_if(found.begin(), found.end(), same);
      if (known == found.end()) {
        found.push_back(std::move(*said));
      } else if (known->value != said->value) {
        known->consistent = false;
      }
    }
  }
  std::erase_if(found, [](const NamedValue& v) { return !v.consistent; });
  std::sort(found.begin(), found.end(),
            [](const NamedValue& a, const NamedValue& b) { return a.name < b.name; });
  return found;
}

struct Member {
  uint32_t index = 0;
  Tuple values;  // of the bucket's labels
};

struct Bucket {
  Tuple labels;
  std::vector<Member> members;
};

// Members of a bucket that fold over `keys`.
struct Group {
  Tuple keys;
  std::vector<Member> members;  // values of the keys only
  Cut cut;
};

class Planner {
 public:
  Planner(std::span<const FoldSign* const> signs, const QueryOfSign& query,
          const FoldLimits& limits)
      : signs_(signs), query_(query), limits_(limits) {}

  FoldPlan Run() {
    plan_.recipes.resize(signs_.size());
    FillBuckets();
    for (auto& [text, bucket] : buckets_) Part(bucket.labels, std::move(bucket.members));
    CutGroups();
    for (Group& group : groups_) Place(group);
    MakeRequests();
    return std::move(plan_);
  }

 private:
  struct Pending {
    std::shared_ptr<FoldShape> shape;
    std::map<Tuple, std::vector<std::pair<uint32_t, uint32_t>>> slots;  // -> (query, part)
  };

  void FillBuckets();
  void Part(const Tuple& labels, std::vector<Member> members);
  void CutGroups();
  void Place(const Group& group);
  void PlaceWhole(uint32_t index);
  void AddPart(const Leaf& leaf, const Tuple& values, uint32_t index);
  bool Worthwhile(const Group& group) const;
  void MakeRequests();
  void MakeRequests(Pending& pending);

  std::span<const FoldSign* const> signs_;
  const QueryOfSign& query_;
  const FoldLimits& limits_;
  std::map<std::string, Bucket> buckets_;
  std::vector<Group> groups_;
  std::map<std::string, size_t> users_;  // leaf text -> groups that ask it
  std::map<std::string, Pending> pending_;
  std::shared_ptr<const Query> whole_;
  FoldPlan plan_;
};

void Planner::FillBuckets() {
  for (uint32_t i = 0; i < signs_.size(); ++i) {
    Bucket& bucket = buckets_[signs_[i]->family->text];
    if (bucket.members.empty()) bucket.labels = signs_[i]->family->labels;
    bucket.members.push_back({i, signs_[i]->values});
  }
}

size_t DistinctValues(const std::vector<Member>& members, size_t label) {
  std::set<std::string_view> values;
  for (const Member& m : members) values.insert(m.values[label]);
  return values.size();
}

// Parts members until at most kMaxKeys labels vary; those are the group's keys.
void Planner::Part(const Tuple& labels, std::vector<Member> members) {
  std::vector<size_t> varying;
  size_t fewest = 0, fewest_count = SIZE_MAX;
  for (size_t l = 0; l < labels.size(); ++l) {
    size_t count = DistinctValues(members, l);
    if (count < 2) continue;
    varying.push_back(l);
    if (count < fewest_count) {
      fewest = l;
      fewest_count = count;
    }
  }
  if (varying.size() > kMaxKeys) {
    std::map<std::string, std::vector<Member>> parts;
    for (Member& m : members) parts[m.values[fewest]].push_back(std::move(m));
    for (auto& [value, part] : parts) Part(labels, std::move(part));
    return;
  }
  Group group;
  for (size_t l : varying) group.keys.push_back(labels[l]);
  for (Member& m : members) {
    Tuple values;
    for (size_t l : varying) values.push_back(std::move(m.values[l]));
    group.members.push_back({m.index, std::move(values)});
  }
  groups_.push_back(std::move(group));
}

// Cuts every group, twice where several quantiles turn out to share their bucket vector.
void Planner::CutGroups() {
  std::map<std::string, std::set<std::string>> quantiles;  // buckets -> leaves over them
  auto keep = [](const std::string&) { return false; };
  for (Group& group : groups_) {
    if (group.keys.empty()) continue;
    group.cut = CutQuery(*query_(group.members[0].index), group.keys, keep);
    for (const Leaf& leaf : group.cut.leaves) {
      if (!leaf.buckets.empty()) quantiles[leaf.buckets].insert(leaf.text);
    }
  }
  auto shared = [&quantiles](const std::string& buckets) {
    auto found = quantiles.find(buckets);
    return found != quantiles.end() && found->second.size() > 1;
  };
  for (Group& group : groups_) {
    bool again = std::any_of(group.cut.leaves.begin(), group.cut.leaves.end(),
                             [&](const Leaf& leaf) { return shared(leaf.buckets); });
    if (again) group.cut = CutQuery(*query_(group.members[0].index), group.keys, shared);
    for (const Leaf& leaf : group.cut.leaves) ++users_[leaf.text];
  }
}

// Whether the parts cost fewer requests than the members' own queries; parts that other groups ask
// anyway cost none.
bool Planner::Worthwhile(const Group& group) const {
  if (!group.cut.foldable) return false;
  std::set<Tuple> distinct;
  for (const Member& m : group.members) distinct.insert(m.values);
  size_t cost = 0;
  for (const Leaf& leaf : group.cut.leaves) {
    if (limits_.is_off && limits_.is_off(leaf.text)) return false;
    if (users_.at(leaf.text) < 2) ++cost;
  }
  return cost < distinct.size();
}

void Planner::Place(const Group& group) {
  if (!Worthwhile(group)) {
    for (const Member& m : group.members) PlaceWhole(m.index);
    return;
  }
  auto shared = std::make_shared<const Query>(group.cut.local);
  for (const Member& m : group.members) {
    FoldRecipe& recipe = plan_.recipes[m.index];
    recipe.local = shared;
    if (!group.cut.key_texts.empty()) {
      Query own = group.cut.local;
      for (const KeyText& text : group.cut.key_texts) {
        std::get<StringNode>(own[text.node].is).value = ReplaceAll(m.values[text.key], "$", "$$");
      }
      recipe.local = std::make_shared<const Query>(std::move(own));
    }
    for (const Leaf& leaf : group.cut.leaves) {
      Tuple values;
      for (const std::string& key : leaf.keys) {
        auto at = std::find(group.keys.begin(), group.keys.end(), key);
        values.push_back(m.values[static_cast<size_t>(at - group.keys.begin())]);
      }
      AddPart(leaf, values, m.index);
    }
  }
}

void Planner::AddPart(const Leaf& leaf, const Tuple& values, uint32_t index) {
  Pending& pending = pending_[leaf.text];
  if (pending.shape == nullptr) {
    pending.shape = std::make_shared<FoldShape>();
    pending.shape->text = leaf.text;
    pending.shape->query = leaf.query;
    pending.shape->keys = leaf.keys;
    pending.shape->visible = leaf.visible;
  }
  FoldRecipe& recipe = plan_.recipes[index];
  recipe.parts.emplace_back();
  pending.slots[values].emplace_back(index, static_cast<uint32_t>(recipe.parts.size() - 1));
}

void Planner::PlaceWhole(uint32_t index) {
  const std::shared_ptr<const Query> given = query_(index);
  const Query& query = *given;
  Query extracted = Extract(query, query.root);
  ValueType type = query.type();
  bool asks = std::any_of(extracted.nodes.begin(), extracted.nodes.end(),
                          [](const Node& n) { return std::holds_alternative<SelectorNode>(n.is); });
  if (!asks && (type == ValueType::kVector || type == ValueType::kScalar)) {
    plan_.recipes[index].local = std::make_shared<const Query>(std::move(extracted));
    return;
  }
  if (whole_ == nullptr) {
    Query placeholder;
    placeholder.root = placeholder.Add(PlaceholderNode{0, ValueType::kVector}, ValueType::kVector);
    whole_ = std::make_shared<const Query>(std::move(placeholder));
  }
  plan_.recipes[index].local = whole_;
  Leaf leaf;
  leaf.text = StrCat(PrintCanonical(query, query.root), " ## ");
  leaf.query = std::move(extracted);
  AddPart(leaf, {}, index);
}

void Planner::MakeRequests() {
  for (auto& [text, pending] : pending_) MakeRequests(pending);
}

// The key with fewer values first, so that neighbours share it.
std::vector<const Tuple*> InOrder(const std::vector<const Tuple*>& slots, size_t keys) {
  std::vector<const Tuple*> sorted = slots;
  if (keys < 2) return sorted;
  std::set<std::string_view> first, second;
  for (const Tuple* t : slots) {
    first.insert((*t)[0]);
    second.insert((*t)[1]);
  }
  if (first.size() > second.size()) {
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const Tuple* a, const Tuple* b) { return (*a)[1] < (*b)[1]; });
  }
  return sorted;
}

// Whether `next` still fits into a request that has `count` members.
class Chunk {
 public:
  Chunk(const FoldLimits& limits, const Tuple& keys, size_t max_members)
      : limits_(limits), max_(max_members) {
    for (const std::string& key : keys) prefix_.push_back(IsPrefixKey(key));
  }

  bool Take(const Tuple& next) {
    values_.resize(next.size());
    size_t product = 1;
    bool fits = true;
    for (size_t k = 0; k < next.size(); ++k) {
      size_t size = values_[k].size() + (values_[k].contains(next[k]) ? 0 : 1);
      fits &= size <= limits_.max_values;
      if (!prefix_[k]) product *= size;
      if (prefix_[k] && !values_[k].contains(next[k])) fits &= !Clashes(values_[k], next[k]);
    }
    fits &= count_ < max_ && product <= limits_.max_overselection * (count_ + 1);
    if (count_ > 0 && !fits) return false;
    for (size_t k = 0; k < next.size(); ++k) values_[k].insert(next[k]);
    ++count_;
    return true;
  }
  void Clear() {
    values_.clear();
    count_ = 0;
  }

 private:
  // In order, what clashes with a prefix stands behind it, or is one of its own beginnings.
  static bool Clashes(const std::set<std::string>& others, const std::string& prefix) {
    auto after = others.lower_bound(prefix + "-");
    if (after != others.end() && PrefixesClash(*after, prefix)) return true;
    for (size_t at = prefix.find('-'); at != std::string::npos; at = prefix.find('-', at + 1)) {
      if (others.contains(prefix.substr(0, at))) return true;
    }
    return false;
  }

  const FoldLimits& limits_;
  size_t max_;
  std::vector<bool> prefix_;
  std::vector<std::set<std::string>> values_;
  size_t count_ = 0;
};

void Planner::MakeRequests(Pending& pending) {
  std::vector<const Tuple*> slots;
  for (const auto& [tuple, users] : pending.slots) slots.push_back(&tuple);
  size_t max = limits_.max_members ? limits_.max_members(pending.shape->text) : SIZE_MAX;
  Chunk chunk(limits_, pending.shape->keys, std::max<size_t>(1, max));
  FoldRequest request;
  request.shape = pending.shape;
  auto finish = [&] {
    if (request.slots.empty()) return;
    std::vector<uint32_t> all(request.slots.size());
    for (uint32_t i = 0; i < all.size(); ++i) all[i] = i;
    plan_.requests.push_back(Narrow(request, all));
    request.slots.clear();
    chunk.Clear();
  };
  for (const Tuple* tuple : InOrder(slots, pending.shape->keys.size())) {
    if (!chunk.Take(*tuple)) {
      finish();
      chunk.Take(*tuple);
    }
    FoldPart part{static_cast<uint32_t>(plan_.requests.size()),
                  static_cast<uint32_t>(request.slots.size())};
    for (auto [query, index] : pending.slots[*tuple]) plan_.recipes[query].parts[index] = part;
    request.slots.push_back(*tuple);
  }
  finish();
}

}  // namespace
}  // namespace internal

FoldSign SignOf(const Query& query) {
  auto family = std::make_shared<FoldFamily>();
  FoldSign sign;
  for (const internal::NamedValue& v : internal::SaidValues(query)) {
    family->labels.push_back(v.name);
    sign.values.emplace_back(v.value);
  }
  family->text = internal::BlankText(query, query.root, family->labels);
  sign.family = std::move(family);
  return sign;
}

FoldPlan PlanFold(std::span<const Query* const> queries, const FoldLimits& limits) {
  std::vector<FoldSign> signs;
  std::vector<const FoldSign*> refs;
  signs.reserve(queries.size());
  refs.reserve(queries.size());
  for (const Query* query : queries) refs.push_back(&signs.emplace_back(SignOf(*query)));
  const auto given = [&queries](uint32_t index) {  // theirs: not ours to delete
    return std::shared_ptr<const Query>(std::shared_ptr<const Query>(), queries[index]);
  };
  return PlanFold(refs, given, limits);
}

FoldPlan PlanFold(std::span<const FoldSign* const> signs, const QueryOfSign& query,
                  const FoldLimits& limits) {
  return internal::Planner(signs, query, limits).Run();
}

}  // namespace rollguard::promql
