// SPDX-License-Identifier: Apache-2.0
// A run played in virtual time against results that are already there.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/analysis/run.h"

namespace rollguard::analysis {

// Per metric the results in order: a value, or the error in its place.
using Script = std::map<std::string, std::vector<Expected<Json>>, std::less<>>;

// JSON lines {"metric": "m", "result": ...} or {"metric": "m", "error": "..."}. The error names the
// line.
Expected<Script> ParseScript(std::string_view text);

// Called after every measurement.
using Watcher = std::function<void(const MetricState&, const Measurement&)>;

// From the run's start until it is completed or no due metric has a result left; metrics that have
// none left are asked no more. A Job's result is true or false.
void Play(Run& run, const Script& script, const SecretValues& secrets, const Watcher& watch);

// {"run": {...}, "metrics": [...]} as `rollguard analysis run -o json` prints it; "at" is seconds
// since the run's start.
Json Report(const Run& run);

}  // namespace rollguard::analysis
