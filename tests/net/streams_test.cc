// SPDX-License-Identifier: Apache-2.0
// Streams, cancellation and timers.
#include <atomic>
#include <thread>

#include "agent/base/text.h"
#include "tests/net/http_fixture.h"
#include "tests/support/tiny_server.h"

namespace rollguard::net {
namespace {

using testing::TinyConnection;
using testing::TinyRequest;
using testing::TinyServer;

HttpRequest Endless(const TinyServer& server, const char* path = "/") {
  HttpRequest request = Get(server.Url(path));
  request.timeout = Duration(0);
  return request;
}

TEST_CASE_METHOD(NetFixture, "a stream hands on bytes as they come and ends once") {
  std::promise<void> go_on;
  auto may_go_on = go_on.get_future().share();
  TinyServer server([&](const TinyRequest&, TinyConnection& c) {
    c.StartChunked(200);
    c.Chunk("one\n");
    may_go_on.wait();
    c.Chunk("two\n");
    c.EndChunks();
  });
  std::string got;
  auto [done, ended] = Promised<Expected<HttpResponse>>();
  HttpStream stream;
  stream.data = [&](std::string_view bytes) {
    got += bytes;
    if (got == "one\n") go_on.set_value();  // the second part is sent only after the first came
  };
  stream.done = done;
  client.Stream(Endless(server), stream);
  auto end = Await(std::move(ended));
  REQUIRE(end.ok());
  CHECK(end->status == 200);
  CHECK(end->body.empty());
  CHECK(got == "one\ntwo\n");
}

TEST_CASE_METHOD(NetFixture, "a stream that is refused gives status and the start of the body") {
  TinyServer server([](const TinyRequest& r, TinyConnection& c) {
    c.Respond(410, r.target == "/long" ? std::string(1 << 20, 'x') : "gone");
    c.Close();
  });
  for (const char* path : {"/short", "/long"}) {
    bool any_data = false;
    auto [done, ended] = Promised<Expected<HttpResponse>>();
    HttpStream stream;
    stream.data = [&](std::string_view) { any_data = true; };
    stream.done = done;
    client.Stream(Endless(server, path), stream);
    auto end = Await(std::move(ended));
    REQUIRE(end.ok());
    CHECK(end->status == 410);
    CHECK(end->body.size() == (std::string(path) == "/long" ? 65536 : 4));
    CHECK_FALSE(any_data);
  }
}

TEST_CASE_METHOD(NetFixture, "ten watches share the thread with ordinary calls") {
  TinyServer server([](const TinyRequest& r, TinyConnection& c) {
    if (r.target != "/watch") {
      c.Respond(200, "ok");
      return;
    }
    c.StartChunked(200);
    c.Chunk("event\n");
    c.AwaitClose();
  });
  std::atomic<int> events{0};
  std::vector<HttpId> watches;
  std::vector<std::future<int>> arrived;
  for (int i = 0; i < 10; ++i) {
    auto [note, came] = Promised<int>();
    HttpStream stream;
    stream.data = [&, note = note](std::string_view) { note(++events); };
    watches.push_back(client.Stream(Endless(server, "/watch"), stream));
    arrived.push_back(std::move(came));
  }
  for (auto& came : arrived) Await(std::move(came));
  CHECK(Fetch(client, Get(server.Url("/call"))).ok());
  for (HttpId id : watches) client.Cancel(id);
  CHECK(events == 10);
}

TEST_CASE_METHOD(NetFixture, "after Cancel no callback comes, and the connection is closed") {
  std::promise<void> arrived;
  std::promise<void> closed;
  TinyServer server([&](const TinyRequest&, TinyConnection& c) {
    arrived.set_value();
    c.AwaitClose();
    closed.set_value();
  });
  std::atomic<bool> called{false};
  HttpId id = client.Send(Get(server.Url("/")), [&](Expected<HttpResponse>) { called = true; });
  Await(arrived.get_future());
  client.Cancel(id);
  Await(closed.get_future());
  CHECK_FALSE(called);
  client.Cancel(id);  // again, and of what never was: nothing happens
  client.Cancel(1 << 30);
}

TEST_CASE_METHOD(NetFixture, "Cancel waits for the callback that runs") {
  TinyServer server([](const TinyRequest&, TinyConnection& c) { c.Respond(200, "ok"); });
  std::promise<void> inside;
  std::promise<void> leave;
  std::atomic<bool> finished{false};
  auto may_leave = leave.get_future().share();
  HttpId id = client.Send(Get(server.Url("/")), [&, may_leave](Expected<HttpResponse>) {
    inside.set_value();
    may_leave.wait();
    finished = true;
  });
  Await(inside.get_future());
  std::thread canceller([&] {
    client.Cancel(id);
    CHECK(finished);
  });
  leave.set_value();
  canceller.join();
}

TEST_CASE_METHOD(NetFixture, "an exchange may be cancelled and another begun inside a callback") {
  TinyServer server([](const TinyRequest& r, TinyConnection& c) {
    r.target == "/slow" ? c.AwaitClose() : static_cast<void>(c.Respond(200, r.target));
  });
  std::atomic<bool> slow_called{false};
  auto [done, answer] = Promised<Expected<HttpResponse>>();
  HttpId slow =
      client.Send(Get(server.Url("/slow")), [&](Expected<HttpResponse>) { slow_called = true; });
  client.Send(Get(server.Url("/a")), [&, done = done](Expected<HttpResponse>) {
    client.Cancel(slow);
    client.Send(Get(server.Url("/b")), done);
  });
  auto second = Await(std::move(answer));
  REQUIRE(second.ok());
  CHECK(second->body == "/b");
  CHECK_FALSE(slow_called);
}

TEST_CASE_METHOD(NetFixture, "a stream may cancel itself from its data callback") {
  std::promise<void> closed;
  TinyServer server([&](const TinyRequest&, TinyConnection& c) {
    c.StartChunked(200);
    c.Chunk("x");
    c.AwaitClose();
    closed.set_value();
  });
  std::atomic<int> calls{0};
  std::atomic<HttpId> id{0};
  std::promise<void> known;
  auto is_known = known.get_future().share();
  HttpStream stream;
  stream.data = [&, is_known](std::string_view) {
    is_known.wait();
    ++calls;
    client.Cancel(id);
  };
  stream.done = [&](Expected<HttpResponse>) { ++calls; };
  id = client.Stream(Endless(server), stream);
  known.set_value();
  Await(closed.get_future());
  CHECK(calls == 1);
}

TEST_CASE("the destructor drops what is under way and calls nothing") {
  testing::RealClock clock;
  std::promise<void> arrived;
  TinyServer server([&](const TinyRequest&, TinyConnection& c) {
    arrived.set_value();
    c.AwaitClose();
  });
  std::atomic<int> called{0};
  {
    CurlClient client(clock);
    client.Send(Get(server.Url("/")), [&](Expected<HttpResponse>) { ++called; });
    client.After(std::chrono::hours(1), [&] { ++called; });
    Await(arrived.get_future());
  }
  CHECK(called == 0);
}

TEST_CASE_METHOD(NetFixture, "timers run in order, may set others, and can be cancelled") {
  std::vector<int> order;
  std::atomic<bool> cancelled_ran{false};
  auto [done, ended] = Promised<int>();
  TimerId never = client.After(Duration(20), [&] { cancelled_ran = true; });
  client.After(Duration(30), [&, done = done] {
    order.push_back(3);
    client.After(Duration(0), [&, done] {
      order.push_back(4);
      done(0);
    });
  });
  client.After(Duration(10), [&] { order.push_back(2); });
  client.After(Duration(0), [&] { order.push_back(1); });
  client.CancelTimer(never);
  Await(std::move(ended));
  CHECK(order == std::vector<int>{1, 2, 3, 4});
  CHECK_FALSE(cancelled_ran);
  client.CancelTimer(never);
}

}  // namespace
}  // namespace rollguard::net
