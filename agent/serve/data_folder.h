// SPDX-License-Identifier: Apache-2.0
// Files the agent needs at its start: its data folder, and the secrets its configuration names.
#pragma once

#include <memory>
#include <string>

#include "agent/base/expected.h"
#include "agent/spec/agent_config.h"

namespace rollguard::serve {

// Makes the folder when it is missing and takes its lock, so that two agents never write one audit
// chain. The lock is given back with the handle, or by the kernel when the process dies.
Expected<std::shared_ptr<void>> UseDataFolder(const std::string& path);

// The URL as written, or the file's text.
Expected<std::string> PostgresUrl(const spec::HistoryConfig& history);

// Every secret or certificate file that the configuration names can be read; else all that cannot.
Status CheckSecretFiles(const spec::AgentConfig& config);

}  // namespace rollguard::serve
