// SPDX-License-Identifier: Apache-2.0
// The options that name a metrics server and prove who asks it, the same for every command.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "agent/cli/options.h"
#include "agent/ports/metrics_source.h"
#include "agent/prometheus/api_client.h"

namespace rollguard::cli {

// --source, --config, --token-file, --user, --password-file, --tenant, --ca-file.
std::vector<std::string_view> SourceOptionNames();

// --source is a URL, or the name of a source in the agent's configuration (--config FILE).
Expected<prometheus::ApiOptions> SourceOf(const Options& options);

// Asks all of them, some side by side, and waits. Answers stand in the order of the questions.
// `answered` is called from another thread after each, with how many are there.
std::vector<Expected<MetricAnswer>> AskAll(const prometheus::ApiOptions& api,
                                           std::vector<MetricQuery> queries,
                                           const std::function<void(size_t)>& answered = {});

}  // namespace rollguard::cli
