// SPDX-License-Identifier: Apache-2.0
// Runs unit tests of rules in virtual time: loads the series, evaluates the rules step by step,
// asks the questions and compares.
//
// Differences from promtool, on purpose: all samples are loaded before anything is asked; NaN
// equals NaN; numbers compare within 1e-6 relative unless `exact`.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/base/json.h"
#include "agent/promql/storage.h"
#include "agent/proof/rule_test_file.h"

namespace rollguard::proof {

struct RuleTestFailure {
  std::string file;
  uint32_t line = 0;
  std::string test;
  std::string expr;  // the question, or the alert's name
  std::string at;    // "5m"
  std::string want;
  std::string got;
  std::vector<std::string> saw;  // samples the question looked at, a line each
};

// One expectation, as JUnit counts.
struct RuleTestCase {
  std::string test;
  std::string name;
  bool passed = true;
  size_t failure = 0;  // index into failures when not
};

struct RuleTestReport {
  size_t passed = 0;
  size_t failed = 0;
  std::vector<RuleTestFailure> failures;
  std::vector<RuleTestCase> cases;
  std::string file;
};

// Reads what a test file refers to. `Match` gives the files of a pattern.
struct RuleFiles {
  std::function<Expected<std::string>(const std::string& path)> read;
  std::function<std::vector<std::string>(const std::string& pattern)> match;
};

struct RuleTestOptions {
  bool promql_version3 = false;
  std::string only;  // run only tests whose name contains this
};

// One file. Problems of the test file and of its rule files go to `diagnostics`; nothing is run
// when there are errors. `texts` receives every text read, by name, so that problems can be shown.
RuleTestReport RunRuleTests(std::string_view file, std::string_view text, const RuleFiles& files,
                            const RuleTestOptions& options, Diagnostics& diagnostics,
                            std::vector<std::pair<std::string, std::string>>& texts);

// "file:14: test "name": expr at 5m: want ..., got ...", the samples below it, a summary last.
std::string RenderText(const std::vector<RuleTestReport>& reports);
// {"passed", "failed", "failures": [{"file", "line", "test", "expr", "at", "want", "got"}]}
Json ToJson(const std::vector<RuleTestReport>& reports);
std::string RenderJunit(const std::vector<RuleTestReport>& reports);

}  // namespace rollguard::proof
