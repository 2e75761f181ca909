// SPDX-License-Identifier: Apache-2.0
// Statements are parsed once: what the writer says is few texts, thousands of times. The log is
// copied into the database by whoever tidies, not within the commit that happens to fill it.
#include <sqlite3.h>

#include <unordered_map>

#include "agent/base/text.h"
#include "agent/history/database.h"

namespace rollguard::history {
namespace {

constexpr int kBusyMillis = 2000;
constexpr size_t kKeptStatements = 32;
constexpr int kTooManyPages = 8000;  // of the log, 4 KiB each: nobody has tidied

using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

class Sqlite : public Database {
 public:
  explicit Sqlite(std::string path) : path_(std::move(path)) {}
  ~Sqlite() override {
    statements_.clear();
    sqlite3_close(db_);
  }

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
    sqlite3_wal_hook(db_, &Sqlite::Logged, nullptr);
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
    auto prepared = Prepared(sql);
    if (!prepared) return prepared.error();
    sqlite3_stmt* statement = *prepared;
    for (size_t i = 0; i < values.size(); ++i) {
      int at = static_cast<int>(i) + 1;
      if (!values[i]) {
        sqlite3_bind_null(statement, at);
      } else {  // `values` stay until it has run
        sqlite3_bind_text(statement, at, values[i]->data(), static_cast<int>(values[i]->size()),
                          SQLITE_STATIC);
      }
    }
    Expected<std::vector<Row>> rows = RowsOf(statement);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return rows;
  }

  void Tidy() override {
    sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  }

 private:
  static int Logged(void*, sqlite3* db, const char* name, int pages) {
    if (pages >= kTooManyPages)
      sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    return SQLITE_OK;
  }

  Expected<sqlite3_stmt*> Prepared(const std::string& sql) {
    if (auto known = statements_.find(sql); known != statements_.end()) return known->second.get();
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &raw, nullptr) != SQLITE_OK) return Failed("use");
    if (statements_.size() >= kKeptStatements) statements_.clear();
    statements_.emplace(sql, Statement(raw, &sqlite3_finalize));
    return raw;
  }

  Expected<std::vector<Row>> RowsOf(sqlite3_stmt* statement) {
    std::vector<Row> rows;
    int step = 0;
    while ((step = sqlite3_step(statement)) == SQLITE_ROW) rows.push_back(ReadRow(statement));
    if (step != SQLITE_DONE) return Failed("use");
    return rows;
  }

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
  std::unordered_map<std::string, Statement> statements_;
};

}  // namespace

std::unique_ptr<Database> OpenSqlite(std::string path) {
  return std::make_unique<Sqlite>(std::move(path));
}

}  // namespace rollguard::history
