// SPDX-License-Identifier: Apache-2.0
#include "agent/history/open.h"

#include <filesystem>

#include "agent/base/text.h"

namespace rollguard::history {

Expected<DatabaseFactory> FactoryFor(const std::string& address) {
  if (address.starts_with("postgres://") || address.starts_with("postgresql://")) {
    return DatabaseFactory([address] { return OpenPostgres(address); });
  }
  std::error_code error;
  if (!std::filesystem::is_regular_file(address, error)) {
    return Error(ErrorCode::kNotFound,
                 StrCat("there is no history database ", Quote(address),
                        ": give the file history.db of the agent's data directory, or a postgres "
                        "URL"));
  }
  return DatabaseFactory([address] { return OpenSqlite(address); });
}

}  // namespace rollguard::history
