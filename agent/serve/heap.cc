// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/heap.h"

#include "agent/base/text.h"

// Sanitizers bring an allocator of their own.
#ifdef ROLLGUARD_JEMALLOC
#include <jemalloc/jemalloc.h>

// Read by jemalloc before main. Free pages go back after a tenth of a second: kept for longer, a
// round of a thousand releases would stand in the resident size; given back at once, the next
// alert's way would be paved with page faults.
extern "C" {
[[gnu::visibility("default")]] const char* malloc_conf =
    "narenas:1,dirty_decay_ms:100,muzzy_decay_ms:0,lg_tcache_max:12";
}
#endif

namespace rollguard::serve {

void GiveBackMemory() {
#ifdef ROLLGUARD_JEMALLOC
  // Fails where another allocator was loaded before it, which keeps house itself.
  static const std::string decay = StrCat("arena.", MALLCTL_ARENAS_ALL, ".decay");
  (void)::mallctl(decay.c_str(), nullptr, nullptr, nullptr, 0);
#endif
}

}  // namespace rollguard::serve
