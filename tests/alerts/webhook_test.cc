// SPDX-License-Identifier: Apache-2.0
#include "agent/alerts/webhook.h"

#include "agent/alerts/dedupe.h"
#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::alerts {
namespace {

constexpr std::string_view kAlert =
    R"({"status":"firing","labels":{"alertname":"HighErrorRate","severity":"critical","namespace":"shop"},)"
    R"("annotations":{"summary":"s"},"startsAt":"2026-11-02T10:00:00.123Z","endsAt":"0001-01-01T00:00:00Z",)"
    R"("generatorURL":"http://p/graph","fingerprint":"c0ffee"})";

std::string PayloadWith(std::string_view alerts) {
  return StrCat(
      R"({"version":"4","groupKey":"{}:{}","truncatedAlerts":0,"status":"firing","receiver":"rollguard",)"
      R"("groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://a","alerts":[)",
      alerts, "]}");
}

std::string Replaced(std::string_view from, std::string_view to) {
  return PayloadWith(ReplaceAll(kAlert, from, to));
}

std::string Repeat(std::string_view text, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += text;
  return out;
}

}  // namespace

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
  const std::string deep = Repeat("[", 5000) + Repeat("]", 5000);
  struct Row {
    const char* name;
    std::string body;
    const char* reason;
  };
  const Row rows[] = {
      {"empty", "", "ends too early"},
      {"not JSON", "hello", "invalid JSON"},
      {"HTML", "<html></html>", "invalid JSON"},
      {"cut short", PayloadWith(kAlert).substr(0, 200), "invalid JSON"},
      {"text behind", PayloadWith(kAlert) + "x", "unexpected text"},
      {"an array", "[]", "JSON object"},
      {"null", "null", "JSON object"},
      {"a number", "4", "JSON object"},
      {"a string", "\"4\"", "JSON object"},
      {"no version", R"({"alerts":[]})", "\"version\""},
      {"version 3", ReplaceAll(PayloadWith(kAlert), "\"version\":\"4\"", "\"version\":\"3\""),
       "\"version\""},
      {"version as a number", ReplaceAll(PayloadWith(kAlert), "\"version\":\"4\"", "\"version\":4"),
       "\"version\""},
      {"version null", ReplaceAll(PayloadWith(kAlert), "\"version\":\"4\"", "\"version\":null"),
       "\"version\""},
      {"no alerts", R"({"version":"4"})", "\"alerts\""},
      {"alerts null", R"({"version":"4","alerts":null})", "\"alerts\""},
      {"alerts an object", R"({"version":"4","alerts":{}})", "\"alerts\""},
      {"alerts a string", R"({"version":"4","alerts":"x"})", "\"alerts\""},
      {"alerts empty", R"({"version":"4","alerts":[]})", "must not be empty"},
      {"alert null", PayloadWith("null"), "alerts[0]"},
      {"alert a number", PayloadWith("1"), "alerts[0]"},
      {"alert empty", PayloadWith("{}"), "alerts[0]"},
      {"second alert bad", PayloadWith(StrCat(kAlert, ",{}")), "alerts[1]"},
      {"no status", Replaced("\"status\":\"firing\",", ""), "\"status\""},
      {"unknown status", Replaced("\"status\":\"firing\"", "\"status\":\"burning\""), "\"status\""},
      {"status a bool", Replaced("\"status\":\"firing\"", "\"status\":true"), "\"status\""},
      {"no labels",
       Replaced(
           R"("labels":{"alertname":"HighErrorRate","severity":"critical","namespace":"shop"},)",
           ""),
       "labels"},
      {"labels empty",
       Replaced(R"({"alertname":"HighErrorRate","severity":"critical","namespace":"shop"})", "{}"),
       "labels"},
      {"labels a list",
       Replaced(R"({"alertname":"HighErrorRate","severity":"critical","namespace":"shop"})", "[]"),
       "labels"},
      {"label value a number", Replaced("\"critical\"", "1"), "severity"},
      {"label value null", Replaced("\"critical\"", "null"), "severity"},
      {"label value an object", Replaced("\"critical\"", "{}"), "severity"},
      {"label name empty", Replaced("\"severity\"", "\"\""), "label name"},
      {"label name with a dash", Replaced("\"severity\"", "\"se-verity\""), "label name"},
      {"label name starting with a digit", Replaced("\"severity\"", "\"1a\""), "label name"},
      {"label name endless", Replaced("\"severity\"", StrCat("\"", std::string(300, 'a'), "\"")),
       "label name"},
      {"label value endless",
       Replaced("\"critical\"", StrCat("\"", std::string(20'000, 'a'), "\"")), "longer than"},
      {"duplicate label", Replaced("\"severity\":", "\"alertname\":"), "duplicate key"},
      {"duplicate field",
       Replaced("\"status\":\"firing\"", "\"status\":\"firing\",\"status\":\"resolved\""),
       "duplicate key"},
      {"annotations a string", Replaced("{\"summary\":\"s\"}", "\"s\""), "annotations"},
      {"annotation value a list", Replaced("{\"summary\":\"s\"}", "{\"summary\":[]}"),
       "annotations"},
      {"no startsAt", Replaced("\"startsAt\":\"2026-11-02T10:00:00.123Z\",", ""), "startsAt"},
      {"startsAt a number", Replaced("\"2026-11-02T10:00:00.123Z\"", "1"), "startsAt"},
      {"startsAt no time", Replaced("2026-11-02T10:00:00.123Z", "yesterday"), "startsAt"},
      {"startsAt zero", Replaced("2026-11-02T10:00:00.123Z", "0001-01-01T00:00:00Z"), "startsAt"},
      {"endsAt no time", Replaced("0001-01-01T00:00:00Z", "never"), "endsAt"},
      {"fingerprint endless", Replaced("c0ffee", std::string(100, 'f')), "fingerprint"},
      {"truncatedAlerts negative",
       ReplaceAll(PayloadWith(kAlert), "\"truncatedAlerts\":0", "\"truncatedAlerts\":-1"),
       "truncated"},
      {"truncatedAlerts a string",
       ReplaceAll(PayloadWith(kAlert), "\"truncatedAlerts\":0", "\"truncatedAlerts\":\"x\""),
       "truncated"},
      {"invalid UTF-8", Replaced("critical", "\xff\xfe"), "UTF-8"},
      {"NUL in a string", Replaced("critical", std::string("\0", 1)), "control character"},
      {"deep nesting", PayloadWith(deep), "nested too deeply"},
      {"deep nesting in an unknown field",
       ReplaceAll(PayloadWith(kAlert), "\"groupLabels\":{}", "\"groupLabels\":" + deep),
       "nested too deeply"},
      {"too many labels",
       Replaced("\"severity\":",
                [] {
                  std::string text;
                  for (int i = 0; i < 200; ++i) text += StrCat("\"l", i, "\":\"\",");
                  return text + "\"severity\":";
                }()),
       "more than 128"},
      {"too many alerts", PayloadWith(Repeat(StrCat(kAlert, ","), 5000) + std::string(kAlert)),
       "more than 5000"},
      {"too large", PayloadWith(kAlert) + std::string(5U << 20, ' '), "larger than the limit"},
      {"gzip bytes", std::string("\x1f\x8b\x08\x00\x00", 5), "invalid JSON"},
      {"number out of range",
       ReplaceAll(PayloadWith(kAlert), "\"truncatedAlerts\":0", "\"truncatedAlerts\":1e999"),
       "truncated"},
  };
  for (const Row& row : rows) {
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
