// SPDX-License-Identifier: Apache-2.0
#include "agent/analysis/verdict.h"

#include <array>
#include <utility>

#include "agent/base/text.h"

namespace rollguard::analysis {
namespace {

constexpr std::array kPhases = {Phase::kPending, Phase::kRunning,      Phase::kSuccessful,
                                Phase::kFailed,  Phase::kInconclusive, Phase::kError};

Verdict FromNoData(spec::NoData policy, const Answer& answer) {
  std::string message =
      StrCat("no data (", answer.shown.empty() ? "nothing" : answer.shown, "): ", ToString(policy));
  switch (policy) {
    case spec::NoData::kHold: return {Phase::kInconclusive, message};
    case spec::NoData::kPass: return {Phase::kSuccessful, message};
    case spec::NoData::kFail: return {Phase::kFailed, message};
  }
  return {};
}

}  // namespace

const char* ToString(Phase phase) {
  switch (phase) {
    case Phase::kPending: return "Pending";
    case Phase::kRunning: return "Running";
    case Phase::kSuccessful: return "Successful";
    case Phase::kFailed: return "Failed";
    case Phase::kInconclusive: return "Inconclusive";
    case Phase::kError: return "Error";
  }
  return "";
}

std::optional<Phase> ParsePhase(std::string_view text) {
  for (Phase phase : kPhases) {
    if (text == ToString(phase)) return phase;
  }
  return std::nullopt;
}

bool IsCompleted(Phase phase) { return phase != Phase::kPending && phase != Phase::kRunning; }

Verdict Judge(const Answer& answer, const Conditions& conditions, Time now) {
  if (conditions.no_data && IsNoData(answer.value)) return FromNoData(*conditions.no_data, answer);
  expr::Environment env{answer.value, answer.series, now, answer.untyped};
  bool success = false;
  bool failure = false;
  if (!conditions.success.empty()) {
    auto held = EvaluateCondition(conditions.success, env);
    if (!held) return {Phase::kError, held.error().message};
    success = *held;
  }
  if (!conditions.failure.empty()) {
    auto held = EvaluateCondition(conditions.failure, env);
    if (!held) return {Phase::kError, held.error().message};
    failure = *held;
  }
  if (conditions.failure.empty()) {
    failure = !conditions.success.empty() && !success;
    success = !failure;
  } else if (conditions.success.empty()) {
    success = !failure;
  }
  if (failure) return {Phase::kFailed, ""};
  return {success ? Phase::kSuccessful : Phase::kInconclusive, ""};
}

}  // namespace rollguard::analysis
