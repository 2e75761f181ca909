// SPDX-License-Identifier: Apache-2.0
// Alerts over real HTTP: what is malformed changes nothing, what is accepted is durable, who sent
// it is kept, and what happens when the history is away.
#include <chrono>
#include <future>

#include "agent/app/intake_routes.h"
#include "agent/base/text.h"
#include "agent/history/sql_history.h"
#include "agent/http/server.h"
#include "agent/net/curl_client.h"
#include "tests/alerts/malformed.h"
#include "tests/app/sim_rig.h"
#include "tests/support/catch.h"
#include "tests/support/certificates.h"
#include "tests/support/process.h"
#include "tests/support/real_clock.h"
#include "tests/support/real_postgres.h"

namespace rollguard::app {
namespace {

using namespace std::chrono_literals;

std::string SenderOf(const http::Request& request) {
  return request.peer_identity.empty() ? std::string("alertmanager") : request.peer_identity;
}

struct Site {
  testing::RealClock clock;
  Loop loop{clock};
  sim::World world;
  std::unique_ptr<sim::SimCluster> cluster = world.Connect();
  AlertDesk desk{clock};
  std::unique_ptr<Controller> controller;
  std::unique_ptr<history::SqlHistory> history;
  std::unique_ptr<Intake> intake;
  SenderMappings mappings;  // before the first request
  http::Router router;
  std::unique_ptr<http::Server> server;
  net::CurlClient client{clock};
  std::string scheme = "http";
  std::shared_ptr<const TlsOptions> tls;

  explicit Site(history::DatabaseFactory factory, std::optional<http::ServerTls> server_tls = {}) {
    history::SqlHistoryOptions options;
    options.patience = 300ms;
    options.retry = 50ms;
    history = std::make_unique<history::SqlHistory>(std::move(factory), options, clock);
    REQUIRE(history->Start().ok());
    ControllerPorts ports{.cluster = cluster.get(),
                          .timers = &loop,
                          .clock = &clock,
                          .executor = [](std::function<void()> fn) { fn(); }};
    controller = std::make_unique<Controller>(std::move(ports), ControllerParts{});
    desk.Attach(controller.get());
    intake = std::make_unique<Intake>(loop, desk, *history, clock);
    router.Add("POST", "/api/v1/alerts",
               [this](const http::Request& r) { return intake->FromAlertmanager(r, SenderOf(r)); });
    router.Add("POST", "/api/v1/alerts/from/{sender}", [this](const http::Request& r) {
      return AlertsFrom(*intake, mappings, r.matches.at(0), r, SenderOf(r));
    });
    if (server_tls) scheme = "https";
    server = std::make_unique<http::Server>(http::ServerOptions{.tls = server_tls}, router, clock);
    REQUIRE(server->Start().ok());
    loop.Start();
  }
  ~Site() {
    server->Stop();
    loop.Stop();
  }

