// SPDX-License-Identifier: Apache-2.0
// Reading the small files that configure the client.
#pragma once

#include <string>

#include "agent/base/expected.h"

namespace rollguard::kube {

// The whole file, at most `max_bytes`. The error says which file and why: missing, unreadable, a
// folder, too large.
Expected<std::string> ReadSmallFile(const std::string& path, size_t max_bytes = 4U << 20);

}  // namespace rollguard::kube
