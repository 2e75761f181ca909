// SPDX-License-Identifier: Apache-2.0
// Every limit of a request and of a connection: at the limit it is served, one beyond it is not.
#include <future>
#include <memory>

#include "agent/base/text.h"
#include "agent/http/head.h"
#include "agent/http/server.h"
#include "tests/http/raw_client.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"
#include "tests/support/real_clock.h"

namespace rollguard::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::PollUntil;

std::string StatusLine(const std::string& response) {
  return response.substr(0, response.find("\r\n"));
}

struct Served {
  testing::RealClock clock;
  Router router;
  std::unique_ptr<Server> server;
  // The handler of /wait answers when it is kept.
  std::promise<void> go;
  std::promise<void> begun;

  explicit Served(ServerOptions options) {
    router.Add("POST", "/echo", [](const Request& r) { return Response{.body = r.body}; });
    router.Add("GET", "/wait", [this](const Request&) {
      begun.set_value();
      go.get_future().wait();
      return Response{.body = "waited"};
    });
    router.Add("GET", "/events",
               [](const Request&) { return Response{.subscription = EventSubscription{}}; });
    server = std::make_unique<Server>(options, router, clock);
    REQUIRE(server->Start().ok());
  }
};

TEST_CASE("the limits of a head hold to the byte", "[http]") {
  const HeadLimits limits;
  const auto padded = [](size_t bytes) {
    const std::string begin = "GET / HTTP/1.1\r\nHost: x\r\nX: ";
    return begin + std::string(bytes - begin.size() - 4, 'a') + "\r\n\r\n";
  };
  const auto target = [](size_t bytes) {
    return "GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n";
  };
  const auto headers = [](size_t count) {
    std::string text = "GET / HTTP/1.1\r\nHost: x\r\n";
    for (size_t i = 1; i < count; ++i) text += StrCat("A", i, ": 1\r\n");
    return text + "\r\n";
  };
  const auto body = [](size_t bytes) {
    return StrCat("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ", bytes, "\r\n\r\n");
  };
  struct Row {
    const char* name;
    std::string fits, not_quite;
    int status;
  };
  for (const Row& row :
       {Row{"bytes", padded(limits.max_bytes), padded(limits.max_bytes + 1), 431},
        Row{"target", target(limits.max_target), target(limits.max_target + 1), 414},
        Row{"headers", headers(limits.max_headers), headers(limits.max_headers + 1), 431},
        Row{"body", body(limits.max_body), body(limits.max_body + 1), 413}}) {
    INFO(row.name);
    REQUIRE(FindHeadEnd(row.fits) == row.fits.size());
    CHECK(ParseHead(row.fits, limits).refuse == 0);
    CHECK(ParseHead(row.not_quite, limits).refuse == row.status);
  }
}

TEST_CASE("a body that does not come meets its deadline", "[http]") {
  Served s({.body_deadline = milliseconds(300)});
  RawClient slow(s.server->port());
  slow.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
  CHECK(StatusLine(slow.ReadAll()) == "HTTP/1.1 408 Request Timeout");
}

TEST_CASE("a connection that is idle for too long is closed", "[http]") {
  Served s({.idle_timeout = milliseconds(300)});
  RawClient idle(s.server->port());
  idle.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
  CHECK(idle.ReadResponse().ends_with("hi"));
  CHECK(idle.ReadAll().empty());
  CHECK(PollUntil([&] { return s.server->stats().open == 0; }, seconds(1)));
}

TEST_CASE("requests beyond the queue are refused, and told when to come again", "[http]") {
  Served s({.workers = 1, .max_queued = 1});
  RawClient working(s.server->port());
  working.Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  s.begun.get_future().wait();
  const std::string post = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
  RawClient first(s.server->port()), second(s.server->port());
  first.Send(post);
  second.Send(post);
  // One of the two has the place; which one is the loop's to say.
  CHECK(PollUntil([&] { return s.server->stats().refused > 0; }, seconds(30)));
  s.go.set_value();
  CHECK(working.ReadResponse().ends_with("waited"));
  std::string waited = first.ReadResponse(), refused = second.ReadResponse();
  if (StatusLine(waited) != "HTTP/1.1 200 OK") std::swap(waited, refused);
  CHECK(waited.ends_with("hi"));
  CHECK(StatusLine(refused) == "HTTP/1.1 503 Service Unavailable");
  CHECK(refused.find("Retry-After: 1") != std::string::npos);
}

TEST_CASE("an urgent request finds a worker while all others work and the queue is full",
          "[http]") {
  Served s({.workers = 1, .urgent = "/echo", .max_queued = 1});
  RawClient working(s.server->port());
  working.Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  s.begun.get_future().wait();
  RawClient waiting(s.server->port());
  waiting.Send("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
  RawClient urgent(s.server->port());
  urgent.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
  CHECK(urgent.ReadResponse().ends_with("hi"));
  s.go.set_value();
  CHECK(working.ReadResponse().ends_with("waited"));
  CHECK(StatusLine(waiting.ReadResponse()) == "HTTP/1.1 404 Not Found");
}

TEST_CASE("a stream whose listener does not read is dropped", "[http]") {
  Served s({.max_stream_buffer = 64 << 10});
  RawClient deaf(s.server->port());
  deaf.Send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  deaf.ReadUntil("retry: 2000\n\n");
  // More than the sockets' own buffers hold; one after the other, for the server itself keeps no
  // more than one such event.
  const std::string megabyte(1 << 20, 'x');
  const auto dropped = [&] {
    s.server->Publish("tick", "", megabyte);
    return s.server->stats().dropped_streams == 1;
  };
  CHECK(PollUntil(dropped, seconds(30)));
}

}  // namespace
}  // namespace rollguard::http
