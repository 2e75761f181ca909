// SPDX-License-Identifier: Apache-2.0
// Rules with `for`, `keep_firing_for` and `noData`: a state machine per rule, stepped with each
// answer to its query.
//
// A rule's query is planned first: where it compares with a number at its top (`ratio > 0.01`), the
// left side is what is asked, so that the value and the threshold can be shown and "nothing comes
// back" (no data) is told apart from "not above the threshold".
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/analysis/answer.h"
#include "agent/base/json.h"
#include "agent/base/time.h"
#include "agent/spec/rules.h"

namespace rollguard::analysis {

struct Threshold {
  enum class Op { kAbove, kAtLeast, kBelow, kAtMost, kEqual, kNotEqual };
  Op op = Op::kAbove;
  double value = 0;
};
const char* ToString(Threshold::Op op);  // ">", ">=", ...
bool Breaches(const Threshold& threshold, double value);

struct RulePlan {
  std::string ask;                     // the query to send (variables already bound)
  std::optional<Threshold> threshold;  // absent: any sample (or a scalar other than 0) is bad
};
// Never fails: a query that cannot be split is asked whole.
RulePlan PlanRule(std::string_view query);

enum class RulePhase { kInactive, kPending, kFiring, kNoData, kError };
const char* ToString(RulePhase phase);

struct RuleState {
  RulePhase phase = RulePhase::kInactive;
  Time since{};                      // when `phase` began
  std::optional<Time> active_since;  // the condition has held since: what `for` counts
  std::optional<Time> last_bad;      // what `keep_firing_for` counts
  Time evaluated{};
  double value = std::numeric_limits<double>::quiet_NaN();  // the worst sample; NaN without any
  spec::StringMap labels;                                   // of the worst sample
  std::string message;  // of kError: the error's text; of kNoData: what is missing
  int64_t consecutive_errors = 0;
  bool ever_evaluated = false;
};

// The rule's state after an answer. An error keeps a firing rule firing and a pending one waiting
// (its clock is not reset, nor does it count on): phase kError only when it was neither.
// `fallback`: the guard's noData, where the rule has none. hold: phase kNoData, a firing rule fires
// on; pass: as if not bad; fail: as if bad.
RuleState StepRule(const spec::Rule& rule, const RulePlan& plan, spec::NoData fallback,
                   const RuleState& before, const Expected<Answer>& answer, Time now);

// The rule's annotations with $labels and $value filled in. A template that fails to render is
// shown as written, with the reason behind it.
spec::StringMap RenderAnnotations(const spec::Rule& rule, const RuleState& state);

// What a rule says, in one line: "HighErrorRate: 0.034 > 0.01 for 5m".
std::string Describe(const spec::Rule& rule, const RulePlan& plan, const RuleState& state);

Json ToJson(const RuleState& state);
RuleState RuleStateFromJson(const Json& json);

}  // namespace rollguard::analysis
