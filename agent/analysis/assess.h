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

// What stands for a secret argument until a request is made: its name between control characters,
// which nobody writes into a template by chance.
std::string SecretMark(std::string_view name);
// Puts the values in where marks stand, in one pass: a value is not looked through again.
std::string FillSecrets(std::string_view text, const SecretValues& secrets);

}  // namespace rollguard::analysis
