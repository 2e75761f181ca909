// SPDX-License-Identifier: Apache-2.0
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "agent/base/text.h"
#include "agent/history/database.h"

namespace rollguard::history {
namespace {

struct ResultDelete {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ResultDelete>;

constexpr Duration kSlice = std::chrono::milliseconds(250);  // how soon Hurry is noticed
constexpr Duration kHurriedSilence = std::chrono::seconds(2);

class Postgres : public Database {
 public:
  Postgres(std::string url, Duration silence) : url_(std::move(url)), silence_(silence) {}
  ~Postgres() override { PQfinish(connection_); }

  bool IsOpen() const override {
    return connection_ != nullptr && PQstatus(connection_) == CONNECTION_OK;
  }
  std::string_view SerialKey() const override { return "BIGSERIAL PRIMARY KEY"; }

  Status Open() override {
    if (IsOpen()) return {};
    if (hurried_)
      return Error(ErrorCode::kUnavailable, "the PostgreSQL history is away, and the agent stops");
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
    PQsetnonblocking(connection_, 1);
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
    if (PQsendQueryParams(connection_, sql.c_str(), static_cast<int>(texts.size()), nullptr,
                          texts.data(), nullptr, nullptr, 0) == 0) {
      return Failed("use");
    }
    auto result = TakeResult();
    if (!result) return result.error();
    return RowsOf(*result);
  }

  void Hurry() override { hurried_ = true; }

 private:
  // The last result of the statement that was sent; the connection is closed when the server says
  // nothing for too long.
  Expected<Result> TakeResult() {
    Result last;
    while (true) {
      if (!AwaitServer()) {
        PQfinish(std::exchange(connection_, nullptr));
        return Error(ErrorCode::kUnavailable,
                     "the PostgreSQL history does not answer: it is connected and says nothing");
      }
      Result next(PQgetResult(connection_));
      if (!next) return last;
      last = std::move(next);
    }
  }

  // Sends what is still to be sent and reads until a result is whole (or the connection broken,
  // which is a result too).
  bool AwaitServer() {
    Duration silent{0};
    while (true) {
      const int unsent = PQflush(connection_);
      if (unsent < 0 || (unsent == 0 && PQisBusy(connection_) == 0)) return true;
      const int events = POLLIN | (unsent > 0 ? POLLOUT : 0);
      pollfd wait{PQsocket(connection_), static_cast<int16_t>(events), 0};
      if (::poll(&wait, 1, static_cast<int>(kSlice.count())) > 0) {
        silent = Duration(0);
        if (PQconsumeInput(connection_) == 0) return true;
      } else {
        silent += kSlice;
      }
      if (silent >= (hurried_ ? std::min(silence_, kHurriedSilence) : silence_)) return false;
    }
  }

  Expected<std::vector<Row>> RowsOf(const Result& result) const {
    ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return Failed("use");
    std::vector<Row> rows;
    for (int r = 0; r < PQntuples(result.get()); ++r) rows.push_back(ReadRow(result.get(), r));
    return rows;
  }

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
  Duration silence_;
  std::atomic<bool> hurried_{false};
  PGconn* connection_ = nullptr;
};

}  // namespace

std::unique_ptr<Database> OpenPostgres(std::string url, Duration silence) {
  return std::make_unique<Postgres>(std::move(url), silence);
}

}  // namespace rollguard::history
