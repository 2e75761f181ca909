// SPDX-License-Identifier: Apache-2.0
// The server as a hostile and as an ordinary client meets it. Each case of "hole" is something
// cpp-httplib's own server lets through; the connection guard does not.
#include "agent/http/server.h"

#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "agent/base/text.h"
#include "agent/http/event_hub.h"
#include "tests/http/raw_client.h"
#include "tests/support/catch.h"

namespace rollguard::http {
namespace {

class RealClock : public Clock {
 public:
  Time Now() const override {
    return std::chrono::floor<Duration>(std::chrono::system_clock::now());
  }
  std::chrono::nanoseconds Monotonic() const override {
    return std::chrono::steady_clock::now().time_since_epoch();
  }
};

struct Fixture {
  RealClock clock;
  Router router;
  std::unique_ptr<Server> server;

  explicit Fixture(ServerOptions options = {}) {
    router.Add("GET", "/hello/{name}", [](const Request& r) {
      return Response{
          .body = StrCat("{\"hello\":", Quote(r.matches[0]), ",\"q\":", Quote(r.Param("q")), "}")};
    });
    router.Add("POST", "/echo", [](const Request& r) {
      return Response{.content_type = "text/plain", .body = r.body};
    });
    router.Add("GET", "/who", [](const Request& r) { return Response{.body = r.remote_address}; });
    router.Add("GET", "/throws",
               [](const Request&) -> Response { throw std::runtime_error("secret inside"); });
    router.Add("GET", "/big",
               [](const Request&) { return Response{.body = std::string(2'000'000, 'x')}; });
    router.Add("GET", "/events", [](const Request& r) {
      return Response{
          .subscription = EventSubscription{
              .after_id = static_cast<uint64_t>(ParseInt(r.Header("last-event-id")).value_or(0))}};
    });
    server = std::make_unique<Server>(options, router, clock);
    Status started = server->Start();
    REQUIRE(started.ok());
  }

