// SPDX-License-Identifier: Apache-2.0
// Variables of rule queries, bound in the parsed query (never in its text).
#pragma once

#include <map>
#include <string>

#include "agent/base/expected.h"

namespace rollguard::app {

// The query with every variable replaced, as text that asks the same on every server. An unknown
// variable is an error that names it.
Expected<std::string> BindQuery(const std::string& query,
                                const std::map<std::string, std::string>& variables);

}  // namespace rollguard::app
