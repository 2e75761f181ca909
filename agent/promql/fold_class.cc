// SPDX-License-Identifier: Apache-2.0
// Bottom up over the node array. Beside "does it fold" each node knows which keys its own,
// unfolded result carries ("visible"): an aggregation without clause drops `app`, the folded one
// keeps it. Wherever labels are compared by name a key must be visible on both sides or on none,
// else the folded query would match what the member's query does not.
#include "agent/promql/fold_class.h"

#include <algorithm>

#include "agent/promql/labels.h"

namespace rollguard::promql::internal {
namespace {

bool Contains(const std::vector<std::string>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

constexpr std::string_view kPrefixName = "rollguard_prefix_of_";
constexpr std::string_view kRest = "-.*";

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '\x01';  // the blank of BlankText
}

constexpr FoldClass kBlockedClass = [] {
  FoldClass c;
  c.kind = FoldKind::kBlocked;
  return c;
}();

class Classifier {
 public:
  Classifier(const Query& query, const std::vector<std::string>& keys)
      : query_(query), keys_(keys) {}

  std::vector<FoldClass> Run() {
    classes_.reserve(query_.nodes.size());
    for (NodeId id = 0; id < query_.nodes.size(); ++id) {
      FoldClass c = std::visit([this](const auto& n) { return Class(n); }, query_[id].is);
      c.has_keyed = c.kind == FoldKind::kKeyed;
      c.aggregates = query_.As<AggregateNode>(id) != nullptr;
      c.selects = query_.As<SelectorNode>(id) != nullptr;
      for (NodeId child : Children(query_, id)) {
        c.has_keyed |= classes_[child].has_keyed;
        c.aggregates |= classes_[child].aggregates;
        c.selects |= classes_[child].selects;
      }
      classes_.push_back(c);
    }
    return std::move(classes_);
  }

 private:
  FoldClass Class(const NumberNode&) { return {}; }
  FoldClass Class(const StringNode&) { return {}; }
  FoldClass Class(const PlaceholderNode&) { return kBlockedClass; }
  FoldClass Class(const ParenNode& n) { return Copy(n.expr); }
  FoldClass Class(const UnaryNode& n) { return Copy(n.expr); }
  FoldClass Class(const SubqueryNode& n) { return Copy(n.expr); }
  FoldClass Class(const SelectorNode& n);
  FoldClass Class(const CallNode& n);
  FoldClass Class(const AggregateNode& n);
  FoldClass Class(const BinaryNode& n);

  FoldClass LabelCall(const CallNode& n, FoldClass arg);
  FoldClass KeyedPair(const BinaryNode& n, const FoldClass& l, const FoldClass& r);
  FoldClass KeyedAndFree(const BinaryNode& n, const FoldClass& keyed, const FoldClass& free,
                         bool keyed_left);
  FoldClass Copy(NodeId id) const { return classes_[id]; }
  std::string_view Text(NodeId id) const {
    const auto* text = query_.As<StringNode>(SkipParens(query_, id));
    return text != nullptr ? std::string_view(text->value) : std::string_view();
  }
  template <class Predicate>
  bool AnyKey(KeyMask mask, Predicate holds) const {
    for (size_t k = 0; k < keys_.size(); ++k) {
      if ((mask >> k & 1) != 0 && holds(k, keys_[k])) return true;
    }
    return false;
  }
  KeyMask KeysIn(const std::vector<std::string>& labels) const {
    KeyMask mask = 0;
    for (size_t k = 0; k < keys_.size(); ++k) {
      if (Contains(labels, keys_[k])) mask = static_cast<KeyMask>(mask | 1U << k);
    }
    return mask;
  }

