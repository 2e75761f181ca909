// SPDX-License-Identifier: Apache-2.0
#include "agent/ports/prober.h"

namespace rollguard {

const char* ToString(ProbeFault fault) {
  constexpr const char* kNames[] = {"none",   "name",     "refused", "reset",    "timeout",
                                    "tls",    "protocol", "server",  "tooLarge", "redirect",
                                    "status", "content",  "limit"};
  return kNames[static_cast<size_t>(fault)];
}

}  // namespace rollguard
