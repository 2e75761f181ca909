// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL server is asked through libpq's non-blocking calls. libpq would look host names up
// with a call that blocks, so they are looked up before and handed over as `hostaddr`. Nothing
// libpq says about the URL's own text is repeated: it may hold a password.
#include <libpq-fe.h>

#include <algorithm>

#include "agent/base/text.h"
#include "agent/probe/names.h"
#include "agent/probe/socket_loop.h"

namespace rollguard::probe {
namespace {

constexpr const char* kPoolQuery =
    "SELECT sum(numbackends)::float8, current_setting('max_connections')::float8 "
    "FROM pg_stat_database";

struct ResultDelete {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ResultDelete>;

std::string FirstLine(const char* text) {
  std::string_view all = Trim(text == nullptr ? "" : text);
  return Abbreviate(Trim(all.substr(0, all.find('\n'))), 300);
}

class PostgresTask final : public SocketTask {
 public:
  PostgresTask(PostgresProbe probe, Duration timeout)
      : probe_(std::move(probe)), timeout_(timeout) {}
  ~PostgresTask() override { PQfinish(connection_); }

  std::variant<SocketWait, ProbeAnswer> Advance(Duration elapsed) override {
    elapsed_ = elapsed;
    switch (stage_) {
      case Stage::kParse: return Parse();
      case Stage::kNames: return NextName();
      case Stage::kConnect: return Connect();
      case Stage::kQuery:
      case Stage::kPool: return Read();
    }
    return ProbeAnswer::Unknown("a probe of no stage");
  }

  void Named(Expected<std::vector<std::string>> addresses) override {
    if (!addresses || addresses->empty()) {
      unnamed_ =
          addresses ? Error(ErrorCode::kUnavailable, "the name has no address") : addresses.error();
      return;
    }
    addresses_.push_back((*addresses)[0]);
  }

  std::string Awaited() const override {
    switch (stage_) {
      case Stage::kParse:
      case Stage::kNames: return "address for the database's host name";
      case Stage::kConnect:
        return PQstatus(connection_) == CONNECTION_STARTED ? "connection to the database"
                                                           : "completed login to the database";
      case Stage::kQuery: return StrCat("answer to ", Quote(Abbreviate(probe_.query, 80)));
      case Stage::kPool: return "answer about the connections in use";
    }
    return "answer";
  }

 private:
  enum class Stage { kParse, kNames, kConnect, kQuery, kPool };
  using Next = std::variant<SocketWait, ProbeAnswer>;

  Next Parse() {
    char* problem = nullptr;
    PQconninfoOption* options = PQconninfoParse(probe_.url.c_str(), &problem);
    if (options == nullptr) {
      PQfreemem(problem);
      return ProbeAnswer::Unknown("the URL is no PostgreSQL URL (postgres://user@host:port/db)");
    }
    std::string hosts, given;
    for (const PQconninfoOption* o = options; o->keyword != nullptr; ++o) {
      if (o->val == nullptr) continue;
      if (std::string_view(o->keyword) == "host") hosts = o->val;
      if (std::string_view(o->keyword) == "hostaddr") given = o->val;
    }
    PQconninfoFree(options);
    if (given.empty() && !hosts.empty()) {
      for (std::string_view host : Split(hosts, ',')) hosts_.emplace_back(host);
    }
    // A path is a unix socket, which has no address.
    if (std::any_of(hosts_.begin(), hosts_.end(),
                    [](const std::string& host) { return host.empty() || host[0] == '/'; })) {
      hosts_.clear();
    }
    stage_ = Stage::kNames;
    return NextName();
  }

  Next NextName() {
    if (unnamed_) return ProbeAnswer::Fail(ProbeFault::kName, elapsed_, unnamed_->message);
    if (addresses_.size() < hosts_.size()) {
      return SocketWait{.fd = -1, .read = false, .write = false, .name = hosts_[addresses_.size()]};
    }
    std::string hostaddr = Join(addresses_, ",");
    // Later keywords win over the URL's. GSSAPI would block on the network by itself.
    std::vector<const char*> keys = {"dbname", "application_name", "gssencmode"};
    std::vector<const char*> values = {probe_.url.c_str(), "rollguard-probe", "disable"};
    if (!hostaddr.empty()) {
      keys.push_back("hostaddr");
      values.push_back(hostaddr.c_str());
    }
    keys.push_back(nullptr);
    values.push_back(nullptr);
    connection_ = PQconnectStartParams(keys.data(), values.data(), 1);
    if (connection_ == nullptr) return ProbeAnswer::Unknown("libpq has no memory");
    stage_ = Stage::kConnect;
    if (PQstatus(connection_) == CONNECTION_BAD) return CannotConnect();
    return SocketWait{.fd = PQsocket(connection_), .read = false, .write = true, .name = {}};
  }

