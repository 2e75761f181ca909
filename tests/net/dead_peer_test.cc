// SPDX-License-Identifier: Apache-2.0
// Peers that are gone without a word: a machine that lost its power, a firewall that forgot its
// connections. Nothing is refused and nothing is closed; there is silence.
#include "tests/net/http_fixture.h"
#include "tests/support/cut_proxy.h"
#include "tests/support/tiny_server.h"

namespace rollguard::net {
namespace {

using testing::TinyConnection;
using testing::TinyRequest;

constexpr std::chrono::seconds kDeadAfter{1};

struct Silent {
  Silent() : wire(server.port(), {}) {}
  std::string Url(const char* path) const { return "http://" + wire.address().Text() + path; }

  testing::TinyServer server{[](const TinyRequest& request, TinyConnection& c) {
    if (request.target != "/watch") {
      c.Respond(200, "ok");
      return;
    }
    c.StartChunked(200);
    c.Chunk("event\n");
    c.AwaitClose();
  }};
  testing::CutProxy wire;
  testing::RealClock clock;
  CurlClient client{clock, {.dead_after = kDeadAfter}};
};

TEST_CASE_METHOD(Silent, "a watch whose peer is gone without a word ends") {
  auto [came, first] = Promised<bool>();
  auto [done, ended] = Promised<Expected<HttpResponse>>();
  HttpRequest request = Get(Url("/watch"));
  request.timeout = Duration(0);
  HttpStream stream;
  stream.data = [came = came](std::string_view) { came(true); };
  stream.done = done;
  client.Stream(request, stream);
  REQUIRE(Await(std::move(first)));
  wire.Forget();
  const auto end = Await(std::move(ended));
  REQUIRE_FALSE(end.ok());
  CHECK(end.error().message.find("the answer was cut short") != std::string::npos);
}

TEST_CASE_METHOD(Silent, "a kept connection whose peer is gone without a word is replaced") {
  REQUIRE(Fetch(client, Get(Url("/"))).ok());
  wire.Forget();
  const auto answer = Fetch(client, Get(Url("/")));
  REQUIRE(answer.ok());
  CHECK(answer->status == 200);
  CHECK(server.connections() == 2);
}

}  // namespace
}  // namespace rollguard::net
