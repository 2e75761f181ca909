// SPDX-License-Identifier: Apache-2.0
// What `analysis run` and `analysis query` share: reading templates and arguments.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/analysis/run.h"
#include "agent/cli/options.h"
#include "agent/spec/load.h"

namespace rollguard::cli {

struct AnalysisInput {
  spec::Library library;
  std::vector<std::pair<std::string, std::string>> args;
  analysis::SecretValues secrets;
  std::string problems;  // of the template files, as `rollguard check` prints them
  std::string first;     // the first of them in one line
};

// --template, --arg and --secret. An error is a wrong command line.
Expected<AnalysisInput> ReadAnalysisInput(const Options& options);

// The run, or a run in phase Error that says why there is none.
analysis::Run MakeOfflineRun(const AnalysisInput& input, const std::string& name, Time now);

}  // namespace rollguard::cli
