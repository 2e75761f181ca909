// SPDX-License-Identifier: Apache-2.0
// Tables and their migrations. One schema for both databases; a database written by a newer version
// is refused rather than guessed at.
#pragma once

#include "agent/history/database.h"

namespace rollguard::history {

inline constexpr int kSchemaVersion = 2;

// Brings the database to kSchemaVersion, one transaction a step. Safe to run from several replicas.
Status Migrate(Database& database);

}  // namespace rollguard::history
