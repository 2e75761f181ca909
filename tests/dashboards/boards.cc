// SPDX-License-Identifier: Apache-2.0
#include "tests/dashboards/boards.h"

#include "agent/base/text.h"
#include "agent/telemetry/catalog.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::dashboards {

std::vector<Board> LoadBoards() {
  std::vector<Board> boards;
  for (const char* file : {"fleet.json", "release.json", "rules.json", "agent.json"}) {
    INFO(file);
    auto json = ParseJson(testing::ReadFile(StrCat(ROLLGUARD_SOURCE_DIR, "/dashboards/", file)));
    REQUIRE(json);
    boards.push_back({file, std::move(*json)});
  }
  return boards;
}

std::vector<const Json*> PanelsOf(const Board& board) {
  std::vector<const Json*> panels;
  for (const Json& panel : board.json.At("panels").items()) {
    if (panel.At("type").Str() != "row") panels.push_back(&panel);
  }
  return panels;
}

std::vector<Expression> PanelExpressions(const Board& board) {
  std::vector<Expression> out;
  for (const Json* panel : PanelsOf(board)) {
    for (const Json& target : panel->At("targets").items()) {
      out.push_back({board.file, StrCat(panel->At("title").Str(), " ", target.At("refId").Str()),
                     target.At("expr").Str()});
    }
  }
  return out;
}

std::vector<Expression> AnnotationExpressions(const Board& board) {
  std::vector<Expression> out;
  for (const Json& annotation : board.json.At("annotations", "list").items()) {
    if (const Json* expr = annotation.Find("expr"))
      out.push_back({board.file, StrCat("annotation ", annotation.At("name").Str()), expr->Str()});
  }
  return out;
}

std::string Filled(const std::string& expression, const std::string& window) {
  std::string out = expression;
  for (const char* interval : {"$__rate_interval", "$__range", "$__interval"})
    out = ReplaceAll(out, interval, window);
  for (const char* name : {"namespace", "guard", "instance"}) {
    out = ReplaceAll(out, StrCat(name, "=\"$", name, "\""), StrCat(name, "=~\".*\""));
    out = ReplaceAll(out, StrCat("$", name), ".*");
  }
  return out;
}

std::set<std::string> MetricsOf(const promql::Query& query) {
  std::set<std::string> names;
  for (const promql::Node& node : query.nodes) {
    if (const auto* selector = std::get_if<promql::SelectorNode>(&node.is))
      names.insert(selector->metric);
  }
  return names;
}

std::set<std::string> ExportedNames() {
  std::set<std::string> names;
  for (const telemetry::MetricInfo& info : telemetry::Catalog()) {
    if (info.kind != telemetry::Kind::kHistogram) {
      names.insert(std::string(info.name));
      continue;
    }
    for (const char* part : {"_bucket", "_sum", "_count"}) names.insert(StrCat(info.name, part));
  }
  return names;
}

}  // namespace rollguard::dashboards
