// SPDX-License-Identifier: Apache-2.0
// Sentences as people read them.
#pragma once

#include <string>
#include <string_view>

namespace rollguard {

// Numbers with five digits and more behind the point, to four digits: "0.0523412341 > 0.01" becomes
// "0.05234 > 0.01". Parts of names, versions and addresses stay as they are.
std::string TidyNumbers(std::string_view text);

}  // namespace rollguard
