// SPDX-License-Identifier: Apache-2.0
#include "agent/alerts/webhook.h"

#include "agent/alerts/dedupe.h"
#include "agent/base/text.h"
#include "tests/alerts/malformed.h"
#include "tests/support/catch.h"

namespace rollguard::alerts {

TEST_CASE("an Alertmanager payload is read", "[alerts]") {
  auto payload = ParseAlertmanager(PayloadWith(kAlert));
  REQUIRE(payload.ok());
  REQUIRE(payload->alerts.size() == 1);
  const Alert& alert = payload->alerts[0];
  CHECK(alert.Name() == "HighErrorRate");
  CHECK(alert.status == AlertStatus::kFiring);
  CHECK(FormatRfc3339(alert.starts_at) == "2026-11-02T10:00:00.123Z");
  CHECK(alert.ends_at == Time{});
  CHECK(alert.fingerprint == "c0ffee");
  auto again = AlertFromJson(ToJson(alert));
  REQUIRE(again.ok());
  CHECK(again->EventKey() == alert.EventKey());
  CHECK(again->labels == alert.labels);
}

TEST_CASE("what newer senders add is no reason to refuse", "[alerts]") {
  std::string newer = ReplaceAll(
      PayloadWith(ReplaceAll(kAlert, "\"fingerprint\"", "\"silenceURL\":\"x\",\"fingerprint\"")),
      "\"groupKey\"", "\"notification_reason\":\"new\",\"groupKey\"");
  CHECK(ParseAlertmanager(newer).ok());
  auto truncated = ParseAlertmanager(
      ReplaceAll(PayloadWith(kAlert), "\"truncatedAlerts\":0", "\"truncatedAlerts\":17"));
  REQUIRE(truncated.ok());
  CHECK(truncated->truncated == 17);
  auto many =
      ParseAlertmanager(PayloadWith(Repeat(StrCat(kAlert, ","), 999) + std::string(kAlert)));
  REQUIRE(many.ok());
  CHECK(many->alerts.size() == 1000);
  auto bare = ParseAlertmanager(Replaced(",\"fingerprint\":\"c0ffee\"", ""));
  REQUIRE(bare.ok());
  CHECK(bare->alerts[0].fingerprint == FingerprintOf(bare->alerts[0].labels));
}

TEST_CASE("malformed payloads are refused with a reason", "[alerts]") {
  for (const Malformed& row : MalformedPayloads()) {
    INFO(row.name);
    auto payload = ParseAlertmanager(row.body);
    REQUIRE_FALSE(payload.ok());
    INFO(payload.error().message);
    CHECK(payload.error().message.find(row.reason) != std::string::npos);
    CHECK(payload.error().message.size() < 400);
  }
}

TEST_CASE("a stranger's JSON is read through a mapping", "[alerts]") {
  Mapping mapping{.alerts = "/incidents",
                  .status = "/state",
                  .starts_at = "/opened",
                  .labels = "/tags",
                  .label_paths = {{"alertname", "/title"}, {"namespace", "/where/ns"}}};
  auto payload = ParseMapped(
      R"({"incidents":[{"title":"Down","state":"ok","opened":1762077600,"where":{"ns":"shop"}}]})",
      mapping, FromUnixMillis(5));
  REQUIRE(payload.ok());
  CHECK(payload->alerts[0].status == AlertStatus::kResolved);
  CHECK(payload->alerts[0].Label("namespace") == "shop");
  CHECK(ToUnixMillis(payload->alerts[0].starts_at) == 1'762'077'600'000);
  CHECK_FALSE(ParseMapped("{}", mapping, FromUnixMillis(5)).ok());
  CHECK_FALSE(ParseMapped(R"({"incidents":3})", mapping, FromUnixMillis(5)).ok());
  auto one = ParseMapped(R"({"title":"Down","tags":{"a":"b"}})",
                         {.labels = "/tags", .label_paths = {}}, FromUnixMillis(5));
  REQUIRE(one.ok());
  CHECK(one->alerts[0].starts_at == FromUnixMillis(5));
}

TEST_CASE("polled alerts: suppressed ones are told apart", "[alerts]") {
  auto polled = ParsePolled(
      R"([{"labels":{"alertname":"A"},"annotations":{},"startsAt":"2026-11-02T10:00:00Z","endsAt":"2026-11-02T10:05:00Z",)"
      R"("fingerprint":"a","status":{"state":"active","silencedBy":[],"inhibitedBy":[]}},)"
      R"({"labels":{"alertname":"B"},"startsAt":"2026-11-02T10:00:00Z","fingerprint":"b","status":{"state":"suppressed"}}])");
  REQUIRE(polled.ok());
  REQUIRE(polled->alerts.size() == 1);
  CHECK(polled->alerts[0].Name() == "A");
  CHECK(polled->suppressed == std::vector<std::string>{"b"});
}

TEST_CASE("polled items that are no alerts are refused", "[alerts]") {
  for (const char* body : {"[0\n]", "[null]", "[[]]", "[\"x\"]", "[{}]"}) {
    INFO(body);
    CHECK_FALSE(ParsePolled(body).ok());
  }
}

TEST_CASE("one event is admitted once", "[alerts]") {
  Dedupe dedupe(2);
  Alert alert = ParseAlertmanager(PayloadWith(kAlert))->alerts[0];
  CHECK(dedupe.Admit(alert));
  CHECK_FALSE(dedupe.Admit(alert));
  Alert resolved = alert;
  resolved.status = AlertStatus::kResolved;
  CHECK(dedupe.Admit(resolved));
  Alert later = alert;
  later.starts_at += Duration(1);
  CHECK(dedupe.Admit(later));
  CHECK(dedupe.size() == 2);
  CHECK_FALSE(dedupe.Seen(alert));
}

}  // namespace rollguard::alerts
