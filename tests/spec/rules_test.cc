// SPDX-License-Identifier: Apache-2.0
// Every shipped rule has a unit test that shows it firing and one that shows it quiet, and those
// tests are about the rule's very own expression: a changed rule cannot leave its test behind.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "agent/base/text.h"
#include "agent/spec/load.h"
#include "tests/support/catch.h"

namespace fs = std::filesystem;
using namespace rollguard;

namespace {

std::string ReadFile(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Blanks do not count.
std::string Squeeze(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c != ' ' && c != '\n') out += c;
  }
  return out;
}

// The variables as the shipped tests have them.
std::string Bind(std::string text, const std::string& pods, const std::string& window) {
  const std::pair<std::string, std::string> values[] = {
      {"$namespace", "shop"},
      {"$service", "checkout"},
      {"$candidate_pods", "checkout-candidate-.*"},
      {"$stable_pods", "checkout-stable-.*"},
      {"$candidate_cluster", ".*candidate.*"},
      {"$pods", pods},
      {"$window", window}};
  for (const auto& [name, value] : values) text = ReplaceAll(text, name, value);
  return Squeeze(text);
}

// What must stand in the tests of a rule.
std::vector<std::string> Expressions(const spec::Rule& rule) {
  constexpr const char* kTracks[] = {"checkout-candidate-.*", "checkout-stable-.*"};
  if (const auto* query = std::get_if<spec::Query>(&rule.what)) return {Bind(query->text, "", "")};
  const auto& compare = std::get<spec::Compare>(rule.what);
  std::string window = FormatPromDuration(compare.window);
  std::vector<std::string> out;
  for (const char* pods : kTracks) {
    if (const auto* p = std::get_if<spec::CompareProportion>(&compare.what)) {
      out.push_back(Bind(p->bad.text, pods, window));
      out.push_back(Bind(p->total.text, pods, window));
    } else if (const auto* h = std::get_if<spec::CompareHistogram>(&compare.what)) {
      out.push_back(Bind(h->buckets.text, pods, window));
    } else if (const auto* m = std::get_if<spec::CompareMean>(&compare.what)) {
      out.push_back(Bind(m->query.text, pods, window));
    }
  }
  return out;
}

struct Shown {
  std::string expressions;
  size_t samples = 0;
};

// Tests of a file by name: all their expressions, and how many samples they expect.
std::map<std::string, Shown> TestsOf(const fs::path& path) {
  std::map<std::string, Shown> out;
  Diagnostics diagnostics;
  auto roots = yaml::Parse(path.string(), ReadFile(path), diagnostics);
  REQUIRE(diagnostics.empty());
  REQUIRE(roots.size() == 1);
  for (const yaml::Node& test : roots[0].Find("tests")->items) {
    Shown& shown = out[test.Find("name")->text];
    for (const yaml::Node& question : test.Find("promql_expr_test")->items) {
      shown.expressions += Squeeze(question.Find("expr")->text);
      shown.samples += question.Find("exp_samples")->items.size();
    }
  }
  return out;
}

}  // namespace

TEST_CASE("rules: each is shown firing and quiet by its own expression") {
  fs::path folder = fs::path(ROLLGUARD_SOURCE_DIR) / "rules";
  size_t rules = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    Diagnostics diagnostics;
    spec::Library library;
    spec::LoadText(entry.path().string(), ReadFile(entry.path()), library, diagnostics);
    REQUIRE(diagnostics.empty());
    auto tests = TestsOf(folder / "tests" / (entry.path().stem().string() + ".test.yaml"));
    for (const spec::RuleGroup& group : library.groups) {
      for (const spec::Rule& rule : group.rules) {
        INFO(group.name << " / " << rule.name);
        ++rules;
        for (const char* how : {" fires", " is quiet"}) {
          INFO(how);
          auto found = tests.find(rule.name + how);
          REQUIRE(found != tests.end());
          for (const std::string& expression : Expressions(rule))
            CHECK(found->second.expressions.find(expression) != std::string::npos);
          CHECK((found->second.samples > 0) == (std::string_view(how) == " fires"));
        }
        CHECK(!rule.annotations.empty());
      }
    }
  }
  CHECK(rules >= 40);
}