  Next Connect() {
    switch (PQconnectPoll(connection_)) {
      case PGRES_POLLING_READING: return Wait(true, false);
      case PGRES_POLLING_WRITING: return Wait(false, true);
      case PGRES_POLLING_OK: break;
      default: return CannotConnect();
    }
    PQsetnonblocking(connection_, 1);
    // The server gives the query up when we have.
    return Ask(Stage::kQuery, StrCat("SET statement_timeout = ",
                                     std::max<int64_t>(1, timeout_.count()), "; ", probe_.query));
  }

  Next Ask(Stage stage, const std::string& sql) {
    stage_ = stage;
    if (PQsendQuery(connection_, sql.c_str()) == 0) return Broken();
    return Read();
  }

  Next Read() {
    int unsent = PQflush(connection_);
    if (unsent < 0 || PQconsumeInput(connection_) == 0) return Broken();
    if (unsent > 0) return Wait(true, true);
    while (PQisBusy(connection_) == 0) {
      Result result(PQgetResult(connection_));
      if (result == nullptr) return Answered();
      ExecStatusType status = PQresultStatus(result.get());
      if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        if (PQstatus(connection_) != CONNECTION_OK) return Broken();
        return QueryFailed(FirstLine(PQresultErrorMessage(result.get())));
      }
      if (stage_ == Stage::kPool) ReadPool(result.get());
    }
    return Wait(true, false);
  }

  void ReadPool(const PGresult* result) {
    if (PQntuples(result) != 1 || PQnfields(result) != 2) return;
    auto used = ParseDouble(PQgetvalue(result, 0, 0));
    auto limit = ParseDouble(PQgetvalue(result, 0, 1));
    if (used && limit && *limit > 0) pool_ = {*used, *limit};
  }

  Next Answered() {
    if (stage_ == Stage::kQuery) {
      latency_ = elapsed_;
      if (probe_.max_pool_use < 1) return Ask(Stage::kPool, kPoolQuery);
      return Pass({});
    }
    if (!pool_) return ProbeAnswer::Unknown("the server does not say how many connections it has");
    std::string text = StrCat(FormatNumber(pool_->first), " of ", FormatNumber(pool_->second),
                              " connections are in use");
    if (pool_->first / pool_->second <= probe_.max_pool_use) return Pass(", " + text);
    return ProbeAnswer::Fail(
        ProbeFault::kLimit, latency_,
        StrCat(text, ", allowed are ", Format("%.0f", probe_.max_pool_use * 100), "%"));
  }

  ProbeAnswer Pass(const std::string& more) const {
    return ProbeAnswer::Pass(latency_, StrCat("answered in ", FormatGoDuration(latency_), more));
  }

  Next Wait(bool read, bool write) const {
    return SocketWait{.fd = PQsocket(connection_), .read = read, .write = write, .name = {}};
  }

  // The server's refusals (password, database, too many clients) come as FATAL.
  ProbeAnswer CannotConnect() const {
    std::string why = FirstLine(PQerrorMessage(connection_));
    bool server = why.find("FATAL:") != std::string::npos;
    bool tls = why.find("SSL") != std::string::npos || why.find("certificate") != std::string::npos;
    bool cut = why.find("server closed the connection") != std::string::npos ||
               why.find("reset by peer") != std::string::npos;
    bool odd = why.find("expected authentication request") != std::string::npos ||
               why.find("invalid response to") != std::string::npos;
    ProbeFault fault = server ? ProbeFault::kServer
                       : odd  ? ProbeFault::kProtocol
                       : cut  ? ProbeFault::kReset
                       : tls  ? ProbeFault::kTls
                              : ProbeFault::kRefused;
    return ProbeAnswer::Fail(fault, elapsed_, why.empty() ? "cannot connect" : why);
  }

  ProbeAnswer Broken() const {
    std::string why = FirstLine(PQerrorMessage(connection_));
    return ProbeAnswer::Fail(ProbeFault::kReset, elapsed_,
                             StrCat("the connection broke: ", why.empty() ? "no reason" : why));
  }

  ProbeAnswer QueryFailed(const std::string& why) const {
    if (stage_ == Stage::kPool)
      return ProbeAnswer::Unknown(StrCat("cannot see the connections in use: ", why));
    return ProbeAnswer::Fail(ProbeFault::kServer, elapsed_,
                             StrCat(Quote(Abbreviate(probe_.query, 80)), " failed: ", why));
  }

  PostgresProbe probe_;
  Duration timeout_;
  Stage stage_ = Stage::kParse;
  Duration elapsed_{0};
  Duration latency_{0};
  std::vector<std::string> hosts_;
  std::vector<std::string> addresses_;
  std::optional<Error> unnamed_;
  std::optional<std::pair<double, double>> pool_;  // in use, of
  PGconn* connection_ = nullptr;
};

}  // namespace

std::unique_ptr<SocketTask> MakePostgresTask(PostgresProbe probe, Duration timeout) {
  return std::make_unique<PostgresTask>(std::move(probe), timeout);
}

}  // namespace rollguard::probe
