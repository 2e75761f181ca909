// SPDX-License-Identifier: Apache-2.0
// gRPC and PostgreSQL as their own servers speak them.
#include "agent/base/text.h"
#include "tests/probe/probe_fixture.h"
#include "tests/support/certificates.h"
#include "tests/support/free_port.h"
#include "tests/support/process.h"
#include "tests/support/real_postgres.h"
#include "tests/support/tiny_server.h"

namespace rollguard::probe {
namespace {

// Started by python3 with Debian's python3-grpcio; ends with the test.
class GrpcServer {
 public:
  GrpcServer() {
    auto ca = testing::MakeCa("Some CA");
    auto pair = testing::IssueCertificate(
        ca, {.common_name = "orders", .dns = {"orders.shop"}, .addresses = {"127.0.0.1"}});
    std::string log = dir_.path() + "/ports";
    // Debian's own python3 has Debian's packages.
    auto started = testing::Process::Start(
        {"/usr/bin/python3", StrCat(ROLLGUARD_SOURCE_DIR, "/tests/probe/grpc_server.py"),
         dir_.Write("cert.pem", pair.cert_pem), dir_.Write("key.pem", pair.key_pem)},
        {.log = log, .directory = {}, .env = {}});
    REQUIRE(started.ok());
    process_ = std::move(*started);
    std::string text;
    bool ready = testing::PollUntil(
        [&] {
          text = testing::ReadFile(log);
          return text.find('\n') != std::string::npos;
        },
        std::chrono::seconds(60));
    INFO("python3-grpcio must be installed; " << text);
    REQUIRE(ready);
    std::string_view line = Trim(text);
    for (std::string_view word : Split(line, ' '))
      ports_.push_back(static_cast<int>(ParseInt(word).value_or(0)));
    INFO(text);
    REQUIRE(ports_.size() == 2);
  }

  int plain() const { return ports_[0]; }
  int tls() const { return ports_[1]; }

 private:
  testing::TempDir dir_{"grpc"};
  std::unique_ptr<testing::Process> process_;
  std::vector<int> ports_;
};

TEST_CASE_METHOD(ProbeFixture, "grpc: a real server's answers") {
  GrpcServer server;
  testing::TinyServer http([](const testing::TinyRequest&, testing::TinyConnection& c) {
    c.Respond(200, "HTTP/1.1 only");
    c.Close();
  });
  struct Row {
    const char* name;
    GrpcProbe probe;
    Duration timeout;
    const char* want;
  };
  const Duration brief = std::chrono::milliseconds(400);
  auto at = [](int port, const char* service) {
    return GrpcProbe{"127.0.0.1", port, service, false, false};
  };
  GrpcProbe untrusted = at(server.tls(), ""), trusting = untrusted;
  untrusted.tls = trusting.tls = trusting.insecure = true;
  const std::vector<Row> rows = {
      {"the server", at(server.plain(), ""), kPatience, "pass none: the server is SERVING"},
      {"a service", at(server.plain(), "orders"), kPatience,
       "pass none: service \"orders\" is SERVING"},
      {"not serving", at(server.plain(), "draining"), kPatience,
       "fail content: service \"draining\" is NOT_SERVING"},
      {"a service it does not know", at(server.plain(), "nobody"), kPatience,
       "fail content: the server does not know service \"nobody\""},
      {"its own error", at(server.plain(), "broken"), kPatience,
       "fail server: gRPC status 13: disk full: 100%\nsorry"},
      {"no HealthCheckResponse", at(server.plain(), "odd"), kPatience,
       "fail protocol: the answer is no HealthCheckResponse"},
      {"hanging", at(server.plain(), "hangs"), brief, "fail timeout: "},
      {"no health service", at(server.plain(), "absent"), kPatience,
       "fail protocol: the server does not implement grpc.health.v1.Health"},
      {"nobody listens", at(testing::FreePort(), ""), kPatience, "fail refused: "},
      {"over TLS, not trusted", untrusted, kPatience, "fail tls: "},
      {"over TLS, any certificate", trusting, kPatience, "pass none: the server is SERVING"},
      {"an HTTP/1.1 server", at(http.port(), ""), kPatience, "does a gRPC server listen there"},
  };
  for (const Row& row : rows) {
    std::string got = Told(Ask(row.probe, row.timeout));
    INFO(row.name << ": " << got);
    CHECK(Contains(got, row.want));
  }
}

TEST_CASE_METHOD(ProbeFixture, "postgres: a real server's answers") {
  testing::RealPostgres server;
  std::string url = server.NewDatabase("shop");
  testing::TinyServer http(
      [](const testing::TinyRequest&, testing::TinyConnection& c) { c.AwaitClose(); });
  struct Row {
    const char* name;
    PostgresProbe probe;
    Duration timeout;
    std::string want;
  };
  const Duration brief = std::chrono::milliseconds(400);
  const std::string closed = StrCat("postgres://u:pa55@127.0.0.1:", testing::FreePort(), "/shop");
  const std::vector<Row> rows = {
      {"well", {url, "SELECT 1", 1}, kPatience, "pass none: answered in "},
      {"by name",
       {ReplaceAll(url, "127.0.0.1", "localhost"), "SELECT 1", 1},
       kPatience,
       "pass none: answered in "},
      {"connections in use", {url, "SELECT 1", 0.9}, kPatience, " of 100 connections are in use"},
      {"too many in use",
       {url, "SELECT 1", 0.001},
       kPatience,
       " of 100 connections are in use, allowed are 0%"},
      {"a query that fails",
       {url, "SELECT * FROM orders", 1},
       kPatience,
       "fail server: \"SELECT * FROM orders\" failed: ERROR:  relation \"orders\" does not exist"},
      {"a query that hangs", {url, "SELECT pg_sleep(600)", 1}, brief, "SELECT pg_sleep(600)"},
      {"no such database",
       {url + "x", "SELECT 1", 1},
       kPatience,
       "database \"shopx\" does not exist"},
      {"nobody listens", {closed, "SELECT 1", 1}, kPatience, "fail refused: "},
      {"a server that says nothing",
       {StrCat("postgres://u:pa55@127.0.0.1:", http.port(), "/shop"), "SELECT 1", 1},
       brief,
       "fail timeout: no completed login to the database within 400ms"},
      {"no such name",
       {"postgres://u:pa55@no-such-host.invalid/shop", "SELECT 1", 1},
       kPatience,
       "fail name: the name \"no-such-host.invalid\" cannot be resolved"},
      {"no URL",
       {"postgres://u:pa55@h/shop?bad=pa55", "SELECT 1", 1},
       kPatience,
       "unknown none: the URL is no PostgreSQL URL"},
  };
  for (const Row& row : rows) {
    std::string got = Told(Ask(row.probe, row.timeout));
    INFO(row.name << ": " << got);
    CHECK(Contains(got, row.want));
    CHECK_FALSE(Contains(got, "pa55"));
  }
  server.Kill();
  std::string gone = Told(Ask(PostgresProbe{url, "SELECT 1", 1}));
  INFO(gone);
  CHECK(Contains(gone, "fail refused: "));
}

}  // namespace
}  // namespace rollguard::probe
