// SPDX-License-Identifier: Apache-2.0
#include "agent/base/time.h"

#include "tests/support/catch.h"

namespace rollguard {

TEST_CASE("Go durations", "[base][time]") {
  struct Row {
    const char* text;
    int64_t ms;
    const char* printed;
  };
  const Row rows[] = {
      {"0", 0, "0s"},
      {"30s", 30'000, "30s"},
      {"1h30m", 5'400'000, "1h30m0s"},
      {"1.5h", 5'400'000, "1h30m0s"},
      {"-5s", -5000, "-5s"},
      {"250ms", 250, "250ms"},
      {"1m0.25s", 60'250, "1m0.25s"},
      {".5s", 500, "500ms"},
      {"1500us", 1, "1ms"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    auto parsed = ParseGoDuration(row.text);
    REQUIRE(parsed.ok());
    CHECK(parsed->count() == row.ms);
    CHECK(FormatGoDuration(*parsed) == row.printed);
  }
  for (const char* bad : {"", "5", "s", "5x", "1h 2m", "5d", "--1s", "1..5s", "99999999999h"}) {
    INFO(bad);
    CHECK_FALSE(ParseGoDuration(bad).ok());
  }
}

TEST_CASE("Prometheus durations", "[base][time]") {
  struct Row {
    const char* text;
    int64_t ms;
    const char* printed;
  };
  const Row rows[] = {
      {"5m", 300'000, "5m"},           {"1h30m", 5'400'000, "1h30m"},    {"1d", 86'400'000, "1d"},
      {"2w", 14LL * 86'400'000, "2w"}, {"1y", 365LL * 86'400'000, "1y"}, {"100ms", 100, "100ms"},
      {"90s", 90'000, "1m30s"}};
  for (const Row& row : rows) {
    INFO(row.text);
    auto parsed = ParsePromDuration(row.text);
    REQUIRE(parsed.ok());
    CHECK(parsed->count() == row.ms);
    CHECK(FormatPromDuration(*parsed) == row.printed);
  }
  for (const char* bad : {"", "0s", "1.5h", "1m1h", "5", "1m1m", "300y300y", "9999999999999y"}) {
    INFO(bad);
    CHECK_FALSE(ParsePromDuration(bad).ok());
  }
  CHECK(ParsePromDuration("0s", true).ok());
}

TEST_CASE("RFC 3339", "[base][time]") {
  auto t = ParseRfc3339("2026-11-02T11:00:00.5+01:00");
  REQUIRE(t.ok());
  CHECK(FormatRfc3339(*t) == "2026-11-02T10:00:00.500Z");
  CHECK(FormatMicroTime(*t) == "2026-11-02T10:00:00.500000Z");
  CHECK(FormatClockTime(*t) == "10:00:00");
  for (const char* bad :
       {"", "2026-11-02", "2026-13-02T10:00:00Z", "2026-11-02T10:00:00", "2026-11-02T25:00:00Z",
        "2026-11-02T10:00:00Zx", "2026-02-30T10:00:00Z"}) {
    INFO(bad);
    CHECK_FALSE(ParseRfc3339(bad).ok());
  }
}

}  // namespace rollguard
