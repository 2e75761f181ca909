// SPDX-License-Identifier: Apache-2.0
#include "agent/history/schema.h"

#include "agent/base/text.h"

namespace rollguard::history {
namespace {

// The statements of version `version`.
std::vector<std::string> StepsTo(int version, std::string_view serial_key) {
  if (version == 2) {
    return {
        "CREATE TABLE IF NOT EXISTS givens (hash TEXT PRIMARY KEY, at BIGINT NOT NULL, size BIGINT "
        "NOT NULL, body TEXT NOT NULL)",
        "CREATE INDEX IF NOT EXISTS givens_by_time ON givens (at)",
        "CREATE INDEX IF NOT EXISTS facts_by_kind ON facts (kind, seq)",
    };
  }
  if (version != 1) return {};
  return {
      StrCat(
          "CREATE TABLE IF NOT EXISTS facts (seq ", serial_key,
          ", chain TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL, kind TEXT NOT NULL, "
          "id TEXT NOT NULL,"
          " at BIGINT NOT NULL, guard TEXT NOT NULL, release_id TEXT NOT NULL, actor TEXT NOT NULL,"
          " body TEXT NOT NULL)"),
      "CREATE UNIQUE INDEX IF NOT EXISTS facts_once ON facts (kind, id)",
      "CREATE INDEX IF NOT EXISTS facts_by_guard ON facts (guard, seq)",
      "CREATE INDEX IF NOT EXISTS facts_by_release ON facts (release_id, seq)",
      "CREATE INDEX IF NOT EXISTS facts_by_time ON facts (at)",
      "CREATE TABLE IF NOT EXISTS chains (chain TEXT PRIMARY KEY, anchor TEXT NOT NULL, newest "
      "TEXT NOT NULL)",
      "CREATE TABLE IF NOT EXISTS releases (id TEXT PRIMARY KEY, guard TEXT NOT NULL, started "
      "BIGINT NOT NULL,"
      " ended BIGINT, body TEXT NOT NULL)",
      "CREATE INDEX IF NOT EXISTS releases_by_guard ON releases (guard, started)",
      "CREATE INDEX IF NOT EXISTS releases_by_time ON releases (started)",
      "CREATE TABLE IF NOT EXISTS measurements (at BIGINT NOT NULL, guard TEXT NOT NULL, "
      "release_id TEXT NOT NULL,"
      " metric TEXT NOT NULL, value TEXT NOT NULL, verdict TEXT NOT NULL)",
      "CREATE INDEX IF NOT EXISTS measurements_by_release ON measurements (release_id, at)",
  };
}

Expected<int> CurrentVersion(Database& database) {
  if (Status made = database.Execute(
          "CREATE TABLE IF NOT EXISTS rollguard_schema (version INTEGER NOT NULL)");
      !made) {
    return made.error();
  }
  auto rows = database.Query("SELECT MAX(version) FROM rollguard_schema");
  if (!rows) return rows.error();
  return static_cast<int>(ParseInt((*rows)[0][0].value_or("0")).value_or(0));
}

Status Upgrade(Database& database, int version) {
  if (Status begun = database.Execute("BEGIN"); !begun) return begun;
  for (const std::string& sql : StepsTo(version, database.SerialKey())) {
    if (Status done = database.Execute(sql); !done) {
      (void)database.Execute("ROLLBACK");
      return done;
    }
  }
  if (Status noted = database.Execute("INSERT INTO rollguard_schema (version) VALUES ($1)",
                                      {std::to_string(version)});
      !noted) {
    (void)database.Execute("ROLLBACK");
    return noted;
  }
  return database.Execute("COMMIT");
}

}  // namespace

Status Migrate(Database& database) {
  auto version = CurrentVersion(database);
  if (!version) return version.error();
  if (*version > kSchemaVersion) {
    return Error(ErrorCode::kInvalid,
                 StrCat("the history database has schema version ", *version,
                        ", newer than this program's ", kSchemaVersion, ": use a newer rollguard"));
  }
  for (int next = *version + 1; next <= kSchemaVersion; ++next) {
    if (Status done = Upgrade(database, next); !done) return done;
  }
  return {};
}

}  // namespace rollguard::history
