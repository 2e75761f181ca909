// SPDX-License-Identifier: Apache-2.0
// How the kernel shares the processor between the agent's threads and with those of others.
#pragma once

namespace rollguard::serve {

// From an alert to the patch it passes five threads, each of which works for a fraction of a
// millisecond and waits where the processor is busy. Who asks for short turns gets them sooner, not
// more of them. For this thread and those it starts; a kernel before 6.12 does not know of it.
void TakeShortTurns();

}  // namespace rollguard::serve
