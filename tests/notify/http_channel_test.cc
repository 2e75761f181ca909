// SPDX-License-Identifier: Apache-2.0
// The HTTP channels against real sockets: what arrives, what an answer means, and that no secret is
// said aloud.
#include <map>
#include <mutex>

#include "agent/base/text.h"
#include "agent/net/curl_client.h"
#include "agent/notify/channel.h"
#include "tests/notify/here_client.h"
#include "tests/notify/notify_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/real_clock.h"
#include "tests/support/tiny_server.h"

namespace rollguard::notify {
namespace {

using testing::TinyConnection;
using testing::TinyRequest;

struct Fixture {
  testing::RealClock clock;
  net::CurlClient client{clock};
  HereClient here{client};
  std::map<std::string, std::string> files;
  std::mutex mutex;
  std::vector<TinyRequest> requests;
  std::vector<spec::AlertmanagerConfig> alertmanagers;
  testing::TinyServer server{[this](const TinyRequest& request, TinyConnection& connection) {
    {
      std::lock_guard lock(mutex);
      requests.push_back(request);
    }
    if (request.Path() == "/throttled") {
      connection.Respond(429, "slow down", {{"Retry-After", "17"}});
    } else if (request.Path() == "/ill") {
      connection.Respond(503, "");
    } else if (request.Path() == "/echo-secret") {
      connection.Respond(
          404, StrCat("no hook at ", request.target, " ", request.Header("authorization")));
    } else if (request.Path() == "/moved") {
      connection.Respond(302, "", {{"Location", "/hook"}});
    } else if (request.Path() == "/hang") {
      connection.AwaitClose();
    } else {
      connection.Respond(200, "ok");
    }
  }};

  HttpPorts Ports() {
    return {.http = &here, .read_secret = [this](const std::string& path) {
              auto found = files.find(path);
              if (found != files.end()) return Expected<std::string>(found->second);
              Error error(ErrorCode::kUnavailable, StrCat("cannot read ", path));
              return Expected<std::string>(error);
            }};
  }
  Status Deliver(const spec::ChannelConfig& config) {
    auto channel = MakeHttpChannel(config, alertmanagers, Ports());
    REQUIRE(channel != nullptr);
    auto told = here.Deliver(*channel, RolledBack());
    REQUIRE(told.has_value());
    return *told;
  }
};

spec::ChannelConfig Slack() {
  spec::ChannelConfig config;
  config.name = "slack";
  config.kind = spec::SlackChannel{"/run/slack", ""};
  return config;
}

spec::ChannelConfig Webhook(std::string url) {
  spec::ChannelConfig config;
  config.name = "hook";
  spec::WebhookChannel webhook;
  webhook.endpoint.url = std::move(url);
  config.kind = webhook;
  return config;
}

TEST_CASE_METHOD(Fixture, "slack and teams post to the URL in their file") {
  files["/run/slack"] = server.Url("/services/T0/B0/s3cret");
  files["/run/teams"] = server.Url("/teams/s3cret");
  CHECK(Deliver(Slack()).ok());
  spec::ChannelConfig teams;
  teams.name = "teams";
  teams.kind = spec::TeamsChannel{"/run/teams"};
  CHECK(Deliver(teams).ok());
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].method == "POST");
  CHECK(requests[0].target == "/services/T0/B0/s3cret");
  CHECK(requests[0].Header("content-type") == "application/json");
  CHECK(ParseJson(requests[0].body)->At("text").Str() == "*shop/checkout is rolled back*");
  CHECK(ParseJson(requests[1].body)->At("type").Str() == "message");
}

TEST_CASE_METHOD(Fixture, "alertmanager gets an alert on its v2 API") {
  auto& server_config = alertmanagers.emplace_back();
  server_config.name = "main";
  server_config.endpoint.url = server.Url("/am/");
  spec::ChannelConfig config;
  config.name = "pager";
  config.kind = spec::AlertmanagerChannel{"main", {}};
  CHECK(Deliver(config).ok());
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].target == "/am/api/v2/alerts");
  CHECK(ParseJson(requests[0].body)->At(size_t{0}).At("labels", "alertname").Str() ==
        "RollguardRolledBack");
  config.kind = spec::AlertmanagerChannel{"other", {}};
  Status missing = Deliver(config);
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().message == "there is no Alertmanager \"other\"");
}

