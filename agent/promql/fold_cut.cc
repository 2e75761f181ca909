// SPDX-License-Identifier: Apache-2.0
// Top down. A node that folds is asked whole, calls and aggregations around it included, so that
// the server does what it can do; only operators between aggregated vectors (a ratio, a threshold)
// are left to us, because then the parts of many rules are equal. What does not fold but stands
// above what does is evaluated here. A part that must be asked and differs per member makes the
// whole query not worth cutting.
#include "agent/promql/fold_cut.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/promql/labels.h"

namespace rollguard::promql::internal {
namespace {

class Cutter {
 public:
  Cutter(const Query& query, const std::vector<std::string>& keys,
         const std::function<bool(const std::string&)>& peel)
      : query_(query), keys_(keys), peel_(peel), classes_(Classify(query, keys)) {}

  Cut Run() {
    ValueType type = query_.type();
    if (type != ValueType::kVector && type != ValueType::kScalar) return {};
    cut_.foldable = true;
    cut_.local.root = Visit(query_.root);
    if (!cut_.foldable) return {};
    return std::move(cut_);
  }

 private:
  NodeId Visit(NodeId id);
  NodeId Above(NodeId id);
  NodeId VisitCall(NodeId id, const CallNode& n);
  NodeId VisitAbsent(NodeId id, const CallNode& n);
  NodeId NameAbsent(NodeId absent, const SelectorNode& selector);
  NodeId CopyFree(NodeId id);
  NodeId AddLeaf(const Query& query, NodeId root, const std::vector<FoldClass>& classes);
  NodeId Ask(NodeId id) { return AddLeaf(query_, SkipParens(query_, id), classes_); }
  NodeId GiveUp() {
    cut_.foldable = false;
    return 0;
  }
  bool IsSplit(NodeId id) const;
  const CallNode* Quantile(NodeId id) const;
  NodeId Text(std::string text) {
    return cut_.local.Add(StringNode{std::move(text)}, ValueType::kString);
  }

