// SPDX-License-Identifier: Apache-2.0
// One member's query -> the query for many. Only classified nodes are changed; everything else in a
// selector, and every part free of the keys, stays as it is. A prefix becomes a label as soon as
// there is a vector to put it on: around an instant selector, around the call of a range selector.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/promql/fold_class.h"
#include "agent/promql/printer.h"
#include "agent/promql/regex.h"

namespace rollguard::promql::internal {
namespace {

void AddMissing(std::vector<std::string>& labels, const std::string& label) {
  if (std::find(labels.begin(), labels.end(), label) == labels.end()) labels.push_back(label);
}

class Rewriter {
 public:
  Rewriter(const Query& query, const std::vector<std::string>& keys,
           const std::vector<FoldClass>* classes,
           const std::vector<std::vector<std::string>>* values)
      : query_(query), keys_(keys), classes_(classes), values_(values) {}

  Query Run(NodeId root) {
    out_.root = Copy(root);
    return std::move(out_);
  }

 private:
  NodeId Copy(NodeId id) {
    const Node& node = query_[id];
    Node copy = node;
    std::visit([this](auto& n) { CopyChildren(n); }, copy.is);
    if (classes_ != nullptr && (*classes_)[id].kind == FoldKind::kKeyed) {
      std::visit([&](auto& n) { Change(id, n); }, copy.is);
    }
    out_.nodes.push_back(std::move(copy));
    auto copied = static_cast<NodeId>(out_.nodes.size() - 1);
    return MakesVector(id) ? NamePrefixes(id, copied) : copied;
  }

  template <class Leaf>
  void CopyChildren(Leaf&) {}
  void CopyChildren(ParenNode& n) { n.expr = Copy(n.expr); }
  void CopyChildren(UnaryNode& n) { n.expr = Copy(n.expr); }
  void CopyChildren(SubqueryNode& n) { n.expr = Copy(n.expr); }
  void CopyChildren(BinaryNode& n) {
    n.lhs = Copy(n.lhs);
    n.rhs = Copy(n.rhs);
  }
  void CopyChildren(CallNode& n) {
    for (NodeId& arg : n.args) arg = Copy(arg);
  }
  void CopyChildren(AggregateNode& n) {
    if (n.param != kNoNode) n.param = Copy(n.param);
    n.expr = Copy(n.expr);
  }

  bool MakesVector(NodeId id) const;
  NodeId NamePrefixes(NodeId id, NodeId vector);
  NodeId AddText(std::string text) {
    return out_.Add(StringNode{std::move(text)}, ValueType::kString);
  }

  template <class Other>
  void Change(NodeId, Other&) {}
  void Change(NodeId id, SelectorNode& n);
  void Change(NodeId id, AggregateNode& n);
  void Change(NodeId id, BinaryNode& n);
  template <class Action>
  void ForKeys(NodeId id, Action action) {
    for (size_t k = 0; k < keys_.size(); ++k) {
      if (((*classes_)[id].keys >> k & 1) != 0) action(k, keys_[k]);
    }
  }

