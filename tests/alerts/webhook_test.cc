// SPDX-License-Identifier: Apache-2.0
#include "agent/alerts/webhook.h"

#include <functional>

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

// At each limit a payload is still taken, one beyond it is refused.
TEST_CASE("a payload's limits hold to the byte", "[alerts]") {
  const auto times = [](size_t n, const std::function<std::string(size_t)>& text) {
    std::string out;
    for (size_t i = 0; i < n; ++i) out += StrCat(i == 0 ? "" : ",", text(i));
    return out;
  };
  const std::function<std::string(size_t)> alerts = [&](size_t n) {
    return PayloadWith(times(n, [](size_t) { return std::string(kAlert); }));
  };
  const std::function<std::string(size_t)> labels = [&](size_t n) {
    const auto label = [](size_t i) { return StrCat("\"l", i, "\":\"\""); };
    return Replaced(R"({"alertname":"HighErrorRate","severity":"critical","namespace":"shop"})",
                    StrCat("{", times(n, label), "}"));
  };
  const std::function<std::string(size_t)> annotations = [&](size_t n) {
    const auto note = [](size_t i) { return StrCat("\"a", i, "\":\"\""); };
    return Replaced("{\"summary\":\"s\"}", StrCat("{", times(n, note), "}"));
  };
  const std::function<std::string(size_t)> name = [](size_t n) {
    return Replaced("\"severity\"", Quote(std::string(n, 'a')));
  };
  const std::function<std::string(size_t)> value = [](size_t n) {
    return Replaced("\"critical\"", Quote(std::string(n, 'a')));
  };
  const std::function<std::string(size_t)> fingerprint = [](size_t n) {
    return Replaced("c0ffee", std::string(n, 'a'));
  };
  const std::function<std::string(size_t)> bytes = [](size_t n) {
    return PayloadWith(kAlert) + std::string(n - PayloadWith(kAlert).size(), ' ');
  };
  // Around what stands in an alert there are the document, its list, and the alert.
  const std::function<std::string(size_t)> levels = [](size_t n) {
    return Replaced("\"status\":",
                    StrCat("\"x\":", Repeat("[", n - 3), "1", Repeat("]", n - 3), ",\"status\":"));
  };
  struct Row {
    const char* name;
    size_t limit;
    const std::function<std::string(size_t)>& make;
    const char* reason;
  };
  const WebhookLimits limits;
  for (const Row& row :
       {Row{"alerts", limits.max_alerts, alerts, "has more than 5000 entries"},
        Row{"labels", limits.max_labels, labels, "has more than 128 entries"},
        Row{"annotations", limits.max_labels, annotations, "more than 128"},
        Row{"a label's name", limits.max_name_bytes, name, "is no label name"},
        Row{"a label's value", limits.max_value_bytes, value, "longer than 16384"},
        Row{"the fingerprint", 64, fingerprint, "longer than 64 characters"},
        Row{"the whole", limits.max_bytes, bytes, "bytes"}, Row{"levels", 32, levels, "deep"}}) {
    INFO(row.name);
    auto taken = ParseAlertmanager(row.make(row.limit));
    INFO((taken ? "" : taken.error().message));
    CHECK(taken.ok());
    auto refused = ParseAlertmanager(row.make(row.limit + 1));
    REQUIRE_FALSE(refused.ok());
    INFO(refused.error().message);
    CHECK(refused.error().message.find(row.reason) != std::string::npos);
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
  // Seconds since 1970 of any year that can be written down; milliseconds are none.
  for (const auto& [seconds, good] :
       std::vector<std::pair<const char*, bool>>{{"0", true},
                                                 {"1762077600.25", true},
                                                 {"253402300799", true},
                                                 {"253402300800", false},
                                                 {"1762077600000", false},
                                                 {"9223372036854775807", false},
                                                 {"-1", false}}) {
    CAPTURE(seconds);
    auto timed = ParseMapped(StrCat(R"({"labels":{"alertname":"a"},"startsAt":)", seconds, "}"),
                             Mapping{}, FromUnixMillis(5));
    CHECK(timed.ok() == good);
    if (!good)
      CHECK(timed.error().message.find("RFC 3339 or seconds since 1970") != std::string::npos);
  }
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
