// SPDX-License-Identifier: Apache-2.0
// The house rules, held against every source of the project. Each rule is first tried on a source
// that breaks it, so that a rule that finds nothing cannot pass for a house in order.
#include <fstream>
#include <iterator>

#include "agent/base/text.h"
#include "tests/layering/source_scan.h"
#include "tests/support/catch.h"

namespace rollguard::layering {
namespace {

const std::string kRoot = ROLLGUARD_SOURCE_DIR;

House TheHouse() {
  std::ifstream stream(kRoot + "/docs/design/house.md");
  return ParseHouse(std::string((std::istreambuf_iterator<char>(stream)), {}));
}

SourceFile Made(std::string path, const std::string& body) {
  return {std::move(path), "// SPDX-License-Identifier: Apache-2.0\n" + body};
}

// All breaches as one text, empty when there are none: a failure then shows every one of them.
template <class Check>
std::string AllBreaches(const std::vector<std::string>& folders, Check check) {
  std::string text;
  for (const SourceFile& file : ReadSources(kRoot, folders)) {
    for (const std::string& breach : check(file)) text += breach + "\n";
  }
  return text;
}

TEST_CASE("the house document is read: arrows, what is behind them, libraries, clock readers") {
  const House house = TheHouse();
  CHECK(house.arrows.at("base") == std::set<std::string>{"base"});
  CHECK(house.arrows.at("spec").contains("promql"));
  CHECK(house.arrows.at("analysis").contains("base"));
  CHECK_FALSE(house.arrows.at("spec").contains("analysis"));
  CHECK(house.arrows.at("kube").contains("ports"));
  CHECK_FALSE(house.arrows.at("kube").contains("net"));
  CHECK(house.arrows.at("app").contains("telemetry"));
  CHECK(house.arrows.at("cli").contains("app"));
  CHECK(house.arrows.size() >= 20);
  CHECK(house.libraries.at("httplib.h") == std::set<std::string>{"cli", "http"});
  CHECK(house.clock_readers.at(0) == "agent/cli/system_clock.cc");
}

TEST_CASE("each rule finds what breaks it") {
  const House house = TheHouse();
  struct Row {
    const char* name;
    std::vector<std::string> found;
    const char* want;
  };
  const std::vector<Row> rows = {
      {"arrow against the grain",
       CheckArrows(house, Made("agent/spec/a.cc", "#include \"agent/app/loop.h\"\n")),
       "agent/spec/a.cc:2: no arrow from spec to app"},
      {"edge to edge", CheckArrows(house, Made("agent/kube/a.h", "#include \"agent/net/x.h\"\n")),
       "agent/kube/a.h:2: no arrow from kube to net"},
      {"unknown folder", CheckArrows(house, Made("agent/misc/a.cc", "")),
       "agent/misc/a.cc:1: folder agent/misc is not in docs/design/house.md"},
      {"library in a header",
       CheckLibraries(house, Made("agent/yaml/a.h", "#include <yaml-cpp/yaml.h>\n")),
       "agent/yaml/a.h:2: <yaml-cpp/yaml.h> in a header; .cc files only"},
      {"library elsewhere",
       CheckLibraries(house, Made("agent/spec/a.cc", "#include <yaml-cpp/yaml.h>\n")),
       "agent/spec/a.cc:2: <yaml-cpp/yaml.h> does not belong into agent/spec; see "
       "docs/design/house.md"},
      {"slow header", CheckLibraries(house, Made("agent/net/a.cc", "#include <regex>\n")),
       "agent/net/a.cc:2: <regex> is not used here"},
      {"lock in the core", CheckPurity(house, Made("agent/release/a.cc", "#include <mutex>\n")),
       "agent/release/a.cc:2: <mutex> in the pure core"},
      {"clock read",
       CheckPurity(house, Made("agent/kube/a.cc", "auto t = std::chrono::steady_clock::now();\n")),
       "agent/kube/a.cc:2: ::now( may not stand here"},
      {"too long", CheckShape(Made("agent/kube/a.cc", std::string(600, '\n'))),
       "agent/kube/a.cc:601: more than 600 lines; split it"},
      {"no pragma", CheckShape(Made("agent/kube/a.h", "")),
       "agent/kube/a.h:1: a header needs #pragma once"},
      {"hidden tag",
       CheckNoDisabledTest(Made("tests/x_test.cc",
                                "TEST_CASE(\"slow\", \"["
                                ".slow]\") {}\n")),
       "tests/x_test.cc:2: a disabled test; repair it or remove it"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    REQUIRE(row.found.size() == 1);
    CHECK(row.found[0] == row.want);
  }
}

TEST_CASE("rules let pass what is right") {
  const House house = TheHouse();
  CHECK(CheckPurity(house, Made("agent/cli/main.cc", "auto t = Clock::now();\n")).empty());
  CHECK(CheckPurity(house, Made("agent/kube/a.cc", "// never call ::now( here\n")).empty());
  CHECK(CheckArrows(house, Made("agent/cli/a.cc", "#include \"agent/base/json.h\"\n")).empty());
  CHECK(CheckShape(Made("tests/promql/row_table.cc", std::string(700, '\n'))).empty());
  CHECK(CheckLibraries(house, Made("agent/net/a.cc", "#include <curl/curl.h>\n")).empty());
}

TEST_CASE("every include of agent/ follows an arrow") {
  const House house = TheHouse();
  CHECK(AllBreaches({"agent"}, [&](const SourceFile& f) { return CheckArrows(house, f); }) == "");
}

TEST_CASE("third-party headers stay in their folders and out of headers") {
  const House house = TheHouse();
  CHECK(AllBreaches({"agent"}, [&](const SourceFile& f) { return CheckLibraries(house, f); }) ==
        "");
}

TEST_CASE("the core is pure, and clocks are read in few places") {
  const House house = TheHouse();
  CHECK(AllBreaches({"agent"}, [&](const SourceFile& f) { return CheckPurity(house, f); }) == "");
}

TEST_CASE("files have their licence line, their guard and a readable size") {
  CHECK(AllBreaches({"agent", "tests"}, CheckShape) == "");
}

TEST_CASE("no test is disabled") { CHECK(AllBreaches({"tests"}, CheckNoDisabledTest) == ""); }

}  // namespace
}  // namespace rollguard::layering
