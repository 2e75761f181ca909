// SPDX-License-Identifier: Apache-2.0
// A person without the verb `rollback`, at every face that a terminal reaches: commands, plain
// requests, Flagger's gate. The page has a test of its own, the table of routes too.
#include "agent/api/route.h"
#include "agent/base/text.h"
#include "agent/http/server.h"
#include "agent/net/curl_client.h"
#include "tests/api/api_world.h"
#include "tests/cli/call.h"
#include "tests/support/catch.h"

namespace rollguard::cli {
namespace {

struct Stage {
  TempFile dev{"dev-token"}, webhook{"webhook-token"};
  testing::RealClock clock;
  testing::ApiWorld world;
  http::Server server;
  net::CurlClient client{clock};

  Stage() : world(Options(webhook.path())), server({}, world.router(), clock) {
    REQUIRE(server.Start().ok());
    world.Release("shop/cart", "v2");
    REQUIRE(world.AdvanceUntil([&] { return world.StateOf("shop/cart") == "waiting"; },
                               std::chrono::minutes(10)));
  }
  static testing::ApiWorldOptions Options(const std::string& webhook) {
    testing::ApiWorldOptions options;
    options.guards = {testing::CanaryManifest(
        "shop", "cart", "[{setWeight: 20}, {approval: {required: 1, groups: [sre]}}]")};
    options.auth.webhooks =
        spec::WebhookAuth{.bearer_token_file = webhook, .username = {}, .password_file = {}};
    return options;
  }
  std::string Url() const { return StrCat("http://127.0.0.1:", server.port()); }
  Outcome Say(std::vector<std::string> words) {
    for (const std::string& more :
         {std::string("--server"), Url(), std::string("--token-file"), std::string(dev.path())})
      words.push_back(more);
    return Call(std::move(words));
  }
  int Hook(const std::string& hook, const std::string& token) {
    return world
        .Ask({.method = "POST",
              .path = StrCat("/api/v1/flagger/shop/cart/", hook),
              .token = token,
              .body = "{}"})
        .status;
  }
};

}  // namespace

TEST_CASE("without the verb rollback nobody rolls back by a command or a gate", "[cli][faces]") {
  Stage stage;
  const std::string release = stage.world.Look("shop/cart").state.release->id;
  CHECK(stage.Say({"status", "shop/cart"}).code == 0);
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"rollback", "shop/cart"},
           {"rollback", "shop/cart", "--to", "v1", "--reason", "now"},
           {"abort", "shop/cart"},
           {"reject", "shop/cart"},
           {"promote", "shop/cart", "--full"},
           {"skip", "shop/cart"},
           {"retry", "shop/cart"},
           {"release-hold", "shop/cart"}}) {
    INFO(words[0]);
    CHECK(stage.Say(words).code == 1);
  }
  // What may be said does not go back either.
  CHECK(stage.Say({"pause", "shop/cart"}).code == 0);
  CHECK(stage.Say({"resume", "shop/cart"}).code == 0);
  // Flagger's gate knows no people, and only asks.
  CHECK(stage.Hook("rollback", "dev-token") == 401);
  CHECK(stage.Hook("rollback", "sre-token") == 401);
  CHECK(stage.Hook("rollback", "webhook-token") == 403);
  stage.world.Advance(std::chrono::seconds(30));
  auto after = stage.world.Look("shop/cart");
  REQUIRE(after.state.release);
  CHECK(after.state.release->id == release);
  CHECK(after.state.release->weight == 20);
  CHECK_FALSE(after.state.release->trigger);
  // Who may, does.
  Outcome back = Call({"rollback", "shop/cart", "--server", stage.Url(), "--token-file",
                       TempFile("sre-token").path()});
  CHECK(back.code == 0);
  CHECK(stage.world.AdvanceUntil([&] { return stage.world.StateOf("shop/cart") == "rolledBack"; },
                                 std::chrono::minutes(20)));
  // And it can be read by commands, with its reasons, what was measured and the figures.
  Outcome list = stage.Say({"history", "--guard", "shop/cart"});
  CHECK(list.out.find("rolled_back") != std::string::npos);
  CHECK(list.out.find("person") != std::string::npos);
  Outcome measured = stage.Say({"history", "measurements", "--limit", "500"});
  CHECK(measured.out.find("|weight") != std::string::npos);
  CHECK(measured.out.find("HighErrorRate") != std::string::npos);
  const std::string id = after.state.decisions.back().id;
  Outcome told = stage.Say({"explain", id});
  INFO(told.out);
  CHECK(told.code == 0);
  CHECK(told.out.find("guard   shop/cart") != std::string::npos);
  CHECK(stage.Say({"replay", id}).code == 0);
}

}  // namespace rollguard::cli
