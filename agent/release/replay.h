// SPDX-License-Identifier: Apache-2.0
// One Step as a document: guard, state and observation as they were given, and the answer. Running
// Step on the first three again must give the fourth; where it does not, a decision was forged or
// the engine has changed.
#pragma once

#include <string>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/json.h"
#include "agent/release/step.h"

namespace rollguard::release {

inline constexpr int64_t kRecordVersion = 1;

// {version, guard, state, observation, answer}. `guard_object` is the Guard as the API has it with
// its spec resolved. Contents of ConfigMaps and Secrets are replaced by tokens throughout.
Json RecordStep(const Json& guard_object, const GuardState& before, const Observation& observation,
                const StepResult& result);

// One value that came out differently. Texts are JSON; "" for absent.
struct ReplayDifference {
  std::string path;  // "/actions/0/patch/1/value"
  std::string recorded;
  std::string replayed;
};

struct Replayed {
  StepResult result;
  std::vector<ReplayDifference> differences;  // at most 50; empty: the same answer
  std::vector<std::string> actions;           // what was asked for, one line each

  bool Same() const { return differences.empty(); }
};

// The error says what of the record cannot be read.
Expected<Replayed> Replay(const Json& record);

// An answer as it is kept and compared: state (as a merge patch of the one before), actions with
// everything in them, reasons, answers to commands, when to look again.
class ContentMask;
Json AnswerJson(const GuardState& before, const StepResult& result, const ContentMask& mask);

}  // namespace rollguard::release
