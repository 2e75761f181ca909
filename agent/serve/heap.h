// SPDX-License-Identifier: Apache-2.0
// Memory that bursts leave behind (the first lists, a thousand releases that begin at once) lies
// free between what is kept; the allocator gives back by itself only what is at the end.
#pragma once

namespace rollguard::serve {

// Gives pages that nothing lies on back to the system, when there are many of them. From any
// thread; others that allocate meanwhile may wait for some milliseconds.
void GiveBackMemory();

}  // namespace rollguard::serve
