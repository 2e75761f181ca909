// SPDX-License-Identifier: Apache-2.0
// The arithmetic of phases. Private to agent/analysis.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/analysis/run.h"

namespace rollguard::analysis {

// Nothing measured yet.
RunState FreshState(const RunSpec& spec, Time now);

// Brings phases and messages of all metrics and of the run up to date.
void Assess(Run& run, Time now);

// fieldRef: a path into the guard; nothing when it leads to no scalar.
std::optional<std::string> FieldOf(const Json& guard, std::string_view path);

// Puts secret values in where {{args.NAME}} still stands.
std::string FillSecrets(std::string_view text, const SecretValues& secrets);

}  // namespace rollguard::analysis
