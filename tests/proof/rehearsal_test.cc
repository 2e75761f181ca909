// SPDX-License-Identifier: Apache-2.0
// Scenarios played through the agent's own controller: the shipped rules, a canary, and what
// happens.
#include "agent/proof/rehearsal.h"

#include "agent/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::proof {
namespace {

std::string Source(const std::string& path) { return StrCat(ROLLGUARD_SOURCE_DIR, "/", path); }

struct Cast {
  spec::Library library;
  spec::Guard guard;
};

Cast LoadCast(const std::string& guard_file) {
  Cast cast;
  Diagnostics problems;
  for (const char* name : {"http-golden-signals", "latency", "compare-with-stable"}) {
    std::string file = Source(StrCat("rules/", name, ".yaml"));
    spec::LoadText(file, testing::ReadFile(file), cast.library, problems);
  }
  spec::LoadText(guard_file, testing::ReadFile(Source(guard_file)), cast.library, problems);
  REQUIRE_FALSE(problems.has_errors());
  auto guard = spec::Resolve(cast.library.guards.at(0), cast.library, problems);
  REQUIRE(guard.has_value());
  cast.guard = *guard;
  return cast;
}

Scenario LoadScenario(const std::string& name) {
  Diagnostics problems;
  std::string file = StrCat("tests/scenarios/", name, ".yaml");
  Scenario scenario = ParseScenario(file, testing::ReadFile(Source(file)), problems);
  REQUIRE_FALSE(problems.has_errors());
  return scenario;
}

}  // namespace

TEST_CASE("rehearsed releases end as the scenario expects, whatever the seed", "[proof]") {
  Cast cast = LoadCast("tests/scenarios/guard-canary.yaml");
  for (const char* name : {"good-version", "bad-version", "alert"}) {
    Scenario scenario = LoadScenario(name);
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      auto play = PlayScenario(cast.guard, cast.library, scenario, seed);
      REQUIRE(play.ok());
      INFO(name << " with seed " << seed << "\n" << TimelineText(*play));
      CHECK(play->outcome == *scenario.expect);
      CHECK(play->lost_requests < 0.001 * play->requests);
      CHECK_FALSE(play->decisions.empty());
    }
  }
}

TEST_CASE("one seed tells one story", "[proof]") {
  Cast cast = LoadCast("tests/scenarios/guard-canary.yaml");
  Scenario scenario = LoadScenario("bad-version");
  auto a = PlayScenario(cast.guard, cast.library, scenario, 7);
  auto b = PlayScenario(cast.guard, cast.library, scenario, 7);
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  CHECK(TimelineText(*a) == TimelineText(*b));
}

TEST_CASE("an alert takes the candidate back at its next look", "[proof]") {
  Cast cast = LoadCast("tests/scenarios/guard-canary.yaml");
  auto play = PlayScenario(cast.guard, cast.library, LoadScenario("alert"), 1);
  REQUIRE(play.ok());
  INFO(TimelineText(*play));
  Duration alert{0}, decided{0};
  for (const TimelineEntry& entry : play->timeline) {
    if (alert == Duration(0) && entry.text.find("OrdersDropped is firing") != std::string::npos)
      alert = entry.at;
    if (entry.kind == "decision" && entry.text.starts_with("rollback")) decided = entry.at;
  }
  CHECK(decided > Duration(0));
  CHECK(decided - alert < std::chrono::seconds(1));
}

TEST_CASE("mistakes in a scenario are shown where they are", "[proof]") {
  struct Row {
    const char* name;
    const char* text;
    const char* message;
  };
  const Row rows[] = {
      {"not a mapping", "- a", "a scenario is a mapping"},
      {"unknown key", "revisions: [{name: v1}]\nevent: []\n", "event"},
      {"unknown revision", "revisions: [{name: v1}]\nevents: [{at: 1m, release: v2}]\n",
       "unknown revision \"v2\""},
      {"no event", "revisions: [{name: v1}]\nevents: [{at: 1m}]\n", "an event"},
      {"wrong verb", "revisions: [{name: v1}]\nevents: [{at: 1m, command: {verb: promot}}]\n",
       "did you mean \"promote\""},
      {"bad behaviour", "revisions: [{name: v1, behaviour: {errorRato: 1}}]\n", "errorRato"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    Diagnostics problems;
    (void)ParseScenario("s.yaml", row.text, problems);
    REQUIRE(problems.has_errors());
    std::string all;
    for (const Diagnostic& d : problems.Sorted()) all += Render(d, row.text);
    INFO(all);
    CHECK(all.find(row.message) != std::string::npos);
  }
}

}  // namespace rollguard::proof
