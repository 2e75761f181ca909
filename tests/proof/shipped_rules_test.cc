// SPDX-License-Identifier: Apache-2.0
// The unit tests of the shipped rules pass, here and, where promtool is installed, there too.
#include <algorithm>
#include <filesystem>

#include "agent/base/text.h"
#include "agent/proof/rule_test.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace fs = std::filesystem;

namespace rollguard::proof {

TEST_CASE("every shipped rule is seen firing and quiet", "[proof][shipped]") {
  RuleFiles files{
      [](const std::string& path) -> Expected<std::string> { return testing::ReadFile(path); },
      [](const std::string& path) {
        return fs::exists(path) ? std::vector{path} : std::vector<std::string>();
      }};
  size_t passed = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(ROLLGUARD_SOURCE_DIR) / "rules/tests")) {
    std::string path = entry.path().string();
    INFO(path);
    Diagnostics problems;
    std::vector<std::pair<std::string, std::string>> texts;
    RuleTestReport report = RunRuleTests(path, testing::ReadFile(path), files, {}, problems, texts);
    CHECK_FALSE(problems.has_errors());
    INFO(RenderText({report}));
    CHECK(report.failed == 0);
    CHECK(report.passed > 0);
    passed += report.passed;
    std::string promtool = testing::FindProgram("promtool");
    if (promtool.empty()) continue;
    testing::RunResult run = testing::Run({promtool, "test", "rules", path});
    INFO(run.out << run.err);
    CHECK(run.code == 0);
  }
  CHECK(passed >= 80);
}

}  // namespace rollguard::proof
