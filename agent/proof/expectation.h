// SPDX-License-Identifier: Apache-2.0
// What all kinds of expectations share: counting, comparing alerts, showing what was seen. Private
// to agent/proof.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "agent/promql/engine.h"
#include "agent/proof/rule_test.h"

namespace rollguard::proof {

// Adds an expectation to the report; a failed one with what is in `failure` (file, line and test
// are filled in here).
void CountExpectation(RuleTestReport& report, const RuleTestGroup& group, SourceSpan span,
                      std::string name, bool passed, RuleTestFailure failure);

// "0s", "6m30s".
std::string AtText(Duration at);

// A path beside the file that names it.
std::string BesideFile(std::string_view file, const std::string& path);

// Whether those alerts are the expected ones; fills in the failure's words.
bool CompareAlerts(const AlertTest& test, const std::vector<ExpectedAlert>& got,
                   RuleTestFailure& failure);

// What each selector of a question finds at a time, a line each, at most twelve of each.
void SeeSamples(const promql::Engine& engine, const promql::Query& query, Time at,
                std::vector<std::string>& saw);

// Lists are compared as sets: every wanted element takes one that is equal.
template <class T, class Same>
bool SameSet(const std::vector<T>& want, std::vector<T> got, Same same) {
  if (want.size() != got.size()) return false;
  for (const T& element : want) {
    auto it = std::find_if(got.begin(), got.end(), [&](const T& g) { return same(element, g); });
    if (it == got.end()) return false;
    got.erase(it);
  }
  return true;
}

}  // namespace rollguard::proof
