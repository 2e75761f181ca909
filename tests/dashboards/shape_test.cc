// SPDX-License-Identifier: Apache-2.0
// What Grafana will not tell: expressions that do not parse, metrics nobody exports, panels that
// cover each other or say nothing of themselves, links that lead nowhere.
#include <map>

#include "agent/base/text.h"
#include "agent/promql/parser.h"
#include "agent/release/state.h"
#include "tests/dashboards/boards.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::dashboards {
namespace {

constexpr int64_t kColumns = 24;

struct Box {
  int64_t x, y, w, h;
  bool Overlaps(const Box& o) const {
    return x < o.x + o.w && o.x < x + w && y < o.y + o.h && o.y < y + h;
  }
};

Box BoxOf(const Json& panel) {
  const Json& grid = panel.At("gridPos");
  return {grid.At("x").IntOr(-1), grid.At("y").IntOr(-1), grid.At("w").IntOr(-1),
          grid.At("h").IntOr(-1)};
}

TEST_CASE("every expression parses and asks only for what the agent exports") {
  const std::set<std::string> exported = ExportedNames();
  size_t seen = 0;
  for (const Board& board : LoadBoards()) {
    std::vector<Expression> all = PanelExpressions(board);
    for (Expression& annotation : AnnotationExpressions(board)) all.push_back(annotation);
    for (const Expression& expression : all) {
      INFO(expression.board << ": " << expression.where << ": " << expression.text);
      const std::string filled = Filled(expression.text, "5m");
      CHECK(filled.find('$') == std::string::npos);
      auto query = promql::ParseQuery(filled);
      REQUIRE(query);
      const std::set<std::string> metrics = MetricsOf(*query);
      CHECK_FALSE(metrics.empty());
      for (const std::string& metric : metrics)
        CHECK((exported.contains(metric) || metric.empty()));
      ++seen;
    }
  }
  CHECK(seen > 80);
}

// The words that a matcher asks for: "a|b" is two; what is no plain list of words is left out.
std::vector<std::string> WordsOf(const promql::Matcher& matcher) {
  std::vector<std::string> words;
  for (std::string_view word : Split(matcher.value, '|')) {
    if (word != ".*") words.emplace_back(word);
  }
  return words;
}

TEST_CASE("phases and actions that expressions ask for exist") {
  size_t seen = 0;
  for (const Board& board : LoadBoards()) {
    std::vector<Expression> all = PanelExpressions(board);
    for (Expression& annotation : AnnotationExpressions(board)) all.push_back(annotation);
    for (const Expression& expression : all) {
      auto query = promql::ParseQuery(Filled(expression.text, "5m"));
      REQUIRE(query);
      for (const promql::Node& node : query->nodes) {
        const auto* selector = std::get_if<promql::SelectorNode>(&node.is);
        if (selector == nullptr) continue;
        for (const promql::Matcher& matcher : selector->matchers) {
          for (const std::string& word : WordsOf(matcher)) {
            INFO(expression.board << ": " << expression.where << ": " << word);
            if (matcher.name == "phase") CHECK(release::PhaseFrom(word).has_value());
            if (matcher.name == "action") CHECK(release::VerdictFrom(word).has_value());
            seen += matcher.name == "phase" || matcher.name == "action" ? 1 : 0;
          }
        }
      }
    }
  }
  CHECK(seen > 20);
}

TEST_CASE("every metric of the catalog is shown somewhere") {
  std::set<std::string> missing;
  for (const std::string& name : ExportedNames()) {
    // One part of a histogram suffices; start times and counts are there for queries by hand.
    if (!name.ends_with("_sum") && !name.ends_with("_count")) missing.insert(name);
  }
  for (const Board& board : LoadBoards()) {
    for (const Expression& expression : PanelExpressions(board)) {
      auto query = promql::ParseQuery(Filled(expression.text, "5m"));
      REQUIRE(query);
      for (const std::string& metric : MetricsOf(*query)) missing.erase(metric);
    }
  }
  CHECK(missing == std::set<std::string>{"rollguard_config_last_reload_success_timestamp_seconds",
                                         "rollguard_release_duration_seconds_bucket",
                                         "rollguard_release_started_timestamp_seconds"});
}

TEST_CASE("ids are unique, panels lie on the grid and cover nothing") {
  for (const Board& board : LoadBoards()) {
    std::set<int64_t> ids;
    std::vector<std::pair<std::string, Box>> placed;
    for (const Json& panel : board.json.At("panels").items()) {
      const std::string title = panel.At("title").Str();
      INFO(board.file << ": " << title);
      CHECK(ids.insert(panel.At("id").IntOr(-1)).second);
      const Box box = BoxOf(panel);
      CHECK((box.x >= 0 && box.y >= 0 && box.w > 0 && box.h > 0 && box.x + box.w <= kColumns));
      for (const auto& [other, there] : placed) {
        INFO("covers " << other);
        CHECK_FALSE(box.Overlaps(there));
      }
      placed.emplace_back(title, box);
    }
    CHECK(placed.size() >= 10);
  }
}

TEST_CASE("every panel says what it shows, in what unit") {
  for (const Board& board : LoadBoards()) {
    std::set<std::string> titles;
    for (const Json* panel : PanelsOf(board)) {
      const std::string title = panel->At("title").Str();
      INFO(board.file << ": " << title);
      CHECK(title.size() >= 3);
      CHECK(titles.insert(title).second);
      CHECK(panel->At("description").Str().size() >= 15);
      const Json& defaults = panel->At("fieldConfig", "defaults");
      CHECK_FALSE(defaults.At("unit").Str().empty());
      CHECK(defaults.At("thresholds", "steps").size() >= 1);
      CHECK(panel->At("datasource", "uid").Str() == "${datasource}");
      CHECK(panel->At("targets").size() >= 1);
      std::set<std::string> references;
      for (const Json& target : panel->At("targets").items())
        CHECK(references.insert(target.At("refId").Str()).second);
    }
  }
}

// The variables a text uses: $name and ${name...}, Grafana's own ($__...) left out.
std::set<std::string> VariablesIn(const std::string& text) {
  std::set<std::string> names;
  for (size_t at = text.find('$'); at != std::string::npos; at = text.find('$', at + 1)) {
    size_t begin = at + 1 + (at + 1 < text.size() && text[at + 1] == '{' ? 1 : 0);
    size_t end = begin;
    while (end < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_')) {
      ++end;
    }
    std::string name = text.substr(begin, end - begin);
    if (!name.starts_with("__") && !name.empty()) names.insert(name);
  }
  return names;
}

TEST_CASE("variables are declared, links lead somewhere, annotations come from decisions") {
  std::set<std::string> uids;
  for (const Board& board : LoadBoards()) uids.insert(board.json.At("uid").Str());
  CHECK(uids.size() == 4);
  for (const Board& board : LoadBoards()) {
    INFO(board.file);
    CHECK(board.json.At("schemaVersion").IntOr(0) >= 39);
    CHECK_FALSE(board.json.At("description").Str().empty());
    std::set<std::string> declared;
    for (const Json& variable : board.json.At("templating", "list").items())
      declared.insert(variable.At("name").Str());
    CHECK(declared.contains("datasource"));
    CHECK(declared.contains("agent"));
    for (const std::string& used : VariablesIn(board.json.Dump())) {
      INFO(used);
      CHECK(declared.contains(used));
    }
    bool to_boards = false, to_page = false;
    for (const Json& link : board.json.At("links").items()) {
      if (link.At("type").Str() == "dashboards")
        to_boards = link.At("tags").At(0).Str() == "rollguard";
      if (link.At("url").Str().starts_with("${agent}/")) to_page = true;
    }
    CHECK((to_boards && to_page));
    const std::string text = board.json.Dump();
    for (size_t at = text.find("\"/d/"); at != std::string::npos; at = text.find("\"/d/", at + 1)) {
      const std::string uid = text.substr(at + 4, text.find('?', at) - at - 4);
      CHECK(uids.contains(uid));
    }
    if (board.file != "agent.json") CHECK(AnnotationExpressions(board).size() >= 3);
  }
}

TEST_CASE("the ConfigMaps of the sidecar hold the dashboards as they are") {
  auto built = testing::Run({"kubectl", "kustomize", StrCat(ROLLGUARD_SOURCE_DIR, "/dashboards")});
  INFO(built.err);
  REQUIRE(built.code == 0);
  size_t maps = 0;
  for (size_t at = built.out.find("kind: ConfigMap"); at != std::string::npos;
       at = built.out.find("kind: ConfigMap", at + 1)) {
    ++maps;
  }
  CHECK(maps == 4);
  for (const char* name : {"fleet", "release", "rules", "agent"})
    CHECK(built.out.find(StrCat("rollguard-", name, ".json: |")) != std::string::npos);
  CHECK(built.out.find("grafana_dashboard: \"1\"") != std::string::npos);
}

}  // namespace
}  // namespace rollguard::dashboards
