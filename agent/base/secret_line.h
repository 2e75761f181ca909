// SPDX-License-Identifier: Apache-2.0
// A diagnostic about a line that holds a secret: with this text as its `context` it is rendered
// with its place and message, but without the line itself.
#pragma once

#include <string_view>

namespace rollguard {

inline constexpr std::string_view kSecretLine = "the line is not shown, for it holds a secret";

}  // namespace rollguard