  Expected<HttpResponse> Post(const std::string& path, const std::string& body) {
    HttpRequest request;
    request.method = "POST";
    request.url = StrCat(scheme, "://127.0.0.1:", server->port(), path);
    request.body = body;
    request.tls = tls;
    std::promise<Expected<HttpResponse>> promise;
    auto future = promise.get_future();
    client.Send(std::move(request),
                [&](Expected<HttpResponse> r) { promise.set_value(std::move(r)); });
    return future.get();
  }
  int Status(const std::string& path, const std::string& body) {
    auto response = Post(path, body);
    return response ? response->status : 0;
  }
  size_t Kept() {
    REQUIRE(history->Flush(20s));
    return history->Find({.kind = "alert", .limit = 10'000})->size();
  }
};

history::DatabaseFactory Sqlite(const testing::TempDir& dir) {
  return [path = dir.path() + "/h.db"] { return history::OpenSqlite(path); };
}

}  // namespace

TEST_CASE("malformed payloads get 4xx with a reason over HTTP and change nothing", "[intake]") {
  testing::TempDir dir("intake");
  Site site(Sqlite(dir));
  auto rows = alerts::MalformedPayloads();
  CHECK(rows.size() >= 40);
  for (const alerts::Malformed& row : rows) {
    INFO(row.name);
    auto response = site.Post("/api/v1/alerts", row.body);
    REQUIRE(response.ok());
    CHECK(response->status / 100 == 4);
    auto problem = ParseJson(response->body);
    REQUIRE(problem.ok());
    CHECK(problem->At("detail").Str().size() > 5);
    // A body over the server's own cap is refused before it is read.
    if (row.body.size() <= (4U << 20))
      CHECK(problem->At("detail").Str().find(row.reason) != std::string::npos);
  }
  CHECK(site.Kept() == 0);
  CHECK(site.loop.Ask<size_t>([&] { return site.desk.firing(); }) == 0U);
  // And the same connection still takes what is well formed.
  CHECK(site.Status("/api/v1/alerts", alerts::PayloadWith(alerts::kAlert)) == 200);
  CHECK(site.Kept() == 1);
}

TEST_CASE("the answer says what became of each alert; a repetition is a duplicate", "[intake]") {
  testing::TempDir dir("intake");
  Site site(Sqlite(dir));
  std::string body = alerts::PayloadWith(alerts::kAlert);
  auto first = site.Post("/api/v1/alerts", body);
  auto again = site.Post("/api/v1/alerts", body);
  REQUIRE(first.ok());
  REQUIRE(again.ok());
  auto told = [](const HttpResponse& r) {
    return ParseJson(r.body)->At("alerts").At(size_t{0}).At("disposition").Str();
  };
  CHECK(told(*first) == "unmatched");
  CHECK(told(*again) == "duplicate");
  CHECK(site.Kept() == 1);
}

TEST_CASE("another sender's JSON is read by its mapping", "[intake]") {
  testing::TempDir dir("intake");
  Site site(Sqlite(dir));
  site.mappings["grafana"] = {
      .alerts = "/alerts", .labels = "/labels", .label_paths = {{"alertname", "/title"}}};
  CHECK(site.Status("/api/v1/alerts/from/grafana",
                    R"({"alerts":[{"title":"Down","labels":{"namespace":"shop"}}]})") == 200);
  CHECK(site.Kept() == 1);
  CHECK(site.Status("/api/v1/alerts/from/nobody", "{}") == 404);
  CHECK(site.Status("/api/v1/alerts/from/generic",
                    R"({"status":"firing","labels":{"alertname":"Down","namespace":"shop"}})") ==
        200);
  CHECK(site.Status("/api/v1/alerts/from/grafana", R"({"alerts":4})") == 400);
}

TEST_CASE("mutual TLS: only who shows a certificate of our CA gets in, and is named", "[intake]") {
  testing::TempDir dir("intake");
  auto ca = testing::MakeCa("ours"), other = testing::MakeCa("theirs");
  auto server = testing::IssueCertificate(
      ca, {.common_name = "rollguard", .dns = {}, .addresses = {"127.0.0.1"}});
  auto sender =
      testing::IssueCertificate(ca, {.common_name = "alertmanager", .dns = {}, .addresses = {}});
  auto stranger =
      testing::IssueCertificate(other, {.common_name = "alertmanager", .dns = {}, .addresses = {}});
  http::ServerTls tls{.cert_file = dir.Write("cert.pem", server.cert_pem),
                      .key_file = dir.Write("key.pem", server.key_pem),
                      .client_ca_file = dir.Write("ca.pem", ca.cert_pem),
                      .require_client_cert = true};
  Site site(Sqlite(dir), tls);
  std::string body = alerts::PayloadWith(alerts::kAlert);
  auto with = [&](const testing::KeyPair* pair) {
    auto options = std::make_shared<TlsOptions>();
    options->ca_pem = ca.cert_pem;
    if (pair != nullptr) {
      options->cert_pem = pair->cert_pem;
      options->key_pem = pair->key_pem;
    }
    site.tls = options;
    return site.Status("/api/v1/alerts", body);
  };
  CHECK(with(nullptr) == 0);
  CHECK(with(&stranger) == 0);
  CHECK(site.Kept() == 0);
  CHECK(with(&sender) == 200);
  auto stored = site.history->Find({.kind = "alert", .limit = 1});
  REQUIRE(stored->size() == 1);
  CHECK(stored->at(0).record.actor.find("alertmanager") != std::string::npos);
}

TEST_CASE("PostgreSQL killed in the middle: nothing accepted is lost, decisions go on",
          "[intake]") {
  testing::RealPostgres server;
  std::string url = server.NewDatabase("intake");
  Site site([url] { return history::OpenPostgres(url); });
  auto body = [](int n) {
    return alerts::PayloadWith(ReplaceAll(
        ReplaceAll(alerts::kAlert, ",\"fingerprint\":\"c0ffee\"", ""), "critical", StrCat("s", n)));
  };
  size_t accepted = 0;
  for (int i = 0; i < 30; ++i) accepted += site.Status("/api/v1/alerts", body(i)) == 200 ? 1 : 0;
  REQUIRE(accepted == 30);
  server.Kill();
  auto refused = site.Post("/api/v1/alerts", body(30));
  REQUIRE(refused.ok());
  CHECK(refused->status == 503);  // not durable: to be sent again, though it counts already
  CHECK_FALSE(refused->Header("retry-after").empty());
  CHECK(site.loop.Ask<size_t>([&] { return site.desk.firing(); }) == 31U);
  CHECK(site.history->Health().degraded);
  // What the agent decides meanwhile is kept and written later.
  Recorder recorder(*site.history);
  spec::Guard guard;
  guard.metadata.ns = "shop";
  guard.metadata.name = "checkout";
  for (int i = 0; i < 20; ++i) {
    release::Decision decision;
    decision.id = StrCat("d", i);
    decision.guard = guard.Id();
    decision.verdict = release::Verdict::kAdvance;
    CHECK(site.loop.Ask<bool>([&] {
      recorder.Decided(guard, decision);
      return true;
    }) == true);
  }
  server.StartAgain();
  REQUIRE(site.history->Flush(60s));
  CHECK(site.Status("/api/v1/alerts", body(30)) == 200);
  CHECK(site.Kept() == 31);
  // Not as a duplicate: whoever was told first may know nothing of it any more.
  const auto again = site.loop.Ask<std::vector<AlertReceipt>>([&] { return site.desk.Recent(1); });
  REQUIRE(again.has_value());
  CHECK(again->at(0).disposition != alerts::Disposition::kDuplicate);
  CHECK(site.history->Find({.kind = "decision", .limit = 100})->size() == 20);
  auto verified = site.history->Verify();
  REQUIRE(verified.ok());
  CHECK(verified->breaks.empty());
  CHECK_FALSE(site.history->Health().degraded);
}

TEST_CASE("Flagger's webhooks are answered from where the guard stands", "[intake]") {
  testing::SimRig rig({testing::CanaryYaml("checkout")});
  testing::RealClock clock;
  Loop loop(clock);
  loop.Start();
  auto status = [&](const std::string& guard, const std::string& hook) {
    return FlaggerAnswer(loop, rig.agent->controller(), "shop/" + guard, hook).status;
  };
  CHECK(status("checkout", "confirm-rollout") == 200);
  CHECK(status("checkout", "rollback") == 403);
  CHECK(status("checkout", "dance") == 404);
  CHECK(status("nobody", "rollback") == 404);
  rig.Release("checkout", "v2");
  REQUIRE(rig.RunToTraffic("checkout", 20, 5min));
  rig.agent->alerts().Receive({rig.Firing("Bad", "checkout", rig.scheduler().Now())});
  REQUIRE(rig.RunToPhase("checkout", release::Phase::kRollingBack, 1min));
  CHECK(status("checkout", "rollback") == 200);
  CHECK(status("checkout", "confirm-promotion") == 403);
  loop.Stop();
}

}  // namespace rollguard::app
