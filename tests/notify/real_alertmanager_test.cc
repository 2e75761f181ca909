// SPDX-License-Identifier: Apache-2.0
// The real Alertmanager takes what the alertmanager channel posts.
#include <future>

#include "agent/base/text.h"
#include "agent/net/curl_client.h"
#include "agent/notify/channel.h"
#include "tests/notify/here_client.h"
#include "tests/notify/notify_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/process.h"
#include "tests/support/real_clock.h"

namespace rollguard::notify {
namespace {

constexpr std::chrono::seconds kPatience{60};

Expected<HttpResponse> Get(HttpClient& client, const std::string& url) {
  auto promise = std::make_shared<std::promise<Expected<HttpResponse>>>();
  auto future = promise->get_future();
  HttpRequest request;
  request.url = url;
  client.Send(request,
              [promise](Expected<HttpResponse> answer) { promise->set_value(std::move(answer)); });
  REQUIRE(future.wait_for(kPatience) == std::future_status::ready);
  return future.get();
}

TEST_CASE("a notice becomes an alert in the real Alertmanager") {
  testing::RealClock clock;
  net::CurlClient client(clock);
  testing::TempDir dir("alertmanager");
  std::string config = dir.Write("am.yml", "route: {receiver: none}\nreceivers: [{name: none}]\n");
  std::string url = StrCat("http://127.0.0.1:", testing::FreePort());
  auto server = testing::Process::Start(
      {"prometheus-alertmanager", "--config.file=" + config, "--storage.path=" + dir.path(),
       "--web.listen-address=" + url.substr(7), "--cluster.listen-address="},
      {.log = dir.path() + "/log", .directory = {}, .env = {}});
  REQUIRE(server.ok());
  bool ready = testing::PollUntil(
      [&] {
        auto answer = Get(client, url + "/-/ready");
        return answer && answer->status == 200;
      },
      kPatience);
  INFO(testing::ReadFile(dir.path() + "/log"));
  REQUIRE(ready);

  spec::AlertmanagerConfig main;
  main.name = "main";
  main.endpoint.url = url;
  spec::ChannelConfig pager;
  pager.name = "pager";
  pager.kind = spec::AlertmanagerChannel{"main", {{"team", "sre"}}};
  HereClient here(client);
  auto channel = MakeHttpChannel(pager, {main}, {.http = &here, .read_secret = {}});
  Notice notice = RolledBack();
  notice.at = clock.Now();
  auto told = here.Deliver(*channel, notice);
  REQUIRE(told.has_value());
  Status status = *told;
  INFO((status ? std::string() : status.error().message));
  REQUIRE(status.ok());

  Json alerts;
  testing::PollUntil(
      [&] {
        auto answer = Get(client, url + "/api/v2/alerts");
        auto json = answer ? ParseJson(answer->body) : Expected<Json>(answer.error());
        if (json) alerts = std::move(*json);
        return alerts.size() > 0;
      },
      kPatience);
  REQUIRE(alerts.size() == 1);
  const Json& alert = alerts.At(size_t{0});
  CHECK(alert.At("labels", "alertname").Str() == "RollguardRolledBack");
  CHECK(alert.At("labels", "team").Str() == "sre");
  CHECK(alert.At("labels", "rollguard_notice").Str() == "true");
  CHECK(alert.At("annotations", "description").Str() == notice.text);
}

}  // namespace
}  // namespace rollguard::notify
