// SPDX-License-Identifier: Apache-2.0
#include <atomic>

#include "agent/kube/watch_stream.h"
#include "tests/kube/kube_fixture.h"

namespace rollguard::kube {
namespace {

using testing::TinyConnection;
using testing::TinyRequest;
using testing::TinyServer;

const std::string kThree =
    R"({"type":"ADDED","object":{"metadata":{"name":"a","managedFields":[1]}}})"
    "\n"
    R"({"type":"MODIFIED","object":{"metadata":{"name":"b"}}})"
    "\n\n"
    R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}})"
    "\n";

std::string Show(const WatchEvent& event) {
  return StrCat(static_cast<int>(event.type), event.object.Dump(), ";");
}

TEST_CASE("events are found however the bytes are cut") {
  Projection projection;
  std::string whole;
  {
    WatchStream stream("watch pods", &projection, 1 << 20);
    stream.Feed(kThree, [&](WatchEvent event) {
      whole += Show(event);
      return true;
    });
    CHECK_FALSE(stream.error());
  }
  CHECK(whole == R"(0{"metadata":{"name":"a"}};1{"metadata":{"name":"b"}};)"
                 R"(3{"metadata":{"resourceVersion":"9"}};)");
  for (size_t step = 1; step < 40; ++step) {
    WatchStream stream("watch pods", &projection, 1 << 20);
    std::string got;
    for (size_t at = 0; at < kThree.size(); at += step) {
      stream.Feed(std::string_view(kThree).substr(at, step), [&](WatchEvent event) {
        got += Show(event);
        return true;
      });
    }
    stream.Finish();
    CHECK_FALSE(stream.error());
    CHECK(got == whole);
  }
}

TEST_CASE("a stream that is no watch is refused") {
  struct Row {
    std::string bytes;
    ErrorCode code;
    std::string message;
  };
  for (const Row& row : std::vector<Row>{
           {"<html>\n", ErrorCode::kUnavailable, "watch pods: an event is not valid JSON: "},
           {"{\"type\":\"ADDED\"}\n", ErrorCode::kUnavailable, "watch pods: not a watch event: "},
           {"{\"type\":\"NEW\",\"object\":{}}\n", ErrorCode::kUnavailable,
            "watch pods: not a watch event: "},
           {R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired",)"
            R"("message":"too old resource version"}})"
            "\n",
            ErrorCode::kGone, "watch pods: too old resource version (HTTP 410, Expired)"},
           {std::string(2000, 'x'), ErrorCode::kTooLarge,
            "watch pods: an event is longer than 1000 bytes"},
           {"{\"type\":\"ADDED\",\"obj", ErrorCode::kUnavailable,
            "watch pods: the stream ended in the middle of an event"}}) {
    WatchStream stream("watch pods", nullptr, 1000);
    stream.Feed(row.bytes, [](WatchEvent) { return true; });
    stream.Finish();
    REQUIRE(stream.error());
    CHECK(stream.error()->code == row.code);
    CHECK(stream.error()->message.starts_with(row.message));
  }
}

struct Watching {
  std::vector<std::string> events;
  std::promise<Status> closed;
  WatchHandler Handler() {
    return {[this](WatchEvent event) { events.push_back(event.object.At("n").Str()); },
            [this](Status status) { closed.set_value(std::move(status)); }};
  }
};

WatchRequest Pods() {
  WatchRequest request;
  request.type = resources::Pods();
  request.resource_version = "5";
  return request;
}

TEST_CASE_METHOD(KubeFixture, "a watch that the server ends") {
  TinyServer server([](const TinyRequest& r, TinyConnection& c) {
    c.StartChunked(200);
    c.Chunk(StrCat(R"({"type":"ADDED","object":{"n":"rv)", r.Query("resourceVersion"), "\"}}\n"));
    c.EndChunks();
  });
  auto client = Connect(server);
  Watching watching;
  client->Watch(Pods(), watching.Handler());
  CHECK(Await(watching.closed.get_future()).ok());
  CHECK(watching.events == std::vector<std::string>{"rv5"});
}

TEST_CASE_METHOD(KubeFixture, "a watch that is refused, cut or gone") {
  struct Row {
    std::function<void(TinyConnection&)> script;
    ErrorCode code;
    size_t events;
  };
  const std::string event = R"({"type":"ADDED","object":{"n":"1"}})"
                            "\n";
  for (const Row& row : std::vector<Row>{
           {[](TinyConnection& c) {
              c.Respond(410, R"({"kind":"Status","reason":"Expired","message":"old"})");
            },
            ErrorCode::kGone, 0},
           {[](TinyConnection& c) { c.Respond(403, R"({"kind":"Status"})"); }, ErrorCode::kDenied,
            0},
           {[&](TinyConnection& c) {
              c.StartChunked(200);
              c.Chunk(event);
              c.Close();
            },
            ErrorCode::kUnavailable, 1},
           {[&](TinyConnection& c) {
              c.StartChunked(200);
              c.Chunk(event + R"({"type":"ERROR","object":{"code":410,"reason":"Expired"}})" +
                      "\n" + event);
              c.AwaitClose();  // the client ends a stream that is of no more use
            },
            ErrorCode::kGone, 1}}) {
    TinyServer server([&](const TinyRequest&, TinyConnection& c) { row.script(c); });
    auto client = Connect(server);
    Watching watching;
    client->Watch(Pods(), watching.Handler());
    Status status = Await(watching.closed.get_future());
    REQUIRE_FALSE(status.ok());
    INFO(status.error().message);
    CHECK(status.error().code == row.code);
    CHECK(watching.events.size() == row.events);
  }
}

TEST_CASE_METHOD(KubeFixture, "after CancelWatch nothing is called") {
  std::promise<void> first;
  std::promise<void> closed;
  TinyServer server([&](const TinyRequest&, TinyConnection& c) {
    c.StartChunked(200);
    c.Chunk(R"({"type":"ADDED","object":{"n":"1"}})"
            "\n");
    c.AwaitClose();
    closed.set_value();
  });
  auto client = Connect(server);
  std::atomic<int> calls{0};
  WatchId id = client->Watch(Pods(), {[&](WatchEvent) {
                                        ++calls;
                                        first.set_value();
                                      },
                                      [&](Status) { ++calls; }});
  Await(first.get_future());
  client->CancelWatch(id);
  Await(closed.get_future());
  CHECK(calls == 1);
  client->CancelWatch(id);
}

}  // namespace
}  // namespace rollguard::kube
