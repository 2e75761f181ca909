// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace rollguard::testing {

// A TCP port of the loopback that was free a moment ago.
int FreePort();

}  // namespace rollguard::testing
