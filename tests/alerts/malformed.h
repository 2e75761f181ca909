// SPDX-License-Identifier: Apache-2.0
// Payloads that no sender of Alertmanager's webhook may get through with, and what they are told.
#pragma once

#include <string>
#include <vector>

#include "agent/base/text.h"

namespace rollguard::alerts {

inline constexpr std::string_view kAlert =
    R"({"status":"firing","labels":{"alertname":"HighErrorRate","severity":"critical","namespace":"shop"},)"
    R"("annotations":{"summary":"s"},"startsAt":"2026-11-02T10:00:00.123Z","endsAt":"0001-01-01T00:00:00Z",)"
    R"("generatorURL":"http://p/graph","fingerprint":"c0ffee"})";

inline std::string PayloadWith(std::string_view alerts) {
  return StrCat(
      R"({"version":"4","groupKey":"{}:{}","truncatedAlerts":0,"status":"firing","receiver":"rollguard",)"
      R"("groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://a","alerts":[)",
      alerts, "]}");
}

inline std::string Replaced(std::string_view from, std::string_view to) {
  return PayloadWith(ReplaceAll(kAlert, from, to));
}

inline std::string Repeat(std::string_view text, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += text;
  return out;
}

struct Malformed {
  const char* name;
  std::string body;
  const char* reason;  // part of the error
};

inline std::vector<Malformed> MalformedPayloads() {
  const std::string deep = Repeat("[", 5000) + Repeat("]", 5000);
  return {
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
       "too large"},
  };
}

}  // namespace rollguard::alerts
