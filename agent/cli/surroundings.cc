// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/surroundings.h"

#include <unistd.h>

#include <cstdlib>
#include <random>

namespace rollguard::cli {

std::string EnvironmentVariable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

kube::Surroundings KubeSurroundings() {
  kube::Surroundings around;
  around.kubeconfig_env = EnvironmentVariable("KUBECONFIG");
  around.home = EnvironmentVariable("HOME");
  around.service_host = EnvironmentVariable("KUBERNETES_SERVICE_HOST");
  around.service_port = EnvironmentVariable("KUBERNETES_SERVICE_PORT");
  return around;
}

std::string HostName() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "rollguard";
  return name;
}

uint64_t SystemSeed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

}  // namespace rollguard::cli
