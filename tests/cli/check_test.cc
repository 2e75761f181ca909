// SPDX-License-Identifier: Apache-2.0
// `rollguard check` from the outside: exit codes, silence, texts, JSON, folders.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "agent/base/json.h"
#include "agent/cli/command.h"
#include "tests/support/catch.h"

namespace fs = std::filesystem;
using namespace rollguard;

namespace {

struct Outcome {
  int code;
  std::string out;
};

Outcome Check(std::vector<std::string> args) {
  std::vector<std::string_view> views = {"check"};
  views.insert(views.end(), args.begin(), args.end());
  std::ostringstream captured;
  std::streambuf* before = std::cout.rdbuf(captured.rdbuf());
  int code = cli::Main(views);
  std::cout.rdbuf(before);
  return {code, captured.str()};
}

std::string Source(const std::string& path) {
  return std::string(ROLLGUARD_SOURCE_DIR) + "/" + path;
}

std::string ReadFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

TEST_CASE("check: what is shipped is silent and 0") {
  Outcome outcome = Check({Source("rules"), "--complete"});
  CHECK(outcome.code == cli::kOk);
  CHECK(outcome.out.empty());
}

TEST_CASE("check: a bad file prints its golden text and is 1") {
  Outcome outcome = Check({Source("tests/golden/rule-bad-duration.bad.yaml")});
  CHECK(outcome.code == cli::kFound);
  std::string want =
      Source("tests/golden/") + ReadFile(Source("tests/golden/rule-bad-duration.err"));
  CHECK(outcome.out == want);
}

TEST_CASE("check: JSON says the same") {
  Outcome outcome = Check({"--format", "json", Source("tests/golden/guard-unknown-keys.bad.yaml")});
  CHECK(outcome.code == cli::kFound);
  auto json = ParseJson(outcome.out);
  REQUIRE(json.ok());
  CHECK(json->At("errors").IntOr(0) == 2);
  CHECK(json->At("files").IntOr(0) == 1);
  const Json& first = json->At("problems").At(size_t{0});
  CHECK(first.At("line").IntOr(0) == 8);
  CHECK(first.At("column").IntOr(0) == 3);
  CHECK(first.At("severity").Str() == "error");
  CHECK(first.At("message").Str() == "unknown key \"rolback\" (did you mean \"rollback\"?)");
  Outcome good = Check({Source("rules/latency.yaml"), "--format=json"});
  CHECK(good.code == cli::kOk);
  CHECK(ParseJson(good.out)->At("problems").size() == 0);
}

TEST_CASE("check: a folder is read to its ends, charts and hidden files are not") {
  fs::path folder = fs::temp_directory_path() / "rollguard-check-test";
  fs::remove_all(folder);
  fs::create_directories(folder / "deep/er");
  fs::create_directories(folder / "chart/templates");
  fs::create_directories(folder / ".git");
  std::ofstream(folder / "deep/er/bad.yml") << "groups: 1\n";
  std::ofstream(folder / "deep/bad.json") << "{\"groups\": [{\"nam\": \"a\", \"rules\": []}]}\n";
  std::ofstream(folder / "chart/Chart.yaml") << "name: x\n";
  std::ofstream(folder / "chart/templates/a.yaml") << "{{ not yaml\n";
  std::ofstream(folder / ".git/a.yaml") << "groups: 1\n";
  std::ofstream(folder / "notes.txt") << "groups: 1\n";
  Outcome outcome = Check({folder.string()});
  CHECK(outcome.code == cli::kFound);
  CHECK(outcome.out.find("bad.yml:1:9: error: \"groups\" must be a list") != std::string::npos);
  CHECK(outcome.out.find("bad.json:1:14: error: unknown key \"nam\"") != std::string::npos);
  CHECK(outcome.out.find("chart") == std::string::npos);
  CHECK(outcome.out.find(".git") == std::string::npos);
  CHECK(outcome.out.find("notes") == std::string::npos);
  fs::remove_all(folder);
}

TEST_CASE("check: wrong usage and missing files") {
  CHECK(Check({}).code == cli::kUsage);
  CHECK(Check({"--fromat", "json", "x"}).code == cli::kUsage);
  CHECK(Check({"--format", "xml", "x"}).code == cli::kUsage);
  CHECK(Check({"--format"}).code == cli::kUsage);
  Outcome missing = Check({"no/such/file.yaml"});
  CHECK(missing.code == cli::kFound);
  CHECK(missing.out == "no/such/file.yaml: error: there is no such file\n");
}
