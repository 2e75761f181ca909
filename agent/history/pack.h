// SPDX-License-Identifier: Apache-2.0
// Large texts as they are stored: deflated, then base64, because every value travels as text.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/expected.h"

namespace rollguard::history {

std::string Pack(std::string_view text);
// At most `max_bytes` come out; anything that Pack did not make is an error.
Expected<std::string> Unpack(std::string_view packed, size_t max_bytes = 64U << 20);

}  // namespace rollguard::history
