// SPDX-License-Identifier: Apache-2.0
// The dashboards in dashboards/ as the tests see them.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/base/json.h"
#include "agent/promql/ast.h"

namespace rollguard::dashboards {

struct Expression {
  std::string board;  // file name
  std::string where;  // "Weight A", "annotation Rollbacks", "variable guard"
  std::string text;   // as written, with Grafana's variables
};

struct Board {
  std::string file;
  Json json;
};

// fleet.json, release.json, rules.json, agent.json; fails the test when one cannot be read.
std::vector<Board> LoadBoards();

// Panels without the rows.
std::vector<const Json*> PanelsOf(const Board& board);

// What panels ask, and what annotations ask.
std::vector<Expression> PanelExpressions(const Board& board);
std::vector<Expression> AnnotationExpressions(const Board& board);

// Grafana's variables replaced: matchers match everything, $__rate_interval and the like become
// `window`.
std::string Filled(const std::string& expression, const std::string& window);

// The names of the metrics a parsed query reads.
std::set<std::string> MetricsOf(const promql::Query& query);

// What the agent's page can show: every metric of the catalog, histograms by their parts.
std::set<std::string> ExportedNames();

}  // namespace rollguard::dashboards
