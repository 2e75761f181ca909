// SPDX-License-Identifier: Apache-2.0
// docs/security.md promises a test for each threat: each one that it names is there.
#include <map>

#include "agent/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::docs {
namespace {

std::string Read(const std::string& path) {
  return testing::ReadFile(StrCat(ROLLGUARD_SOURCE_DIR, "/", path));
}

// A source with string literals that stand next to each other made one.
std::string Joined(const std::string& source) {
  std::string out;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '"' && (i == 0 || source[i - 1] != '\\')) {
      size_t next = i + 1;
      while (next < source.size() && (source[next] == ' ' || source[next] == '\n')) ++next;
      if (next > i + 1 && next < source.size() && source[next] == '"' &&
          source.substr(i, next - i).find('\n') != std::string::npos) {
        i = next;
        continue;
      }
    }
    out += source[i];
  }
  return out;
}

struct Row {
  std::string number, threat, defence, file, name;
};

// | T1 | threat | defence | `tests/x_test.cc`: name |
std::vector<Row> Threats(const std::string& page) {
  std::vector<Row> rows;
  for (std::string_view line : Split(page, '\n')) {
    if (!line.starts_with("| T")) continue;
    std::vector<std::string> cells;
    for (std::string_view cell : Split(line, '|')) cells.emplace_back(Trim(cell));
    INFO(line);
    REQUIRE(cells.size() == 6);
    const std::string& test = cells[4];
    const size_t end = test.find("`: ");
    REQUIRE(end != std::string::npos);
    rows.push_back({cells[1], cells[2], cells[3], test.substr(1, end - 1), test.substr(end + 3)});
  }
  return rows;
}

TEST_CASE("every threat of docs/security.md has a defence and a test that exists") {
  const std::vector<Row> rows = Threats(Read("docs/security.md"));
  CHECK(rows.size() >= 50);
  std::map<std::string, std::string> sources;
  size_t number = 0;
  for (const Row& row : rows) {
    INFO(row.number << " " << row.file << ": " << row.name);
    CHECK(row.number == StrCat("T", ++number));
    CHECK_FALSE(row.threat.empty());
    CHECK_FALSE(row.defence.empty());
    if (!sources.contains(row.file)) sources[row.file] = Joined(Read(row.file));
    CHECK_FALSE(sources[row.file].empty());
    const size_t at = sources[row.file].find(StrCat("\"", row.name, "\""));
    REQUIRE(at != std::string::npos);
    // It is the name of a case, not some other text.
    const size_t before = sources[row.file].rfind("TEST_CASE", at);
    REQUIRE(before != std::string::npos);
    CHECK(sources[row.file].substr(before, at - before).find('{') == std::string::npos);
  }
}

TEST_CASE("a name that no test has is found") {
  const std::string source = "TEST_CASE(\"one\" \n    \" and two\") {}\n";
  CHECK(Joined(source).find("\"one and two\"") != std::string::npos);
  CHECK(Joined("f(\"a\", \"b\")") == "f(\"a\", \"b\")");
}

}  // namespace
}  // namespace rollguard::docs