  std::string Ask(std::string_view bytes) {
    RawClient client(server->port());
    client.Send(bytes);
    return client.ReadResponse();
  }
};

std::string StatusLine(const std::string& response) {
  return response.substr(0, response.find("\r\n"));
}

std::string Post(std::string_view path, std::string_view body, std::string_view more = "") {
  return StrCat("POST ", path, " HTTP/1.1\r\nHost: x\r\nContent-Length: ", body.size(), "\r\n",
                more, "\r\n", body);
}

}  // namespace

TEST_CASE("ordinary requests are answered", "[http]") {
  Fixture f;
  CHECK(f.Ask("GET /hello/bob?q=1%202 HTTP/1.1\r\nHost: x\r\n\r\n")
            .find("{\"hello\":\"bob\",\"q\":\"1 2\"}") != std::string::npos);
  CHECK(f.Ask(Post("/echo", "abc")).ends_with("abc"));
  CHECK(StatusLine(f.Ask("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")) == "HTTP/1.1 404 Not Found");
  std::string wrong = f.Ask(Post("/who", ""));
  CHECK(StatusLine(wrong) == "HTTP/1.1 405 Method Not Allowed");
  CHECK(wrong.find("Allow: GET") != std::string::npos);
  std::string thrown = f.Ask("GET /throws HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(StatusLine(thrown) == "HTTP/1.1 500 Internal Server Error");
  CHECK(thrown.find("secret") == std::string::npos);
  CHECK(f.Ask("GET /big HTTP/1.1\r\nHost: x\r\n\r\n").size() > 2'000'000);
}

TEST_CASE("hole: what is not a clean request is refused", "[http]") {
  struct Row {
    const char* name;
    std::string bytes;
    int status;
  };
  const Row rows[] = {
      {"length that is no number", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
       400},
      {"negative length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
      {"two lengths",
       "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", 400},
      {"length and chunks",
       "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: "
       "chunked\r\n\r\nabc",
       411},
      {"chunks", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       411},
      {"no length", "POST /echo HTTP/1.1\r\nHost: x\r\n\r\n", 411},
      {"gzip body", Post("/echo", "abc", "Content-Encoding: gzip\r\n"), 415},
      {"body over the cap", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
       413},
      {"endless header", "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'a'), 431},
      {"endless request line", "GET /" + std::string(20'000, 'a'), 431},
      {"long target", "GET /" + std::string(5'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", 414},
      {"many headers",
       [] {
         std::string text = "GET / HTTP/1.1\r\nHost: x\r\n";
         for (int i = 0; i < 100; ++i) text += StrCat("A", i, ": 1\r\n");
         return text + "\r\n";
       }(),
       431},
      {"folded header", "GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\n b\r\n\r\n", 400},
      {"space before the colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
      {"control character", "GET / HTTP/1.1\r\nHost: x\x01\r\n\r\n", 400},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"two hosts of old", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"another protocol", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400},
      {"absolute target", "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"TLS on a plain port", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", 12), 400},
  };
  Fixture f;
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(StatusLine(f.Ask(row.bytes)).substr(0, 12) == StrCat("HTTP/1.1 ", row.status));
  }
  CHECK(f.Ask(Post("/echo", "still fine")).ends_with("still fine"));
}

TEST_CASE("hole: idle and slow connections hold no worker", "[http]") {
  Fixture f;
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 500; ++i) {
    idle.push_back(std::make_unique<RawClient>(f.server->port()));
    if (i % 2 == 0) idle.back()->Send("POST /echo HTTP/1.1\r\nHo");
  }
  CHECK(f.Ask(Post("/echo", "through")).ends_with("through"));
}

TEST_CASE("hole: one byte at a time does not outlive the deadline", "[http]") {
  Fixture f({.head_deadline = std::chrono::milliseconds(300)});
  RawClient slow(f.server->port());
  slow.Send("GET / HTTP/1.1\r\n");
  std::string answer = slow.ReadAll();
  CHECK(StatusLine(answer) == "HTTP/1.1 408 Request Timeout");
}

TEST_CASE("hole: three pipelined requests get three answers", "[http]") {
  Fixture f;
  RawClient client(f.server->port());
  client.Send(Post("/echo", "one") + Post("/echo", "two") + Post("/echo", "three"));
  CHECK(client.ReadResponse().ends_with("one"));
  CHECK(client.ReadResponse().ends_with("two"));
  CHECK(client.ReadResponse().ends_with("three"));
}

TEST_CASE("hole: a kept connection serves more than five requests", "[http]") {
  Fixture f;
  RawClient client(f.server->port());
  for (int i = 0; i < 100; ++i) {
    client.Send(Post("/echo", std::to_string(i)));
    REQUIRE(client.ReadResponse().ends_with(std::to_string(i)));
  }
}

TEST_CASE("hole: the peer's address cannot be spoofed, ranges are not multiplied", "[http]") {
  Fixture f;
  CHECK(
      f.Ask("GET /who HTTP/1.1\r\nHost: x\r\nREMOTE_ADDR: 6.6.6.6\r\n\r\n").ends_with("127.0.0.1"));
  std::string ranges = "0-0";
  for (int i = 0; i < 900; ++i) ranges += ",0-9";
  std::string answer = f.Ask("GET /big HTTP/1.1\r\nHost: x\r\nRange: bytes=" + ranges + "\r\n\r\n");
  CHECK(StatusLine(answer) == "HTTP/1.1 200 OK");
}

TEST_CASE("hole: a second server does not share the port", "[http]") {
  Fixture f;
  ServerOptions same;
  same.port = f.server->port();
  Server second(same, f.router, f.clock);
  Status started = second.Start();
  REQUIRE_FALSE(started.ok());
  CHECK(started.error().message.find("Address already in use") != std::string::npos);
}

TEST_CASE("Expect: 100-continue is honoured", "[http]") {
  Fixture f;
  RawClient client(f.server->port());
  client.Send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.ReadUntil("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("ok");
  CHECK(client.ReadResponse().ends_with("ok"));
}

TEST_CASE("event streams: live, resumed, and a gap is said", "[http]") {
  Fixture f;
  RawClient live(f.server->port());
  live.Send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  live.ReadUntil("retry: 2000\n\n");
  uint64_t first = f.server->Publish("decision", "shop/a", "{\"n\":1}");
  CHECK(live.ReadUntil("}\n\n") == StrCat("id: ", first, "\nevent: decision\ndata: {\"n\":1}\n\n"));
  f.server->Publish("decision", "shop/a", "{\"n\":2}");
  RawClient resumed(f.server->port());
  resumed.Send(StrCat("GET /events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: ", first, "\r\n\r\n"));
  CHECK(resumed.ReadUntil("\"n\":2}\n\n").find("\"n\":1") == std::string::npos);
  for (int i = 0; i < 5000; ++i) f.server->Publish("tick", "", "{}");
  RawClient late(f.server->port());
  late.Send(StrCat("GET /events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: ", first, "\r\n\r\n"));
  CHECK(late.ReadUntil("retry: 2000\n\n").ends_with("\n\n"));
  CHECK(late.ReadUntil("\n\n") == "event: gap\ndata: {}\n\n");
  // An id that was never given: another agent's, or one's before a restart.
  RawClient stranger(f.server->port());
  stranger.Send("GET /events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 900000\r\n\r\n");
  stranger.ReadUntil("retry: 2000\n\n");
  CHECK(stranger.ReadUntil("\n\n") == "event: gap\ndata: {}\n\n");
  uint64_t next = f.server->Publish("decision", "shop/a", "{\"n\":3}");
  CHECK(stranger.ReadUntil("}\n\n") ==
        StrCat("id: ", next, "\nevent: decision\ndata: {\"n\":3}\n\n"));
}

TEST_CASE("events are kept up to a number and a size, and the newest always", "[http]") {
  EventHub hub({.events = 3, .bytes = 100}, 1);
  const auto publish = [&](size_t bytes) { return hub.Publish("", "", std::string(bytes, 'x')); };
  for (int i = 0; i < 4; ++i) publish(1);
  CHECK(hub.After(0).size() == 3);
  CHECK(hub.HasGap(0));
  CHECK_FALSE(hub.HasGap(1));
  publish(98);  // 1 + 1 + 98: just fits
  CHECK(hub.After(0).size() == 3);
  publish(2);  // 98 + 2
  CHECK(hub.After(0).size() == 2);
  CHECK(publish(1000) == 7);
  CHECK(hub.After(0).size() == 1);
  publish(1);
  CHECK(hub.After(0).size() == 1);
  CHECK(hub.After(0)[0]->id == 8);
}

TEST_CASE("a stream ends when its listener may no longer listen", "[http]") {
  Fixture f;
  std::atomic<bool> allowed = true;
  std::promise<void> asked_twice;
  std::atomic<int> asked = 0;
  f.router.Add("GET", "/watched", [&](const Request&) {
    EventSubscription subscription;
    subscription.ask_again = std::chrono::milliseconds(1);
    subscription.still_allowed = [&] {
      if (++asked == 2) asked_twice.set_value();
      return allowed.load();
    };
    return Response{.subscription = std::move(subscription)};
  });
  RawClient client(f.server->port());
  client.Send("GET /watched HTTP/1.1\r\nHost: x\r\n\r\n");
  client.ReadUntil("retry: 2000\n\n");
  asked_twice.get_future().wait();
  f.server->Publish("decision", "shop/a", "{\"n\":1}");
  CHECK(client.ReadUntil("}\n\n").find("\"n\":1") != std::string::npos);
  allowed = false;
  client.ReadAll();  // until the server closes
  CHECK(f.server->stats().streams == 0);
}

TEST_CASE("when connections run out the one idle for longest makes room", "[http]") {
  ServerOptions options;
  options.max_connections = 8;
  Fixture f(options);
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 20; ++i) idle.push_back(std::make_unique<RawClient>(f.server->port()));
  CHECK(f.Ask(Post("/echo", "in")).ends_with("in"));
  CHECK(f.server->stats().evicted >= 12);
}

TEST_CASE("a stopping server finishes what it took", "[http]") {
  Fixture f;
  f.router.Add("GET", "/slow", [](const Request&) {
    std::this_thread::yield();
    return Response{.body = "done"};
  });
  RawClient client(f.server->port());
  client.Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.ReadResponse().ends_with("done"));
  f.server->Stop();
  CHECK_FALSE(RawClient(f.server->port()).connected());
}

}  // namespace rollguard::http
