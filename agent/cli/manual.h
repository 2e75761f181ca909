// SPDX-License-Identifier: Apache-2.0
// Pages of docs/ that are written from the program itself. Each ends with a newline.
#pragma once

#include <string>

namespace rollguard::cli {

// docs/cli.md: every command's help.
std::string Manual();
// docs/guard.md, docs/rule-reference.md, docs/configuration.md: every key the loader reads.
std::string GuardPage();
std::string RulesPage();
std::string ConfigurationPage();

}  // namespace rollguard::cli
