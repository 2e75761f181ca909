// SPDX-License-Identifier: Apache-2.0
// The machine's clock, made here for the commands that run in real time.
#pragma once

#include "agent/base/time.h"

namespace rollguard::cli {

const Clock& SystemClock();

}  // namespace rollguard::cli
