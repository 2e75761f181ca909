// SPDX-License-Identifier: Apache-2.0
// Variables of rule queries, bound in the parsed query (never in its text).
#pragma once

#include <string>

#include "agent/base/expected.h"
#include "agent/promql/bind.h"

namespace rollguard::app {

// The query with every variable replaced, as text that asks the same on every server. The error
// names the first problem and where it stands in the query.
Expected<std::string> BindQuery(const std::string& query, const promql::Bindings& values);

}  // namespace rollguard::app
