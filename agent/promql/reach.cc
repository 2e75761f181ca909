// SPDX-License-Identifier: Apache-2.0
// Walks from the root; a query is never higher than kMaxQueryHeight. What a subquery covers is
// shared between its own range and what is inside: half each, or less where the inside needs less.
#include "agent/promql/reach.h"

#include <algorithm>

namespace rollguard::promql {
namespace {

constexpr int64_t kLeast = 1000;

bool IsNow(const TimeShift& shift) { return shift.offset_ms == 0 && shift.at == AtKind::kNone; }

class Walk {
 public:
  Walk(const Query& query, const std::vector<NodeId>& selectors)
      : query_(query), selectors_(selectors) {}

  // -1: none of the selectors is below `id`, or only with a time of its own.
  int64_t Reach(NodeId id) const {
    if (const auto* selector = query_.As<SelectorNode>(id)) {
      const bool asked = std::find(selectors_.begin(), selectors_.end(), id) != selectors_.end();
      if (!asked || !IsNow(selector->shift)) return -1;
      return selector->is_range ? selector->range_ms : 0;
    }
    const auto* subquery = query_.As<SubqueryNode>(id);
    if (subquery != nullptr && !IsNow(subquery->shift)) return -1;
    int64_t reach = -1;
    for (NodeId child : Children(query_, id)) reach = std::max(reach, Reach(child));
    return subquery != nullptr && reach >= 0 ? reach + subquery->range_ms : reach;
  }

  void Limit(Query& out, NodeId id, int64_t limit) const {
    if (Reach(id) <= limit) return;
    limit = std::max(limit, kLeast);
    if (auto* selector = std::get_if<SelectorNode>(&out[id].is)) {
      selector->range_ms = std::min(selector->range_ms, limit);
      return;
    }
    if (auto* subquery = std::get_if<SubqueryNode>(&out[id].is)) {
      const int64_t inside = Reach(subquery->expr);
      subquery->range_ms = std::min(
          subquery->range_ms, std::max({kLeast, limit / 2 / kLeast * kLeast, limit - inside}));
      limit -= subquery->range_ms;
    }
    for (NodeId child : Children(query_, id)) Limit(out, child, limit);
  }

 private:
  const Query& query_;  // as it was before
  const std::vector<NodeId>& selectors_;
};

}  // namespace

std::vector<NodeId> SelectorsOf(const Query& query, std::span<const std::string_view> variables) {
  std::vector<NodeId> found;
  for (const Variable& v : query.variables) {
    const bool named = std::find(variables.begin(), variables.end(), v.name) != variables.end();
    if (named && v.place == VariablePlace::kMatcher) found.push_back(v.node);
  }
  return found;
}

int64_t ReachOf(const Query& query, const std::vector<NodeId>& selectors) {
  if (query.empty() || selectors.empty()) return 0;
  return std::max<int64_t>(0, Walk(query, selectors).Reach(query.root));
}

void LimitReach(Query& query, const std::vector<NodeId>& selectors, int64_t limit_ms) {
  if (query.empty() || selectors.empty()) return;
  const Query before = query;
  Walk(before, selectors).Limit(query, before.root, limit_ms);
}

}  // namespace rollguard::promql
