// SPDX-License-Identifier: Apache-2.0
// One measurement's verdict from its result and the metric's conditions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/analysis/answer.h"
#include "agent/base/time.h"
#include "agent/expr/expr.h"
#include "agent/spec/values.h"

namespace rollguard::analysis {

// Of a measurement, a metric or a run. Measurements are never kPending.
enum class Phase { kPending, kRunning, kSuccessful, kFailed, kInconclusive, kError };

const char* ToString(Phase phase);  // "Pending", "Running", ...
std::optional<Phase> ParsePhase(std::string_view text);
bool IsCompleted(Phase phase);

struct Verdict {
  Phase phase = Phase::kError;
  std::string message;  // why it is an Error, or how noData decided
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

struct Conditions {
  expr::Program success;  // empty: not given
  expr::Program failure;
  std::optional<spec::NoData> no_data;  // hold: Inconclusive, pass: Successful, fail: Failed
};

Verdict Judge(const Answer& answer, const Conditions& conditions, Time now);

}  // namespace rollguard::analysis