  const Query& query_;
  const std::vector<std::string>& keys_;
  const std::function<bool(const std::string&)>& peel_;
  std::vector<FoldClass> classes_;
  Cut cut_;
};

// histogram_quantile with a constant quantile.
const CallNode* Cutter::Quantile(NodeId id) const {
  const auto* call = query_.As<CallNode>(id);
  bool quantile = call != nullptr && call->function->id == FunctionId::kHistogramQuantile &&
                  !classes_[call->args[0]].selects;
  return quantile ? call : nullptr;
}

// Whether a folding node is better asked in parts: an operator with an aggregation below it.
// Powers and atan2 stay on the server, whose last digits may differ from ours.
bool Cutter::IsSplit(NodeId id) const {
  if (const auto* paren = query_.As<ParenNode>(id)) return IsSplit(paren->expr);
  if (const auto* unary = query_.As<UnaryNode>(id)) return IsSplit(unary->expr);
  if (const CallNode* quantile = Quantile(id)) {
    return peel_(BlankText(query_, quantile->args[1], keys_));
  }
  const auto* binary = query_.As<BinaryNode>(id);
  return binary != nullptr && classes_[id].aggregates && binary->op != BinaryOp::kPow &&
         binary->op != BinaryOp::kAtan2;
}

NodeId Cutter::Visit(NodeId id) {
  if (!cut_.foldable) return 0;
  const FoldClass& c = classes_[id];
  if (!c.selects) return CopyFree(id);
  if (!c.has_keyed) return c.kind == FoldKind::kFree ? Ask(id) : GiveUp();
  if (c.kind == FoldKind::kKeyed && !IsSplit(id)) return Ask(id);
  return Above(id);
}

// A node that is evaluated here.
NodeId Cutter::Above(NodeId id) {
  if (query_[id].type == ValueType::kMatrix) return GiveUp();
  Node node = query_[id];
  if (auto* paren = std::get_if<ParenNode>(&node.is)) {
    paren->expr = Visit(paren->expr);
  } else if (auto* unary = std::get_if<UnaryNode>(&node.is)) {
    unary->expr = Visit(unary->expr);
  } else if (auto* binary = std::get_if<BinaryNode>(&node.is)) {
    binary->lhs = Visit(binary->lhs);
    binary->rhs = Visit(binary->rhs);
  } else if (auto* aggregate = std::get_if<AggregateNode>(&node.is)) {
    if (aggregate->param != kNoNode) aggregate->param = Visit(aggregate->param);
    aggregate->expr = Visit(aggregate->expr);
  } else if (auto* call = std::get_if<CallNode>(&node.is)) {
    return VisitCall(id, *call);
  } else {
    return GiveUp();
  }
  cut_.local.nodes.push_back(std::move(node));
  return static_cast<NodeId>(cut_.local.nodes.size() - 1);
}

NodeId Cutter::VisitCall(NodeId id, const CallNode& n) {
  FunctionId f = n.function->id;
  if (f == FunctionId::kAbsent || f == FunctionId::kAbsentOverTime) return VisitAbsent(id, n);
  // Samples' own times do not come with an answer.
  const bool own_times = f == FunctionId::kTimestamp &&
                         query_.As<SelectorNode>(SkipParens(query_, n.args[0])) != nullptr;
  if (own_times) return GiveUp();
  CallNode copy = n;
  for (NodeId& arg : copy.args) {
    if (query_[arg].type == ValueType::kMatrix) return GiveUp();
    arg = Visit(arg);
  }
  return cut_.local.Add(std::move(copy), query_[id].type);
}

// absent(selector): whether there is anything is asked as group(...); the labels that the answer
// takes from the selector are put on here.
NodeId Cutter::VisitAbsent(NodeId id, const CallNode& n) {
  NodeId arg = SkipParens(query_, n.args[0]);
  const auto* selector = query_.As<SelectorNode>(arg);
  bool over_time = n.function->id == FunctionId::kAbsentOverTime;
  NodeId given = 0;
  if (selector == nullptr && !over_time) {
    given = Visit(n.args[0]);
  } else {
    if (classes_[arg].kind != FoldKind::kKeyed) return GiveUp();
    Query probe = Extract(query_, arg);
    if (over_time) {
      // Keeps the name: series that differ in nothing else are no error to absent_over_time.
      CallNode last{FindFunction("last_over_time"), {probe.root}};
      probe.root = probe.Add(std::move(last), ValueType::kVector);
    }
    AggregateNode group;
    group.op = AggregateOp::kGroup;
    group.expr = probe.root;
    probe.root = probe.Add(std::move(group), ValueType::kVector);
    given = AddLeaf(probe, probe.root, Classify(probe, keys_));
  }
  CallNode absent{FindFunction("absent"), {given}};
  NodeId answer = cut_.local.Add(std::move(absent), query_[id].type);
  return selector != nullptr ? NameAbsent(answer, *selector) : answer;
}

// The labels of `=` matchers; a later matcher of the same name takes the label away again.
NodeId Cutter::NameAbsent(NodeId absent, const SelectorNode& selector) {
  std::vector<std::pair<const Matcher*, bool>> named;  // and whether it is still there
  for (const Matcher& m : selector.matchers) {
    if (m.name == kMetricName) continue;
    auto same = [&m](const auto& other) { return other.first->name == m.name; };
    auto found = std::find_if(named.begin(), named.end(), same);
    if (found != named.end()) {
      found->second = false;
    } else if (m.op == MatchOp::kEqual) {
      named.emplace_back(&m, true);
    }
  }
  for (const auto& [matcher, there] : named) {
    if (!there) continue;
    NodeId destination = Text(matcher->name);
    NodeId value = Text(ReplaceAll(matcher->value, "$", "$$"));
    auto key = std::find(keys_.begin(), keys_.end(), matcher->name);
    if (key != keys_.end()) {
      cut_.key_texts.push_back({value, static_cast<size_t>(key - keys_.begin())});
    }
    NodeId source = Text(matcher->name);
    CallNode replace{FindFunction("label_replace"), {absent, destination, value, source, Text("")}};
    absent = cut_.local.Add(std::move(replace), ValueType::kVector);
  }
  return absent;
}

NodeId Cutter::CopyFree(NodeId id) {
  Query copy = Extract(query_, id);
  NodeId base = static_cast<NodeId>(cut_.local.nodes.size());
  auto shift = [base](NodeId& child) {
    if (child != kNoNode) child += base;
  };
  for (Node& node : copy.nodes) {
    if (auto* paren = std::get_if<ParenNode>(&node.is)) shift(paren->expr);
    if (auto* unary = std::get_if<UnaryNode>(&node.is)) shift(unary->expr);
    if (auto* subquery = std::get_if<SubqueryNode>(&node.is)) shift(subquery->expr);
    if (auto* binary = std::get_if<BinaryNode>(&node.is)) {
      shift(binary->lhs);
      shift(binary->rhs);
    }
    if (auto* call = std::get_if<CallNode>(&node.is)) {
      for (NodeId& arg : call->args) shift(arg);
    }
    if (auto* aggregate = std::get_if<AggregateNode>(&node.is)) {
      shift(aggregate->param);
      shift(aggregate->expr);
    }
    cut_.local.nodes.push_back(std::move(node));
  }
  return copy.root + base;
}

NodeId Cutter::AddLeaf(const Query& query, NodeId root, const std::vector<FoldClass>& classes) {
  const FoldClass& c = classes[root];
  Leaf leaf;
  for (size_t k = 0; k < keys_.size(); ++k) {
    if ((c.keys >> k & 1) == 0) continue;
    leaf.keys.push_back(keys_[k]);
    leaf.visible.push_back((c.visible >> k & 1) != 0);
  }
  leaf.query = Extract(query, root);
  leaf.text =
      StrCat(BlankText(leaf.query, leaf.query.root, leaf.keys), " ## ", Join(leaf.keys, ","));
  if (&query == &query_) {
    if (const CallNode* quantile = Quantile(SkipParens(query, root))) {
      leaf.buckets = BlankText(query, quantile->args[1], keys_);
    }
  }
  auto same = [&leaf](const Leaf& other) { return other.text == leaf.text; };
  auto found = std::find_if(cut_.leaves.begin(), cut_.leaves.end(), same);
  auto index = static_cast<uint32_t>(found - cut_.leaves.begin());
  ValueType type = query[root].type;
  if (found == cut_.leaves.end()) cut_.leaves.push_back(std::move(leaf));
  return cut_.local.Add(PlaceholderNode{index, type}, type);
}

}  // namespace

Cut CutQuery(const Query& query, const std::vector<std::string>& keys,
             const std::function<bool(const std::string& text)>& peel) {
  return Cutter(query, keys, peel).Run();
}

}  // namespace rollguard::promql::internal
