// SPDX-License-Identifier: Apache-2.0
// docs/security.md promises a test for each threat and each limit: each one that it names is there.
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

// The cells of the rows of a table that begins with `first`, without the head of the table.
std::vector<std::vector<std::string>> RowsOf(const std::string& page, std::string_view first) {
  std::vector<std::vector<std::string>> rows;
  const size_t at = page.find(first);
  REQUIRE(at != std::string::npos);
  const std::string table = page.substr(at, page.find("\n\n", at) - at);
  for (std::string_view line : Split(table, '\n')) {
    if (!line.starts_with("| ") || line.starts_with(first) || line.starts_with("| ---")) continue;
    std::vector<std::string> cells;
    for (std::string_view cell : Split(line, '|')) cells.emplace_back(Trim(cell));
    INFO(line);
    REQUIRE(cells.size() == 6);  // with the two outside the table
    rows.push_back({cells.begin() + 1, cells.end() - 1});
  }
  return rows;
}

// `tests/x_test.cc`: the name of one of its cases.
class Cases {
 public:
  void Check(const std::string& cell) {
    const size_t end = cell.find("`: ");
    REQUIRE(end != std::string::npos);
    const std::string file = cell.substr(1, end - 1), name = cell.substr(end + 3);
    if (!sources_.contains(file)) sources_[file] = Joined(Read(file));
    const std::string& source = sources_[file];
    CHECK_FALSE(source.empty());
    const size_t at = source.find(StrCat("\"", name, "\""));
    REQUIRE(at != std::string::npos);
    // It is the name of a case, not some other text.
    const size_t before = source.rfind("TEST_CASE", at);
    REQUIRE(before != std::string::npos);
    CHECK(source.substr(before, at - before).find('{') == std::string::npos);
  }

 private:
  std::map<std::string, std::string> sources_;
};

TEST_CASE("every threat of docs/security.md has a defence and a test that exists") {
  const auto rows = RowsOf(Read("docs/security.md"), "| | threat | defence | test |");
  CHECK(rows.size() >= 50);
  Cases cases;
  size_t number = 0;
  for (const std::vector<std::string>& row : rows) {
    INFO(row[0] << " " << row[3]);
    CHECK(row[0] == StrCat("T", ++number));
    CHECK_FALSE(row[1].empty());
    CHECK_FALSE(row[2].empty());
    cases.Check(row[3]);
  }
}

TEST_CASE("every limit of docs/security.md has a test that exists") {
  const auto rows = RowsOf(Read("docs/security.md"), "| what | limit | set by | test |");
  CHECK(rows.size() >= 19);
  Cases cases;
  for (const std::vector<std::string>& row : rows) {
    INFO(row[0] << " " << row[3]);
    CHECK_FALSE(row[1].empty());
    cases.Check(row[3]);
  }
}

TEST_CASE("a name that no test has is found") {
  const std::string source = "TEST_CASE(\"one\" \n    \" and two\") {}\n";
  CHECK(Joined(source).find("\"one and two\"") != std::string::npos);
  CHECK(Joined("f(\"a\", \"b\")") == "f(\"a\", \"b\")");
}

}  // namespace
}  // namespace rollguard::docs
