// SPDX-License-Identifier: Apache-2.0
// A history by its address, for the commands that read one.
#pragma once

#include <memory>
#include <string>

#include "agent/history/sql_history.h"

namespace rollguard::history {

// "postgres://..." or "postgresql://...": a database; anything else: a SQLite file, which must be
// there. The error says what is wrong and what to do.
Expected<DatabaseFactory> FactoryFor(const std::string& address);

}  // namespace rollguard::history
