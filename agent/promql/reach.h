// SPDX-License-Identifier: Apache-2.0
// How far back a query looks at certain series, and the same query that looks no further than it
// may: where the name of a series was another's before, older samples are not its own.
//
// What is asked of the past on purpose (`offset`, `@`) is left as it is written.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "agent/promql/ast.h"

namespace rollguard::promql {

// The selectors of a template whose matchers use one of these variables. Binding keeps their ids.
std::vector<NodeId> SelectorsOf(const Query& query, std::span<const std::string_view> variables);

// The longest range over one of `selectors`, with those of subqueries around it; 0: none has one.
int64_t ReachOf(const Query& query, const std::vector<NodeId>& selectors);

// Shortens those ranges where they reach further than `limit_ms`, which is at least a second.
void LimitReach(Query& query, const std::vector<NodeId>& selectors, int64_t limit_ms);

}  // namespace rollguard::promql
