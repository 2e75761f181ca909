// SPDX-License-Identifier: Apache-2.0
// What stands around the process, found here for the commands that need it: environment variables,
// the host's name, randomness of the system.
#pragma once

#include <cstdint>
#include <string>

#include "agent/kube/config.h"

namespace rollguard::cli {

// The variable's value; empty when it is not set.
std::string EnvironmentVariable(const char* name);
// KUBECONFIG, HOME, KUBERNETES_SERVICE_*.
kube::Surroundings KubeSurroundings();
std::string HostName();
uint64_t SystemSeed();

}  // namespace rollguard::cli
