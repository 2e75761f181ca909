// SPDX-License-Identifier: Apache-2.0
// The prober against servers that are well, ill, slow, silent and hostile: each gets the right word
// and a sentence that people understand.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "agent/base/text.h"
#include "tests/probe/probe_fixture.h"
#include "tests/support/certificates.h"
#include "tests/support/free_port.h"
#include "tests/support/tiny_server.h"

namespace rollguard::probe {
namespace {

using testing::TinyConnection;
using testing::TinyRequest;
using testing::TinyServer;

// Listens on a loopback port and never accepts: connections succeed, nothing is ever said.
class DeafPort {
 public:
  explicit DeafPort(int backlog = 16) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(fd_, raw, size) == 0);
    REQUIRE(::listen(fd_, backlog) == 0);
    REQUIRE(::getsockname(fd_, raw, &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~DeafPort() { ::close(fd_); }
  int port() const { return port_; }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
  int port_ = 0;
};

HttpProbe Http(std::string url) {
  HttpProbe probe;
  probe.url = std::move(url);
  return probe;
}

TEST_CASE_METHOD(ProbeFixture, "http: each way to be ill has its word") {
  auto ca = testing::MakeCa("Some CA");
  auto pair = testing::IssueCertificate(
      ca, {.common_name = "checkout", .dns = {"checkout.shop"}, .addresses = {"127.0.0.1"}});
  TinyServer tls(
      [](const TinyRequest&, TinyConnection& c) { c.Respond(200, "ok"); },
      {.cert_pem = pair.cert_pem, .key_pem = pair.key_pem, .client_ca_pem = {}, .unix_socket = {}});
  TinyServer server([](const TinyRequest& request, TinyConnection& c) {
    if (request.Path() == "/ok") {
      c.Respond(200, "fine");
    } else if (request.Path() == "/echo") {
      c.Respond(200, StrCat(request.method, " ", request.Header("x-probe"), " ", request.body));
    } else if (request.Path() == "/away") {
      c.Respond(301, "", {{"Location", "http://elsewhere/"}});
    } else if (request.Path() == "/ill") {
      c.Respond(503, "no database");
    } else if (request.Path() == "/huge") {
      c.StartChunked(200);
      while (c.Chunk(std::string(1 << 20, 'x'))) {
      }
    } else if (request.Path() == "/cut") {
      c.Write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
      c.Close();
    } else if (request.Path() == "/garbage") {
      c.Write("SSH-2.0-OpenSSH\r\n");
      c.Close();
    } else if (request.Path() == "/dribble") {
      c.Write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nh");
      c.AwaitClose();
    } else {
      c.AwaitClose();
    }
  });
  DeafPort deaf;
  int closed = testing::FreePort();

  struct Row {
    const char* name;
    HttpProbe probe;
    Duration timeout;
    const char* want;
  };
  HttpProbe echo = Http(server.Url("/echo"));
  echo.method = "PUT";
  echo.headers = {{"X-Probe", "here"}};
  echo.body = "hello";
  echo.expect_body = "^PUT here hello$";
  HttpProbe trusting = Http(tls.Url("/"));
  trusting.insecure = true;
  const Duration brief = std::chrono::milliseconds(300);
  const std::vector<Row> rows = {
      {"well", Http(server.Url("/ok")), kPatience, "pass none: answered 200 in "},
      {"method, header and body are sent", echo, kPatience, "pass none: answered 200"},
      {"redirect", Http(server.Url("/away")), kPatience,
       "fail redirect: answered 301 to \"http://elsewhere/\""},
      {"server error", Http(server.Url("/ill")), kPatience,
       "fail server: answered 503, expected 2xx: \"no database\""},
      {"huge body", Http(server.Url("/huge")), kPatience,
       "the answer is longer than the limit of 4194304 bytes"},
      {"cut short", Http(server.Url("/cut")), kPatience, "fail reset: GET "},
      {"not HTTP", Http(server.Url("/garbage")), kPatience, "fail protocol: GET "},
      {"hanging", Http(server.Url("/hang")), brief, "no answer within 300ms"},
      {"dribbling", Http(server.Url("/dribble")), brief,
       "the answer was not complete within 300ms"},
      {"nobody accepts", Http(StrCat("http://127.0.0.1:", deaf.port(), "/")), brief,
       "fail timeout: GET "},
      {"refused", Http(StrCat("http://127.0.0.1:", closed, "/")), kPatience, "fail refused: GET "},
      {"no such name", Http("http://no-such-host.invalid/"), kPatience,
       "fail name: GET http://no-such-host.invalid/: the name \"no-such-host.invalid\" cannot be "
       "resolved"},
      {"untrusted certificate", Http(tls.Url("/")), kPatience, "fail tls: GET https://127.0.0.1:"},
      {"untrusted, and that is fine", trusting, kPatience, "pass none: answered 200"},
      {"plain against TLS", Http(ReplaceAll(tls.Url("/"), "https:", "http:")), kPatience, "fail "},
      {"no URL at all", Http("checkout/health"), kPatience,
       "the URL must begin with http:// or https://"},
  };
  for (const Row& row : rows) {
    std::string got = Told(Ask(row.probe, row.timeout));
    INFO(row.name << ": " << got);
    CHECK(Contains(got, row.want));
  }
}

TEST_CASE_METHOD(ProbeFixture, "http: every probe connects anew") {
  TinyServer server([](const TinyRequest&, TinyConnection& c) { c.Respond(200, "ok"); });
  for (int i = 0; i < 3; ++i)
    CHECK(Ask(Http(server.Url("/"))).verdict == ProbeAnswer::Verdict::kPass);
  CHECK(server.connections() == 3);
}

TEST_CASE_METHOD(ProbeFixture, "tcp: each way to be ill has its word") {
  DeafPort open;
  DeafPort full(0);
  // With nobody accepting, two connections fill a backlog of zero; the next one hangs.
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(full.port()));
    (void)::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    fillers.push_back(fd);
  }
  int closed = testing::FreePort();
  struct Row {
    const char* name;
    TcpProbe probe;
    Duration timeout;
    std::string want;
  };
  const Duration brief = std::chrono::milliseconds(200);
  const std::vector<Row> rows = {
      {"open", {"127.0.0.1", open.port()}, kPatience, "pass none: connected in "},
      {"by name", {"localhost", open.port()}, kPatience, "pass none: connected in "},
      {"closed",
       {"127.0.0.1", closed},
       kPatience,
       StrCat("fail refused: cannot connect to 127.0.0.1:", closed,
              ": nobody listens there (connection refused)")},
      {"silent",
       {"127.0.0.1", full.port()},
       brief,
       StrCat("fail timeout: no connection to 127.0.0.1:", full.port(), " within 200ms")},
      {"no such name",
       {"no-such-host.invalid", 80},
       kPatience,
       "fail name: the name \"no-such-host.invalid\" cannot be resolved: "},
  };
  for (const Row& row : rows) {
    std::string got = Told(Ask(row.probe, row.timeout));
    INFO(row.name << ": " << got);
    CHECK(Contains(got, row.want));
  }
  for (int fd : fillers) ::close(fd);
}

TEST_CASE_METHOD(ProbeFixture, "journey: against a server, in one time limit") {
  std::atomic<int> step{0};
  TinyServer server([&](const TinyRequest& request, TinyConnection& c) {
    if (request.Path() == "/login") {
      c.Respond(200, R"({"token": "t1"})", {{"Set-Cookie", "sid=s1; Path=/"}});
    } else if (request.Path() == "/orders" && request.Header("cookie") == "sid=s1" &&
               request.Header("authorization") == "Bearer t1") {
      ++step;
      c.Respond(201, R"({"id": 7})");
    } else if (request.Path() == "/hang") {
      c.AwaitClose();
    } else {
      c.Respond(403, "who are you");
    }
  });
  spec::JourneyCheck journey;
  journey.variables = {{"base", server.Url()}};
  spec::JourneyCheck::Step login, order;
  login.url = "${base}/login";
  login.extract = {{"token", spec::JourneyCheck::Extract::From::kJsonPath, "$.token"}};
  order.url = "${base}/orders";
  order.headers = {{"Authorization", "Bearer ${token}"}};
  journey.steps = {login, order};
  auto make = [&] { return JourneyProbe{std::make_shared<const spec::JourneyCheck>(journey), {}}; };
  CHECK(Contains(Told(Ask(make())), "pass none: 2 steps in "));
  CHECK(step == 1);
  journey.steps[0].extract.clear();
  CHECK(Contains(Told(Ask(make())), "unknown none: step 2: ${token} is not known"));
  spec::JourneyCheck::Step hang;
  hang.url = "${base}/hang";
  journey.steps = {login, hang};
  std::string late = Told(Ask(make(), std::chrono::milliseconds(300)));
  INFO(late);
  CHECK(Contains(late, "fail timeout: step 2: GET "));
}

TEST_CASE_METHOD(ProbeFixture,
                 "what is cancelled says nothing, and the prober goes down with work") {
  TinyServer server([](const TinyRequest&, TinyConnection& c) { c.AwaitClose(); });
  DeafPort full(0);
  std::atomic<int> answers{0};
  auto count = [&](const ProbeAnswer&) { ++answers; };
  {
    NetProber own(client, clock);
    ProbeId http = own.Probe({.what = Http(server.Url("/")), .timeout = kPatience}, count);
    ProbeId sql = own.Probe(
        {.what = PostgresProbe{StrCat("postgres://x@127.0.0.1:", full.port(), "/x"), "SELECT 1", 1},
         .timeout = kPatience},
        count);
    own.Cancel(http);
    own.Cancel(sql);
    own.Cancel(sql);
    own.Cancel(12345);
    for (int i = 0; i < 20; ++i) {
      own.Probe({.what = Http(server.Url("/")), .timeout = kPatience}, count);
      own.Probe({.what = TcpProbe{"127.0.0.1", full.port()}, .timeout = kPatience},
                [](const ProbeAnswer&) {});
      own.Probe({.what = TcpProbe{"no-such-host.invalid", 1}, .timeout = kPatience},
                [](const ProbeAnswer&) {});
    }
  }
  CHECK(answers == 0);
}

TEST_CASE_METHOD(ProbeFixture, "a probe may begin the next one, and end itself, from its answer") {
  TinyServer server([](const TinyRequest&, TinyConnection& c) { c.Respond(200, "ok"); });
  std::promise<int> finished;
  std::atomic<int> count{0};
  std::function<void(ProbeAnswer)> again = [&](const ProbeAnswer& answer) {
    if (answer.verdict != ProbeAnswer::Verdict::kPass || ++count == 6) {
      finished.set_value(count);
      return;
    }
    ProbeWhat what = count % 2 == 0 ? ProbeWhat(Http(server.Url("/")))
                                    : ProbeWhat(TcpProbe{"127.0.0.1", server.port()});
    ProbeId id = prober.Probe({.what = std::move(what), .timeout = kPatience}, again);
    prober.Cancel(id + 1000);
  };
  prober.Probe({.what = TcpProbe{"127.0.0.1", server.port()}, .timeout = kPatience}, again);
  auto future = finished.get_future();
  REQUIRE(future.wait_for(kPatience) == std::future_status::ready);
  CHECK(future.get() == 6);
}

}  // namespace
}  // namespace rollguard::probe
