// SPDX-License-Identifier: Apache-2.0
// A guard as the agent shows it (the JSON of GET /api/v1/guards/...), as text for people.
#pragma once

#include <string>

#include "agent/base/json.h"
#include "agent/base/time.h"

namespace rollguard::cli {

struct TextStyle {
  size_t width = 100;
  bool colours = false;
  Time now{};
};

// The whole of it: where it stands, steps, bars, evidence, the last decisions, what can be asked.
std::string StatusText(const Json& guard, const TextStyle& style);
// One line for logs and pipes: state, step, weight, score and, unless it is `said` already, reason.
std::string ProgressLine(const Json& row, Time now, const std::string& said = {});
// "3m" since that RFC 3339 time; "" when it is none.
std::string AgeOf(const Json& time, Time now);
// "0.98", or "-" when there is none.
std::string NumberOr(const Json& value, std::string_view none = "-");

}  // namespace rollguard::cli
