// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>

#include "agent/base/text.h"
#include "agent/history/database.h"

namespace rollguard::history {
namespace {

constexpr int kBusyMillis = 2000;

class Sqlite : public Database {
 public:
  explicit Sqlite(std::string path) : path_(std::move(path)) {}
  ~Sqlite() override { sqlite3_close(db_); }

  bool IsOpen() const override { return db_ != nullptr; }
  std::string_view SerialKey() const override { return "INTEGER PRIMARY KEY AUTOINCREMENT"; }

  Status Open() override {
    if (db_ != nullptr) return {};
    if (sqlite3_open(path_.c_str(), &db_) != SQLITE_OK) {
      Error error = Failed("open");
      sqlite3_close(db_);
      db_ = nullptr;
      return error;
    }
    sqlite3_busy_timeout(db_, kBusyMillis);
    for (const char* pragma :
         {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON",
          "PRAGMA cache_size=-512"}) {  // KiB: facts are written once and seldom asked for
      if (auto done = Query(pragma); !done) return done.error();
    }
    return {};
  }

  Status Execute(const std::string& sql, const Row& values) override {
    auto rows = Query(sql, values);
    if (!rows) return rows.error();
    return {};
  }

  Expected<std::vector<Row>> Query(const std::string& sql, const Row& values = {}) override {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &raw, nullptr) != SQLITE_OK) return Failed("use");
    std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(raw, &sqlite3_finalize);
    for (size_t i = 0; i < values.size(); ++i) {
      int at = static_cast<int>(i) + 1;
      if (!values[i]) {
        sqlite3_bind_null(raw, at);
      } else {
        sqlite3_bind_text(raw, at, values[i]->data(), static_cast<int>(values[i]->size()),
                          SQLITE_TRANSIENT);
      }
    }
    std::vector<Row> rows;
    int step = 0;
    while ((step = sqlite3_step(raw)) == SQLITE_ROW) rows.push_back(ReadRow(raw));
    if (step != SQLITE_DONE) return Failed("use");
    return rows;
  }

 private:
  static Row ReadRow(sqlite3_stmt* statement) {
    Row row;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
      auto size = static_cast<size_t>(sqlite3_column_bytes(statement, i));
      row.push_back(text == nullptr ? Value() : Value(std::string(text, size)));
    }
    return row;
  }

  Error Failed(std::string_view verb) const {
    int code = db_ != nullptr ? sqlite3_errcode(db_) : SQLITE_NOMEM;
    bool passing = code == SQLITE_BUSY || code == SQLITE_LOCKED || code == SQLITE_FULL ||
                   code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_READONLY;
    return {passing ? ErrorCode::kUnavailable : ErrorCode::kInternal,
            StrCat("cannot ", verb, " history database ", path_, ": ",
                   db_ != nullptr ? sqlite3_errmsg(db_) : "no memory")};
  }

  std::string path_;
  sqlite3* db_ = nullptr;
};

}  // namespace

std::unique_ptr<Database> OpenSqlite(std::string path) {
  return std::make_unique<Sqlite>(std::move(path));
}

}  // namespace rollguard::history
