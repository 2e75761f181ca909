// SPDX-License-Identifier: Apache-2.0
// What a backtest's command line and files say.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/cli/options.h"
#include "agent/proof/past_release.h"
#include "agent/spec/load.h"

namespace rollguard::cli {

struct BacktestInput {
  spec::Library library;  // only the groups that are tried
  std::optional<spec::Guard> guard;
  std::vector<proof::PastRelease> releases;
  std::optional<proof::ReleaseSearch> search;  // instead: look for them
  bool spread = false;   // pods are to be told apart by the samples: one is the candidate
  spec::StringMap vars;  // of the command line, for releases that are found
  std::string title;
};

// The options, or what is wrong with them.
Expected<Options> ParseBacktestOptions(std::span<const std::string_view> args);

// Problems of files are printed; the error then has another code than kInvalid, which stands for
// wrong usage.
Expected<BacktestInput> ReadBacktestInput(const Options& options);

}  // namespace rollguard::cli
