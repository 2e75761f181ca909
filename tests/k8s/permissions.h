// SPDX-License-Identifier: Apache-2.0
// What the agent asks of the API server, and what its manifests allow it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/base/json.h"

namespace rollguard::shipped {

// "apps/deployments patch", "/secrets create", "rollguard.dev/guards/status patch".
using Permissions = std::set<std::string>;

// All that the rules of ClusterRoles and Roles among these manifests (files, below the source
// directory) allow.
Permissions GrantedBy(const std::vector<std::string>& files);

// Plays a good and a bad release of the guard in a simulated cluster, takes the Guard away, and
// gives what was asked for. The guard's long waits are shortened. `problem`: why it could not be
// played.
Permissions AskedBy(const std::string& guard_file, std::string& problem);

// Asked for by parts that the simulation does not run, each with the reason.
struct Asked {
  const char* permission;
  const char* why;
};
const std::vector<Asked>& AskedElsewhere();

std::vector<Json> DocumentsOf(const std::string& file);
std::vector<std::string> FilesIn(const std::string& folder);

}  // namespace rollguard::shipped
