// SPDX-License-Identifier: Apache-2.0
// A plan in words, for people who want to know what their rules will cost a server.
#pragma once

#include <string>

#include "agent/base/json.h"
#include "agent/promql/fold.h"

namespace rollguard::promql {

// The requests with what they fold over, and how each query is put together from their parts.
std::string DescribePlan(const FoldPlan& plan);

// {"requests": [{"query", "keys", "members"}], "queries": [{"local", "parts": [[request, slot]]}]}
Json PlanToJson(const FoldPlan& plan);

}  // namespace rollguard::promql
