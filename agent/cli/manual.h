// SPDX-License-Identifier: Apache-2.0
// docs/cli.md: every command's help as one page, written from the commands themselves.
#pragma once

#include <string>

namespace rollguard::cli {

std::string Manual();

}  // namespace rollguard::cli
