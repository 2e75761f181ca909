// SPDX-License-Identifier: Apache-2.0
// Files that rule authors and importers hand in: tests of rules, scenarios, lists of releases,
// results of analyses, Rollouts and Canaries of other controllers. Read, or every problem rendered.
#include <string_view>

#include "agent/analysis/play.h"
#include "agent/proof/import.h"
#include "agent/proof/past_release.h"
#include "agent/proof/prom_rules.h"
#include "agent/proof/rule_test_file.h"
#include "agent/proof/scenario.h"
#include "agent/proof/series_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rollguard;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Diagnostics problems;
  (void)proof::ParseRuleTestFile("f", text, problems);
  (void)proof::ParseScenario("f", text, problems);
  (void)proof::ParseReleases("f", text, problems);
  (void)proof::LoadSeriesFile("f", text, FromUnixMillis(1'767'225'600'000), problems);
  proof::TestedRules rules;
  proof::LoadRuleFile("f", text, rules, problems);
  for (const Json& document : proof::Import("f", text, problems).documents) (void)document.Dump();
  for (const auto& problem : problems.Sorted()) (void)Render(problem, text);
  (void)analysis::ParseScript(text);
  return 0;
}
