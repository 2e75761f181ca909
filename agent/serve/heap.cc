// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/heap.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace rollguard::serve {
namespace {

constexpr size_t kWorthIt = 2U << 20;
// Larger pieces are pages of their own, and gone when they are freed: a list's text must not leave
// a hole as large as itself, nor teach the allocator to keep such pieces.
constexpr int kOwnPages = 256 << 10;

// Anonymous memory that is resident, in bytes; 0 when it cannot be read.
size_t Resident() {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/self/statm", "re"),
                                                   &std::fclose);
  unsigned long size = 0, resident = 0, shared = 0;
  if (!file || std::fscanf(file.get(), "%lu %lu %lu", &size, &resident, &shared) != 3) return 0;
  return (resident - shared) * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

void ShareOneHeap() {
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_THRESHOLD, kOwnPages);
}

void GiveBackMemory() {
  // What lies between pieces in use, on pages that are not wholly free, cannot be given back.
  static size_t left = 0;
  const struct mallinfo2 heap = ::mallinfo2();
  const size_t resident = Resident();
  left = std::min(left, resident);
  if (resident <= std::max(left, heap.uordblks + heap.hblkhd) + kWorthIt) return;
  ::malloc_trim(0);
  left = Resident();
}

}  // namespace rollguard::serve
