// SPDX-License-Identifier: Apache-2.0
#include "agent/alerts/correlate.h"

#include "agent/alerts/governor.h"
#include "tests/support/catch.h"

namespace rollguard::alerts {
namespace {

const Time kStart = FromUnixMillis(1'762'077'600'000);

std::vector<spec::AlertTrigger> CriticalRollsBack() {
  spec::AlertTrigger trigger;
  trigger.matchers = {{"severity", spec::Matcher::Op::kEqual, "critical"}};
  return {trigger};
}

GuardFacts Guard(std::string name, const std::vector<spec::AlertTrigger>* triggers) {
  return {.id = "shop/" + name,
          .ns = "shop",
          .workload = name,
          .service = name + "-svc",
          .triggers = triggers,
          .depends_on = {},
          .releasing = true,
          .release_started = kStart,
          .release_id = "r-" + name};
}

Alert Firing(spec::StringMap labels, Duration after = std::chrono::minutes(2)) {
  labels.emplace_back("alertname", "Bad");
  return {.status = AlertStatus::kFiring,
          .fingerprint = FingerprintOf(labels),
          .labels = std::move(labels),
          .annotations = {},
          .starts_at = kStart + after,
          .ends_at = {},
          .generator_url = {}};
}

std::string OwnerOf(std::string_view, std::string_view pod) {
  return std::string(pod.substr(0, pod.find('-')));
}

}  // namespace

TEST_CASE("no way leads to a guard of which an alert cannot speak", "[alerts]") {
  const auto triggers = CriticalRollsBack();
  const GuardFacts facts = Guard("cart", &triggers);
  spec::Guard guard;
  guard.metadata.ns = "shop";
  guard.metadata.name = guard.target.name = "cart";
  guard.service = "cart-svc";
  guard.rollback.alerts = triggers;
  const std::pair<const char*, std::vector<const char*>> labels[] = {
      {"severity", {"", "critical"}},       {"namespace", {"", "shop", "else"}},
      {"deployment", {"", "cart", "else"}}, {"service", {"", "cart-svc", "else"}},
      {"pod", {"", "cart-1", "else-1"}},    {"rollguard_guard", {"", "shop/cart", "shop/else"}}};
  int spared = 0, all = 0;
  for (size_t n = 0; n < 2 * 3 * 3 * 3 * 3 * 3; ++n, ++all) {
    spec::StringMap given;
    size_t rest = n;
    for (const auto& [name, values] : labels) {
      const char* value = values[rest % values.size()];
      rest /= values.size();
      if (*value != 0) given.emplace_back(name, value);
    }
    const Alert alert = Firing(given);
    if (MaySpeakOf(alert, guard)) continue;
    ++spared;
    CHECK(Correlate(alert, {facts}, OwnerOf).empty());
  }
  CHECK(all == 486);
  CHECK(spared == 76);
}

TEST_CASE("an alert finds its guard in the order of the ways", "[alerts]") {
  const auto triggers = CriticalRollsBack();
  const std::vector<GuardFacts> guards = {Guard("cart", &triggers), Guard("checkout", &triggers)};
  struct Row {
    const char* name;
    spec::StringMap labels;
    const char* guard;
    How how;
    Disposition disposition;
  };
  const Row rows[] = {
      {"explicit",
       {{"rollguard_guard", "shop/cart"}, {"severity", "critical"}, {"deployment", "checkout"}},
       "shop/cart",
       How::kExplicit,
       Disposition::kTrigger},
      {"matcher with a workload",
       {{"severity", "critical"}, {"namespace", "shop"}, {"deployment", "cart"}},
       "shop/cart",
       How::kMatcher,
       Disposition::kTrigger},
      {"labels, not critical",
       {{"severity", "warning"}, {"namespace", "shop"}, {"app", "checkout"}},
       "shop/checkout",
       How::kLabels,
       Disposition::kObserved},
      {"service",
       {{"severity", "warning"}, {"namespace", "shop"}, {"service", "cart-svc"}},
       "shop/cart",
       How::kLabels,
       Disposition::kObserved},
      {"pod",
       {{"severity", "warning"}, {"namespace", "shop"}, {"pod", "cart-7d9f-x"}},
       "shop/cart",
       How::kPod,
       Disposition::kObserved},
      {"critical pod",
       {{"severity", "critical"}, {"namespace", "shop"}, {"pod", "cart-7d9f-x"}},
       "shop/cart",
       How::kMatcher,
       Disposition::kTrigger},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    auto matches = Correlate(Firing(row.labels), guards, OwnerOf);
    REQUIRE(matches.size() == 1);
    CHECK(matches[0].guard == row.guard);
    CHECK(matches[0].how == row.how);
    CHECK(matches[0].disposition == row.disposition);
    CHECK_FALSE(matches[0].reason.empty());
  }
}

TEST_CASE("a critical alert about something else is not ours", "[alerts]") {
  const auto triggers = CriticalRollsBack();
  const std::vector<GuardFacts> guards = {Guard("cart", &triggers)};
  CHECK(Correlate(Firing({{"severity", "critical"}, {"namespace", "bank"}}), guards, OwnerOf)
            .empty());
  CHECK(
      Correlate(Firing({{"severity", "critical"}, {"namespace", "shop"}, {"deployment", "other"}}),
                guards, OwnerOf)
          .empty());
  CHECK(Correlate(Firing({{"severity", "critical"}, {"namespace", "bank"}, {"deployment", "cart"}}),
                  guards, OwnerOf)
            .empty());
  CHECK(Correlate(Firing({{"severity", "low"}}), guards, OwnerOf).empty());
}

TEST_CASE("an alert that began before the release cannot take it back", "[alerts]") {
  const auto triggers = CriticalRollsBack();
  std::vector<GuardFacts> guards = {Guard("cart", &triggers)};
  auto before = Correlate(Firing({{"severity", "critical"}, {"namespace", "shop"}}, Duration(-1)),
                          guards, OwnerOf);
  REQUIRE(before.size() == 1);
  CHECK(before[0].disposition == Disposition::kPreExisting);
  guards[0].releasing = false;
  auto idle = Correlate(Firing({{"severity", "critical"}, {"namespace", "shop"}}), guards, OwnerOf);
  CHECK(idle[0].disposition == Disposition::kNoRelease);
  Alert ended = Firing({{"severity", "critical"}, {"namespace", "shop"}});
  ended.status = AlertStatus::kResolved;
  CHECK(Correlate(ended, guards, OwnerOf)[0].disposition == Disposition::kResolved);
}

TEST_CASE("of several suspects only the first is taken back", "[alerts]") {
  const auto triggers = CriticalRollsBack();
  std::vector<GuardFacts> guards = {Guard("web", &triggers), Guard("db", &triggers),
                                    Guard("mail", &triggers)};
  guards[0].depends_on = {"shop/db"};
  guards[1].evidence = 0.9;
  guards[2].release_started = kStart - std::chrono::hours(5);
  auto matches =
      Correlate(Firing({{"severity", "critical"}, {"namespace", "shop"}}), guards, OwnerOf);
  REQUIRE(matches.size() == 3);
  CHECK(matches[0].guard == "shop/db");
  CHECK(matches[0].disposition == Disposition::kTrigger);
  CHECK(matches[1].guard == "shop/web");
  CHECK(matches[1].disposition == Disposition::kSuspect);
  CHECK(matches[2].guard == "shop/mail");
  CHECK(matches[0].rank > matches[1].rank);
}

TEST_CASE("matchers are anchored and see absent labels as empty", "[alerts]") {
  using Op = spec::Matcher::Op;
  spec::StringMap labels = {{"a", "foobar"}};
  CHECK_FALSE(Matches({"a", Op::kRegex, "foo"}, labels));
  CHECK(Matches({"a", Op::kRegex, "foo.*"}, labels));
  CHECK(Matches({"a", Op::kNotRegex, "foo"}, labels));
  CHECK(Matches({"b", Op::kEqual, ""}, labels));
  CHECK(Matches({"b", Op::kNotEqual, "x"}, labels));
  CHECK_FALSE(MatchesAll({}, labels));
}

TEST_CASE("many guards within a minute are the platform", "[alerts]") {
  FleetGovernor governor({.max_triggers = 3,
                          .within = std::chrono::minutes(1),
                          .max_share = 1,
                          .max_rollbacks_per_hour = 2});
  CHECK(governor.Ask(kStart, "a", 0, 0).allowed);
  CHECK(governor.Ask(kStart, "a", 0, 0).allowed);
  CHECK(governor.Ask(kStart, "b", 0, 0).allowed);
  CHECK(governor.Ask(kStart, "c", 0, 0).allowed);
  CHECK_FALSE(governor.Ask(kStart, "d", 0, 0).allowed);
  CHECK(governor.Ask(kStart + std::chrono::minutes(5), "e", 0, 1).allowed);
  CHECK_FALSE(governor.Ask(kStart + std::chrono::minutes(9), "f", 0, 2).allowed);
  CHECK(governor.Ask(kStart + std::chrono::minutes(90), "f", 0, 1).allowed);
  FleetGovernor share({.max_triggers = 100, .within = std::chrono::minutes(1), .max_share = 0.2});
  CHECK(share.Ask(kStart, "a", 10, 0).allowed);
  CHECK(share.Ask(kStart, "b", 10, 0).allowed);
  CHECK_FALSE(share.Ask(kStart, "c", 10, 0).allowed);
}

TEST_CASE("alerts that the agent posted itself speak of no guard", "[alerts]") {
  auto triggers = CriticalRollsBack();
  std::vector<GuardFacts> guards = {Guard("checkout", &triggers)};
  spec::StringMap labels = {{"severity", "critical"}, {"namespace", "shop"}};
  auto owner = [](std::string_view, std::string_view) { return std::string(); };
  CHECK(Correlate(Firing(labels), guards, owner).size() == 1);
  labels.emplace_back(std::string(kNoticeLabel), "true");
  CHECK(Correlate(Firing(labels), guards, owner).empty());
}

}  // namespace rollguard::alerts
