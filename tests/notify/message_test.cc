// SPDX-License-Identifier: Apache-2.0
#include "agent/notify/message.h"

#include "agent/base/text.h"
#include "agent/spec/load.h"
#include "tests/notify/notify_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::notify {
namespace {

TEST_CASE("every event has a headline") {
  for (std::string_view event : spec::NotificationEvents()) {
    INFO(event);
    CHECK(HeadlineOf(std::string(event)) != event);
  }
}

TEST_CASE("titles and texts: built in, and by template") {
  spec::ChannelConfig channel;
  channel.name = "ops";
  Notice notice = RolledBack();
  notice.reason = "error ratio";
  auto plain = Render(channel, notice);
  REQUIRE(plain.ok());
  CHECK(plain->title == "shop/checkout is rolled back");
  CHECK(plain->text == notice.text + "\nerror ratio");
  channel.title = "[{{ $cluster }}] {{ $headline | title }}: {{ $labels.workload }}";
  channel.text =
      "{{ if eq $severity \"critical\" }}NOW: {{ end }}{{ $revision }} at {{ $weight }}%";
  auto made = Render(channel, notice);
  REQUIRE(made.ok());
  CHECK(made->title == "[prod-eu] Is Rolled Back: checkout");
  CHECK(made->text == "NOW: x7k2m9qd at 20%");
  channel.text = "{{ nonsense $text }}";
  auto bad = Render(channel, notice);
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().message.starts_with("the text of channel ops cannot be filled in: "));
  CHECK_FALSE(bad.error().retryable);
}

Json Parsed(const std::string& body) {
  auto json = ParseJson(body);
  INFO(body);
  REQUIRE(json.ok());
  return std::move(*json);
}

TEST_CASE("what Slack gets") {
  Message message{"shop/checkout is rolled back", RolledBack().text};
  Json body = Parsed(SlackBody({"/run/slack", "#releases"}, RolledBack(), message));
  CHECK(body.At("channel").Str() == "#releases");
  CHECK(body.At("text").Str() == "*shop/checkout is rolled back*");
  const Json& attachment = body.At("attachments").At(size_t{0});
  CHECK(attachment.At("color").Str() == "#c62828");
  CHECK(attachment.At("text").Str() ==
        "rolling back: HighErrorRate: 4.2% &gt; 1% of \"GET /cart\" &amp; &lt;others&gt;");
  CHECK(attachment.At("ts").IntOr(0) == 1'767'225'600);
  std::string facts;
  for (const Json& field : attachment.At("fields").items())
    facts += StrCat(field.At("title").Str(), "=", field.At("value").Str(), ";");
  CHECK(facts ==
        "Cluster=prod-eu;Namespace=shop;Workload=checkout;Revision=x7k2m9qd;Release=r7;Weight=20%;"
        "Triggered by=HighErrorRate, SlowerThanStable;Decision=d4;");
}

TEST_CASE("what Teams gets") {
  Json body = Parsed(TeamsBody(RolledBack(), {"title", "text"}));
  CHECK(body.At("type").Str() == "message");
  const Json& attachment = body.At("attachments").At(size_t{0});
  CHECK(attachment.At("contentType").Str() == "application/vnd.microsoft.card.adaptive");
  const Json& blocks = attachment.At("content", "body");
  CHECK(blocks.At(size_t{0}).At("text").Str() == "title");
  CHECK(blocks.At(size_t{0}).At("color").Str() == "Attention");
  CHECK(blocks.At(size_t{1}).At("text").Str() == "text");
  CHECK(blocks.At(size_t{2}).At("facts").size() == 8);
}

TEST_CASE("what Alertmanager gets") {
  spec::AlertmanagerChannel channel{"main", {{"team", "sre"}, {"severity", "page"}}};
  Json alerts = Parsed(AlertBody(channel, RolledBack(), {"the title", "the text"}));
  REQUIRE(alerts.size() == 1);
  const Json& alert = alerts.At(size_t{0});
  CHECK(alert.At("labels").Canonical() ==
        R"({"alertname":"RollguardRolledBack","cluster":"prod-eu","event":"rolledBack",)"
        R"("guard":"checkout","namespace":"shop","rollguard_notice":"true","severity":"page",)"
        R"("team":"sre"})");
  CHECK(alert.At("annotations", "summary").Str() == "the title");
  CHECK(alert.At("annotations", "description").Str() == "the text");
  CHECK(alert.At("startsAt").Str() == "2026-01-01T00:00:00Z");
}

TEST_CASE("what a webhook gets") {
  Notice notice = RolledBack();
  Message message{"a \"title\"", "line 1\nline 2"};
  spec::WebhookChannel webhook;
  Json plain = Parsed(*WebhookBody(webhook, notice, message));
  CHECK(plain.At("event").Str() == "rolledBack");
  CHECK(plain.At("severity").Str() == "critical");
  CHECK(plain.At("message").Str() == "line 1\nline 2");
  CHECK(plain.At("signals").size() == 2);
  CHECK(plain.At("text").Str() == notice.text);

  struct Row {
    const char* name;
    const char* body;
    const char* want;
  };
  const Row rows[] = {
      {"in JSON values are escaped", R"({"t": "{{ $title }}", "m": "{{ $message }}"})",
       R"({"t": "a \"title\"", "m": "line 1\nline 2"})"},
      {"a list", R"(["{{ $labels.text }}"])",
       R"(["rolling back: HighErrorRate: 4.2% > 1% of \"GET /cart\" & <others>"])"},
      {"other text is left alone", "{{ $title }}: {{ $weight }}", "a \"title\": 20"},
      {"no JSON", R"({"t": {{ $title }}})", "error: the body's template gives no JSON: "},
      {"no template", "{{ $title", "error: the body's template cannot be filled in: "},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    webhook.body = row.body;
    auto body = WebhookBody(webhook, notice, message);
    std::string got = body ? *body : StrCat("error: ", body.error().message);
    INFO(got);
    CHECK((body ? got == row.want : got.starts_with(row.want)));
  }
}

TEST_CASE("the examples for GitHub and GitLab make issues") {
  struct Row {
    const char* file;
    const char* channel;
    const char* text_key;
  };
  for (const Row& row : {Row{"notifications-github.yaml", "github", "body"},
                         Row{"notifications-gitlab.yaml", "gitlab", "description"}}) {
    INFO(row.file);
    std::string path = StrCat(ROLLGUARD_SOURCE_DIR, "/docs/examples/", row.file);
    auto config = spec::ParseAgentConfig(row.file, testing::ReadFile(path));
    REQUIRE(config.ok());
    const spec::ChannelConfig& channel = config->notifications.channels.at(0);
    CHECK(channel.name == row.channel);
    Notice notice = RolledBack();
    auto message = Render(channel, notice);
    REQUIRE(message.ok());
    auto body = WebhookBody(std::get<spec::WebhookChannel>(channel.kind), notice, *message);
    REQUIRE(body.ok());
    Json issue = Parsed(*body);
    CHECK(issue.At("title").Str() == "shop/checkout is rolled back");
    CHECK(issue.At(row.text_key).Str().starts_with(notice.text));
    CHECK(issue.At(row.text_key).Str().find("rollguard explain d4") != std::string::npos);
  }
}

}  // namespace
}  // namespace rollguard::notify
