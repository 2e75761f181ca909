// SPDX-License-Identifier: Apache-2.0
// A guard in the words and shapes that people are shown. Pure.
#pragma once

#include <optional>
#include <string>

#include "agent/base/json.h"
#include "agent/ports/history.h"
#include "agent/release/decision.h"
#include "agent/release/state.h"
#include "agent/spec/guard.h"

namespace rollguard::api {

// What is shown of a guard is made of these; borrowed for the call.
struct Shown {
  const spec::Guard& guard;
  const release::GuardState& state;
  const std::string& problem;
  Time now;
};

// "releasing", "waiting", ...: the word of GuardRow.state.
std::string StateWord(const Shown& shown);
// When the release has all traffic and has baked; nothing when it waits for a person or a verdict.
std::optional<Time> EstimateCompletion(const Shown& shown);
// The first reason why it is as it is, in one sentence.
std::string ReasonOf(const Shown& shown);

Json RowJson(const Shown& shown);       // GuardRow
Json StepsJson(const Shown& shown);     // [Step]
Json ActionsJson(const Shown& shown);   // [Action]
Json ApprovalJson(const Shown& shown);  // PendingApproval, or null
Json ConditionsJson(const release::GuardState& state);
Json QuarantineJson(const release::GuardState& state);
Json StableHistoryJson(const release::GuardState& state);
Json TriggerJson(const release::GuardState& state);  // Trigger, or null
Json WayBackJson(const release::GuardState& state);  // [string]
// What a person is asked to approve now, if anything.
std::optional<spec::Approval> PendingApproval(const spec::Guard& guard,
                                              const release::GuardState& state);

// "14:02:11 rolled back: HighErrorRate ..., confidence 0.86; 2 changes".
std::string Words(const release::Decision& decision);
Json DecisionJson(const release::Decision& decision);
Json ReleaseJson(const ReleaseRow& row);

}  // namespace rollguard::api
