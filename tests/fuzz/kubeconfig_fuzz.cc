// SPDX-License-Identifier: Apache-2.0
// Any file given as a kubeconfig: usable, or every problem named with its place.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "agent/kube/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rollguard;
  const int fd = ::memfd_create("kubeconfig", MFD_CLOEXEC);
  if (fd < 0 || ::write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  const std::string file = "/proc/self/fd/" + std::to_string(fd);
  auto config = kube::LoadKubeconfig({file}, {}, FromUnixMillis(1'767'225'600'000));
  if (config ? config->server.empty() : config.error().message.empty()) std::abort();
  (void)kube::ListContexts({file});
  ::close(fd);
  return 0;
}