  const Query& query_;
  const std::vector<std::string>& keys_;
  std::vector<FoldClass> classes_;
};

// Exactly one matcher says a key; other matchers on its label only where none does.
FoldClass Classifier::Class(const SelectorNode& n) {
  FoldClass c;
  for (size_t k = 0; k < keys_.size(); ++k) {
    const bool prefix = IsPrefixKey(keys_[k]);
    size_t says = 0, other = 0;
    for (const Matcher& m : n.matchers) {
      if (m.name != LabelOf(keys_[k])) continue;
      const bool equal = m.op == MatchOp::kEqual && !m.value.empty();
      (prefix ? PrefixOf(m).has_value() : equal) ? ++says : ++other;
    }
    if (says > 1 || (says == 1 && other > 0)) return kBlockedClass;
    if (says == 0) continue;
    c.keys = static_cast<KeyMask>(c.keys | 1U << k);
    if (!prefix) c.visible = static_cast<KeyMask>(c.visible | 1U << k);
  }
  if (c.keys != 0) c.kind = FoldKind::kKeyed;
  return c;
}

FoldClass Classifier::LabelCall(const CallNode& n, FoldClass arg) {
  std::string_view destination = Text(n.args[1]);
  arg.bare = false;
  auto clashes = [&](size_t k, const std::string& key) {
    if (destination == key) return true;
    if ((arg.visible >> k & 1) != 0) return false;
    // A source the member does not see, but the folded query would.
    for (size_t i = 3; i < n.args.size(); ++i) {
      if (Text(n.args[i]) == key) return true;
      if (n.function->id == FunctionId::kLabelReplace) break;
    }
    return false;
  };
  return AnyKey(arg.keys, clashes) ? kBlockedClass : arg;
}

FoldClass Classifier::Class(const CallNode& n) {
  const FoldClass* keyed = nullptr;
  for (NodeId arg : n.args) {
    const FoldClass& c = classes_[arg];
    if (c.kind == FoldKind::kBlocked) return kBlockedClass;
    if (c.kind == FoldKind::kFree) continue;
    if (query_[arg].type == ValueType::kScalar || keyed != nullptr) return kBlockedClass;
    keyed = &c;
  }
  FoldClass result;
  if (keyed == nullptr) {
    bool vector = n.function->id == FunctionId::kVector || n.args.empty();
    result.bare = vector && n.function->returns == ValueType::kVector;
    return result;
  }
  switch (n.function->id) {
    case FunctionId::kAbsent:
    case FunctionId::kAbsentOverTime:
    case FunctionId::kScalar:
    case FunctionId::kSort:
    case FunctionId::kSortDesc: return kBlockedClass;
    case FunctionId::kLabelReplace:
    case FunctionId::kLabelJoin: return LabelCall(n, *keyed);
    case FunctionId::kTimestamp:  // of a selector it gives the sample's own time; of a call it does
                                  // not
      return AnyKey(keyed->keys, [](size_t, const std::string& k) { return IsPrefixKey(k); })
                 ? kBlockedClass
                 : *keyed;
    case FunctionId::kHistogramQuantile:
    case FunctionId::kHistogramFraction:
      if (AnyKey(keyed->keys, [](size_t, const std::string& k) { return k == kBucketLabel; })) {
        return kBlockedClass;
      }
      return *keyed;
    default: return *keyed;
  }
}

FoldClass Classifier::Class(const AggregateNode& n) {
  FoldClass c = classes_[n.expr];
  bool selection = n.op == AggregateOp::kTopk || n.op == AggregateOp::kBottomk;
  bool free_param = n.param == kNoNode || classes_[n.param].kind == FoldKind::kFree;
  if (c.kind == FoldKind::kBlocked || !free_param) return kBlockedClass;
  if (n.op == AggregateOp::kCountValues && KeysIn({std::string(Text(n.param))}) != 0) {
    return c.kind == FoldKind::kKeyed ? kBlockedClass : FoldClass{};
  }
  c.bare = !selection && n.op != AggregateOp::kCountValues && !n.without && n.labels.empty();
  if (c.kind == FoldKind::kFree || selection) return c;
  KeyMask named = KeysIn(n.labels);
  KeyMask kept = n.without ? static_cast<KeyMask>(~named) : named;
  c.visible = static_cast<KeyMask>(c.visible & kept);
  return c;
}

// Both sides keyed: the folded operator matches within a member because both sides carry the keys.
FoldClass Classifier::KeyedPair(const BinaryNode& n, const FoldClass& l, const FoldClass& r) {
  if (l.keys != r.keys || KeysIn(n.matching.include) != 0) return kBlockedClass;
  KeyMask named = static_cast<KeyMask>(KeysIn(n.matching.labels) & l.keys);
  // Keys that the member's own operator compares.
  KeyMask compared = n.matching.on ? named : static_cast<KeyMask>(l.keys & ~named);
  if (((l.visible ^ r.visible) & compared) != 0) return kBlockedClass;
  FoldClass c = l;
  c.bare = l.bare && r.bare;
  if (n.op == BinaryOp::kOr) return l.visible == r.visible ? c : kBlockedClass;
  if (IsSetOperator(n.op)) return c;
  if (n.matching.grouping == Grouping::kRight) c.visible = r.visible;
  if (n.matching.grouping == Grouping::kNone) {
    c.visible = static_cast<KeyMask>(l.visible & compared);
  }
  return c;
}

FoldClass Classifier::KeyedAndFree(const BinaryNode& n, const FoldClass& keyed,
                                   const FoldClass& free, bool keyed_left) {
  const Matching& m = n.matching;
  FoldClass c = keyed;
  c.bare = keyed.bare && free.bare;
  if (n.op == BinaryOp::kOr || (IsSetOperator(n.op) && !keyed_left)) return kBlockedClass;
  if (KeysIn(m.include) != 0) return kBlockedClass;
  KeyMask named = static_cast<KeyMask>(KeysIn(m.labels) & keyed.keys);
  KeyMask compared = m.on ? named : static_cast<KeyMask>(keyed.keys & ~named);
  bool compared_visible = (compared & ~keyed.visible) == 0;
  bool all_compared = compared == keyed.keys;
  if (IsSetOperator(n.op)) {
    // Elements are only kept or dropped; a key that is not compared must not be by the folded one.
    return compared_visible ? c : kBlockedClass;
  }
  Grouping many = keyed_left ? Grouping::kLeft : Grouping::kRight;
  if (m.grouping == many) return compared_visible ? c : kBlockedClass;
  if (m.grouping != Grouping::kNone) return kBlockedClass;
  if (keyed.bare && free.bare) return c;  // becomes on () group_left
  return compared_visible && all_compared ? c : kBlockedClass;
}

FoldClass Classifier::Class(const BinaryNode& n) {
  const FoldClass& l = classes_[n.lhs];
  const FoldClass& r = classes_[n.rhs];
  if (l.kind == FoldKind::kBlocked || r.kind == FoldKind::kBlocked) return kBlockedClass;
  if (l.kind == FoldKind::kFree && r.kind == FoldKind::kFree) {
    FoldClass c;
    bool left_scalar = query_[n.lhs].type == ValueType::kScalar;
    bool right_scalar = query_[n.rhs].type == ValueType::kScalar;
    c.bare = (l.bare || left_scalar) && (r.bare || right_scalar) && !(left_scalar && right_scalar);
    return c;
  }
  if (query_[n.rhs].type == ValueType::kScalar) return l;
  if (query_[n.lhs].type == ValueType::kScalar) return r;
  if (l.kind == r.kind) return KeyedPair(n, l, r);
  bool keyed_left = l.kind == FoldKind::kKeyed;
  return KeyedAndFree(n, keyed_left ? l : r, keyed_left ? r : l, keyed_left);
}

}  // namespace

std::string PrefixKey(std::string_view label) { return std::string(kPrefixName).append(label); }

bool IsPrefixKey(std::string_view key) { return key.starts_with(kPrefixName); }

std::string_view LabelOf(std::string_view key) {
  if (IsPrefixKey(key)) key.remove_prefix(kPrefixName.size());
  return key;
}

std::optional<std::string_view> PrefixOf(const Matcher& matcher) {
  std::string_view text = matcher.value;
  if (matcher.op != MatchOp::kRegex || !text.ends_with(kRest)) return std::nullopt;
  text.remove_suffix(kRest.size());
  if (text.empty() || !std::all_of(text.begin(), text.end(), IsPlain)) return std::nullopt;
  return text;
}

bool PrefixesClash(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  return b.starts_with(a) && (b.size() == a.size() || b[a.size()] == '-');
}

std::vector<FoldClass> Classify(const Query& query, const std::vector<std::string>& keys) {
  return Classifier(query, keys).Run();
}

}  // namespace rollguard::promql::internal
