// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/heap.h"

#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

namespace rollguard::serve {
namespace {

constexpr size_t kWorthIt = 4U << 20;

// Anonymous memory that is resident, in bytes; 0 when it cannot be read.
size_t Resident() {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/self/statm", "re"),
                                                   &std::fclose);
  unsigned long size = 0, resident = 0, shared = 0;
  if (!file || std::fscanf(file.get(), "%lu %lu %lu", &size, &resident, &shared) != 3) return 0;
  return (resident - shared) * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

void ShareOneHeap() { ::mallopt(M_ARENA_MAX, 1); }

void GiveBackMemory() {
  const struct mallinfo2 heap = ::mallinfo2();
  const size_t used = heap.uordblks + heap.hblkhd;
  if (Resident() > used + used / 8 + kWorthIt) ::malloc_trim(0);
}

}  // namespace rollguard::serve