TEST_CASE_METHOD(Fixture, "a webhook proves who asks") {
  files["/run/token"] = "t0ken-abc";
  files["/run/password"] = "pa55word";
  auto config = Webhook(server.Url("/hook"));
  auto& endpoint = std::get<spec::WebhookChannel>(config.kind).endpoint;
  std::get<spec::WebhookChannel>(config.kind).method = "PUT";
  endpoint.headers = {{"X-Team", "sre"}, {"Content-Type", "application/vnd.x+json"}};
  endpoint.auth.bearer_token_file = "/run/token";
  CHECK(Deliver(config).ok());
  endpoint.auth = {"", "rollguard", "/run/password"};
  CHECK(Deliver(config).ok());
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].method == "PUT");
  CHECK(requests[0].Header("authorization") == "Bearer t0ken-abc");
  CHECK(requests[0].Header("x-team") == "sre");
  CHECK(requests[0].Header("content-type") == "application/vnd.x+json");
  CHECK(requests[1].Header("authorization") == "Basic " + Base64Encode("rollguard:pa55word"));
}

TEST_CASE_METHOD(Fixture, "what an answer means") {
  struct Row {
    const char* name;
    std::string url;
    bool retryable;
    Duration after;
    std::string want;
  };
  const std::vector<Row> rows = {
      {"throttled", server.Url("/throttled"), true, std::chrono::seconds(17),
       "answered 429: \"slow down\""},
      {"ill", server.Url("/ill"), true, Duration(0), "answered 503"},
      {"moved", server.Url("/moved"), false, Duration(0), "answered 302"},
      {"nobody there", StrCat("http://127.0.0.1:", testing::FreePort(), "/"), true, Duration(0),
       "cannot connect to 127.0.0.1:"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    Status status = Deliver(Webhook(row.url));
    REQUIRE_FALSE(status.ok());
    INFO(status.error().message);
    CHECK(status.error().message.find(row.want) != std::string::npos);
    CHECK(status.error().retryable == row.retryable);
    CHECK(status.error().retry_after == row.after);
  }
}

TEST_CASE_METHOD(Fixture, "no secret is said aloud") {
  // The other side repeats what it was sent; nobody answers; the file is missing.
  files["/run/slack"] = server.Url("/echo-secret?hook=T0/B0/s3cret");
  files["/run/token"] = "t0ken-abc";
  std::vector<Status> told;
  told.push_back(Deliver(Slack()));
  CHECK(told.back().error().message.starts_with("answered 404: "));
  auto hook = Webhook(server.Url("/echo-secret"));
  std::get<spec::WebhookChannel>(hook.kind).endpoint.auth.bearer_token_file = "/run/token";
  told.push_back(Deliver(hook));
  files["/run/slack"] = StrCat("http://127.0.0.1:", testing::FreePort(), "/services/T0/B0/s3cret");
  told.push_back(Deliver(Slack()));
  CHECK(told.back().error().retryable);
  files["/run/slack"] = "not a url with s3cret";
  told.push_back(Deliver(Slack()));
  files.erase("/run/slack");
  told.push_back(Deliver(Slack()));
  CHECK(told.back().error().message == "cannot read /run/slack");
  CHECK(told.back().error().retryable);
  for (const Status& status : told) {
    REQUIRE_FALSE(status.ok());
    INFO(status.error().message);
    CHECK(status.error().message.find("s3cret") == std::string::npos);
    CHECK(status.error().message.find("t0ken") == std::string::npos);
  }
}

TEST_CASE_METHOD(Fixture, "a channel may go while a server hangs") {
  auto channel = MakeHttpChannel(Webhook(server.Url("/hang")), {}, Ports());
  bool called = false;
  channel->Deliver(RolledBack(), [&](const Status&) { called = true; });
  channel.reset();
  CHECK_FALSE(called);
}

}  // namespace
}  // namespace rollguard::notify