  const Query& query_;
  const std::vector<std::string>& keys_;
  const std::vector<FoldClass>* classes_;
  const std::vector<std::vector<std::string>>* values_;
  Query out_;
};

// "(a|b)-.*": the prefix is what the group captures.
std::string PrefixPattern(const std::vector<std::string>& values) {
  return StrCat("(", Join(values, "|"), ")-.*");
}

// A keyed node where series of one of its selectors become a vector.
bool Rewriter::MakesVector(NodeId id) const {
  if (classes_ == nullptr || (*classes_)[id].kind != FoldKind::kKeyed) return false;
  auto selects = [this](NodeId node) { return query_.As<SelectorNode>(node) != nullptr; };
  if (selects(id)) return query_[id].type == ValueType::kVector;
  const auto* call = query_.As<CallNode>(id);
  return call != nullptr && std::any_of(call->args.begin(), call->args.end(), [&](NodeId arg) {
           const NodeId bare = SkipParens(query_, arg);
           return selects(bare) && query_[bare].type == ValueType::kMatrix;
         });
}

NodeId Rewriter::NamePrefixes(NodeId id, NodeId vector) {
  ForKeys(id, [&](size_t k, const std::string& key) {
    if (!IsPrefixKey(key)) return;
    const NodeId destination = AddText(key), replacement = AddText("$1");
    const NodeId source = AddText(std::string(LabelOf(key)));
    const NodeId pattern = AddText(PrefixPattern((*values_)[k]));
    CallNode replace{FindFunction("label_replace"),
                     {vector, destination, replacement, source, pattern}};
    vector = out_.Add(std::move(replace), ValueType::kVector);
  });
  return vector;
}

void Rewriter::Change(NodeId id, SelectorNode& n) {
  ForKeys(id, [&](size_t k, const std::string& key) {
    const std::vector<std::string>& values = (*values_)[k];
    for (Matcher& m : n.matchers) {
      if (m.name != LabelOf(key)) continue;
      if (IsPrefixKey(key)) {
        m.value = values.size() == 1 ? values.front() + "-.*" : PrefixPattern(values);
        continue;
      }
      m.value = values.front();
      if (values.size() == 1) continue;
      m.op = MatchOp::kRegex;
      m.value.clear();
      for (const std::string& value : values) {
        m.value += StrCat(&value == &values.front() ? "" : "|", QuoteRegex(value));
      }
    }
  });
}

void Rewriter::Change(NodeId id, AggregateNode& n) {
  ForKeys(id, [&n](size_t, const std::string& key) {
    if (n.without) {
      std::erase(n.labels, key);
    } else {
      AddMissing(n.labels, key);
    }
  });
}

void Rewriter::Change(NodeId id, BinaryNode& n) {
  // The children as they were: `n` already names the copies.
  const auto& original = std::get<BinaryNode>(query_[id].is);
  const FoldClass& l = (*classes_)[original.lhs];
  const FoldClass& r = (*classes_)[original.rhs];
  if (query_[original.lhs].type != ValueType::kVector ||
      query_[original.rhs].type != ValueType::kVector) {
    return;
  }
  if (l.kind == r.kind) {
    ForKeys(id, [&n](size_t, const std::string& key) {
      if (n.matching.on) {
        AddMissing(n.matching.labels, key);
      } else {
        std::erase(n.matching.labels, key);
      }
    });
  } else if (!IsSetOperator(n.op) && l.bare && r.bare) {
    bool keyed_left = l.kind == FoldKind::kKeyed;
    n.matching = {};
    n.matching.on = true;
    n.matching.grouping = keyed_left ? Grouping::kLeft : Grouping::kRight;
  }
}

}  // namespace

Query Rewrite(const Query& query, NodeId root, const std::vector<std::string>& keys,
              const std::vector<FoldClass>& classes,
              const std::vector<std::vector<std::string>>& values) {
  return Rewriter(query, keys, &classes, &values).Run(root);
}

Query Extract(const Query& query, NodeId root) {
  return Rewriter(query, {}, nullptr, nullptr).Run(root);
}

Query Substitute(Query query, const std::vector<std::string>& keys,
                 const std::vector<std::string>& values) {
  for (Node& node : query.nodes) {
    auto* selector = std::get_if<SelectorNode>(&node.is);
    if (selector == nullptr) continue;
    for (Matcher& m : selector->matchers) {
      const bool equal = m.op == MatchOp::kEqual && !m.value.empty(),
                 prefix = PrefixOf(m).has_value();
      for (size_t k = 0; k < keys.size(); ++k) {
        if (m.name != LabelOf(keys[k])) continue;
        if (IsPrefixKey(keys[k]) ? prefix : equal) m.value = values[k] + (equal ? "" : "-.*");
      }
    }
  }
  return query;
}

std::string BlankText(const Query& query, NodeId root, const std::vector<std::string>& keys) {
  // A control character: no two values print alike, and no value prints like it by chance unless
  // it is one, which then only keeps two queries apart or asks them together rightly.
  std::vector<std::string> blanks(keys.size(), "\x01");
  Query blank = Substitute(query, keys, blanks);
  return PrintCanonical(blank, root);
}

}  // namespace rollguard::promql::internal
