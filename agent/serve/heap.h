// SPDX-License-Identifier: Apache-2.0
// Memory that bursts leave behind (the first lists, a thousand releases that begin at once) lies
// free between what is kept; the allocator gives back by itself only what is at the end. What one
// thread decodes and another frees would stay in a heap of the first one's own.
#pragma once

namespace rollguard::serve {

// One heap for all threads. Before any of them begins.
void ShareOneHeap();

// Gives pages that nothing lies on back to the system, when many came since it did so last. From
// one thread; others that allocate meanwhile may wait for some milliseconds.
void GiveBackMemory();

}  // namespace rollguard::serve
