// SPDX-License-Identifier: Apache-2.0
// The allocator. All threads share one heap: what one of them decodes and another frees would stay
// in a heap of the first one's own. Small pieces are kept by each thread for its next ones, so that
// threads do not wait for each other on an alert's way.
//
// Memory that bursts leave behind (the first lists, a thousand releases that begin at once) goes
// back to the system soon after; but only those who allocate look whether it is time, and an agent
// at rest does not.
#pragma once

namespace rollguard::serve {

// Gives back what has been free for long enough. From one thread; others that allocate meanwhile
// may wait for some milliseconds.
void GiveBackMemory();

}  // namespace rollguard::serve
