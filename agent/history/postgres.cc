// SPDX-License-Identifier: Apache-2.0
#include <libpq-fe.h>

#include "agent/base/text.h"
#include "agent/history/database.h"

namespace rollguard::history {
namespace {

struct ResultDelete {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ResultDelete>;

class Postgres : public Database {
 public:
  explicit Postgres(std::string url) : url_(std::move(url)) {}
  ~Postgres() override { PQfinish(connection_); }

  bool IsOpen() const override {
    return connection_ != nullptr && PQstatus(connection_) == CONNECTION_OK;
  }
  std::string_view SerialKey() const override { return "BIGSERIAL PRIMARY KEY"; }

  Status Open() override {
    if (IsOpen()) return {};
    PQfinish(connection_);
    // Later keywords win over the URL's: bounded waits, and UTF-8 whatever the environment says.
    // A server that acknowledges nothing is given up soon: a fact waits behind it, and who posted
    // it.
    const char* keys[] = {
        "dbname",          "connect_timeout",     "client_encoding",  "application_name",
        "keepalives_idle", "keepalives_interval", "tcp_user_timeout", nullptr};
    const char* values[] = {url_.c_str(), "5", "UTF8", "rollguard", "10", "3", "4000", nullptr};
    connection_ = PQconnectdbParams(keys, values, 1);
    if (!IsOpen()) return Failed("connect to");
    // The second: what a writer that is gone without a word has locked is free again soon.
    return Execute(
        "SELECT set_config('statement_timeout', '10000', false),"
        " set_config('idle_in_transaction_session_timeout', '10000', false)",
        {});
  }

  Status Execute(const std::string& sql, const Row& values) override {
    auto rows = Query(sql, values);
    if (!rows) return rows.error();
    return {};
  }

  Expected<std::vector<Row>> Query(const std::string& sql, const Row& values = {}) override {
    std::vector<const char*> texts;
    for (const Value& value : values) texts.push_back(value ? value->c_str() : nullptr);
    Result result(PQexecParams(connection_, sql.c_str(), static_cast<int>(texts.size()), nullptr,
                               texts.data(), nullptr, nullptr, 0));
    ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return Failed("use");
    std::vector<Row> rows;
    for (int r = 0; r < PQntuples(result.get()); ++r) rows.push_back(ReadRow(result.get(), r));
    return rows;
  }

 private:
  static Row ReadRow(const PGresult* result, int r) {
    Row row;
    for (int c = 0; c < PQnfields(result); ++c) {
      bool null = PQgetisnull(result, r, c) != 0;
      row.push_back(null ? Value()
                         : Value(std::string(PQgetvalue(result, r, c),
                                             static_cast<size_t>(PQgetlength(result, r, c)))));
    }
    return row;
  }

  // libpq's messages name host, port and user, never the password.
  Error Failed(std::string_view verb) const {
    std::string_view why = Trim(PQerrorMessage(connection_));
    return {IsOpen() ? ErrorCode::kInternal : ErrorCode::kUnavailable,
            StrCat("cannot ", verb, " the PostgreSQL history: ", Abbreviate(why, 300))};
  }

  std::string url_;
  PGconn* connection_ = nullptr;
};

}  // namespace

std::unique_ptr<Database> OpenPostgres(std::string url) {
  return std::make_unique<Postgres>(std::move(url));
}

}  // namespace rollguard::history
