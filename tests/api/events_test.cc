// SPDX-License-Identifier: Apache-2.0
// What a stream of events carries: narrowed by what the caller may see and by what it asked for.
#include "agent/api/page.h"
#include "agent/api/route.h"
#include "agent/api/schema.h"
#include "agent/base/text.h"
#include "tests/api/api_world.h"
#include "tests/support/catch.h"

namespace rollguard::api {
namespace {

using rollguard::testing::ApiWorld;
using rollguard::testing::Reply;

std::unique_ptr<ApiWorld> MakeWorld() {
  testing::ApiWorldOptions options;
  options.guards = {testing::CanaryManifest("shop", "cart", "[{setWeight: 20}]"),
                    testing::CanaryManifest("pay", "ledger", "[{setWeight: 20}]")};
  return std::make_unique<ApiWorld>(std::move(options));
}

http::Event Of(const char* type, const char* topic) {
  return {.id = 1, .type = type, .data = "{}", .topic = topic};
}

}  // namespace

TEST_CASE("a stream carries what was asked for and may be seen", "[api]") {
  auto world = MakeWorld();
  struct Row {
    const char* path;
    const char* token;
    const char* type;
    const char* topic;
    bool want;
  };
  const Row rows[] = {
      {"/events", "sre-token", "guard", "shop/cart", true},
      {"/events", "sre-token", "alert", "", true},
      {"/events", "dev-token", "guard", "shop/cart", true},
      {"/events", "dev-token", "guard", "pay/ledger", false},
      {"/events", "dev-token", "alert", "", false},
      {"/events", "dev-token", "guard", "shopping/cart", false},
      {"/events?guard=shop/cart", "sre-token", "guard", "shop/cart", true},
      {"/events?guard=shop/cart", "sre-token", "guard", "shop/cart2", false},
      {"/events?guard=shop/cart", "sre-token", "guard", "pay/ledger", false},
      {"/events?namespace=pay", "sre-token", "decision", "pay/ledger", true},
      {"/events?namespace=pay", "sre-token", "decision", "shop/cart", false},
      {"/events?types=decision,notice", "sre-token", "notice", "shop/cart", true},
      {"/events?types=decision,notice", "sre-token", "guard", "shop/cart", false},
  };
  for (const Row& row : rows) {
    INFO(row.path << " as " << row.token << ": " << row.type << " of '" << row.topic << "'");
    Reply reply = world->Ask({.path = row.path, .token = row.token});
    REQUIRE(reply.subscription.has_value());
    CHECK(reply.subscription->wants(Of(row.type, row.topic)) == row.want);
  }
  CHECK(world->Ask({.path = "/events?namespace=pay", .token = "dev-token"}).status == 403);
  CHECK(world->Ask({.path = "/events", .token = "nobody-token"}).status == 403);
}

TEST_CASE("a stream ends when the token is no longer known, or sees something else", "[api]") {
  testing::TempDir files("stream");
  testing::ApiWorldOptions options;
  options.guards = {testing::CanaryManifest("shop", "cart", "[{setWeight: 20}]"),
                    testing::CanaryManifest("pay", "ledger", "[{setWeight: 20}]")};
  std::string file = files.Write("page", "first-token");
  options.auth.tokens = {{"page", file, {}, {"list", "watch"}, {}}};
  ApiWorld world(std::move(options));
  Reply known = world.Ask({.path = "/events", .token = "first-token"});
  Reply dev = world.Ask({.path = "/events", .token = "dev-token"});
  REQUIRE((known.subscription && dev.subscription));
  CHECK(known.subscription->ask_again <= std::chrono::seconds(5));
  CHECK(known.subscription->still_allowed());
  CHECK(dev.subscription->still_allowed());
  // The token is taken away; files are read again after a second, reviews after `auth.cache`.
  files.Write("page", "second-token");
  world.TakeRights("dev@example");
  world.Advance(spec::AuthConfig{}.cache + std::chrono::seconds(1));
  CHECK_FALSE(known.subscription->still_allowed());
  CHECK_FALSE(dev.subscription->still_allowed());
  CHECK(world.Ask({.path = "/events", .token = "first-token"}).status == 401);
  CHECK(world.Ask({.path = "/events", .token = "dev-token"}).status == 403);
}

TEST_CASE("a stream resumes where it was cut", "[api]") {
  auto world = MakeWorld();
  CHECK(world->Ask({.path = "/events"}).subscription->after_id == 0);
  CHECK(world->Ask({.path = "/events?after=41"}).subscription->after_id == 41);
  Reply resumed = world->Ask({.path = "/events", .headers = {{"last-event-id", "42"}}});
  CHECK(resumed.subscription->after_id == 42);
  CHECK(world->Ask({.path = "/events", .headers = {{"last-event-id", "x"}}}).status == 400);
}

TEST_CASE("events are rows and decisions as the document knows them", "[api]") {
  auto world = MakeWorld();
  std::vector<std::pair<std::string, Json>> events;
  uint64_t id = 0;
  world->Do([&] {
    world->api().SetPublisher([&](std::string type, std::string topic, std::string data) {
      CHECK(topic == "shop/cart");
      events.emplace_back(type, *ParseJson(data));
      return ++id;
    });
  });
  world->Release("shop/cart", "v2");
  world->Advance(std::chrono::minutes(1));
  world->SendAlert("Burning", "shop/cart");
  std::set<std::string> types;
  world->Do([&] {
    world->api().SetPublisher({});
    for (const auto& [type, data] : events) {
      INFO(type << " " << data.Dump());
      types.insert(type);
      const char* shape = type == "guard"      ? "GuardRow"
                          : type == "decision" ? "Decision"
                          : type == "alert"    ? "AlertReceipt"
                                               : "object";
      CHECK(CheckType(data, shape, "event") == std::vector<std::string>{});
    }
  });
  CHECK(types == std::set<std::string>{"alert", "decision", "guard", "notice"});
}

TEST_CASE("what is served is what the table says, and the page's files", "[api]") {
  auto world = MakeWorld();
  std::set<std::string> want = {"GET /"}, have;
  for (const Route& route : Routes()) want.insert(StrCat(route.method, " ", route.pattern));
  for (const Asset& asset : Assets()) want.insert(StrCat("GET ", asset.path));
  for (const std::string& route : world->router().routes()) have.insert(route);
  CHECK(have == want);
}

TEST_CASE("the page is served with its policy, compressed, and once", "[api]") {
  auto world = MakeWorld();
  Reply page = world->Ask({.path = "/", .token = ""});
  CHECK(page.status == 200);
  CHECK(page.Header("content-type") == "text/html; charset=utf-8");
  std::string policy = page.Header("content-security-policy");
  CHECK(policy.find("default-src 'none'") == 0);
  CHECK(policy.find("unsafe") == std::string::npos);
  CHECK(policy.find("http") == std::string::npos);
  CHECK(page.Header("x-content-type-options") == "nosniff");
  Reply again =
      world->Ask({.path = "/", .token = "", .headers = {{"if-none-match", page.Header("etag")}}});
  CHECK(again.status == 304);
  CHECK(again.body.empty());
  for (const Asset& asset : Assets()) {
    INFO(asset.path);
    Reply plain = world->Ask({.path = std::string(asset.path), .token = ""});
    CHECK(plain.body == asset.bytes);
    Reply packed = world->Ask(
        {.path = std::string(asset.path), .token = "", .headers = {{"accept-encoding", "gzip"}}});
    CHECK(packed.status == 200);
    if (asset.bytes.size() > 2000) CHECK(packed.body.size() < asset.bytes.size() / 2);
    // No script or style of another place, and none inside the page.
    CHECK(asset.bytes.find("https://") == std::string_view::npos);
    CHECK(asset.bytes.find("innerHTML") == std::string_view::npos);
    CHECK(asset.bytes.find(" style=") == std::string_view::npos);
    CHECK(asset.bytes.find(" onclick=") == std::string_view::npos);
  }
}

}  // namespace rollguard::api
