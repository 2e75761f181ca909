// SPDX-License-Identifier: Apache-2.0
#include "agent/history/reports.h"

#include "tests/support/catch.h"

namespace rollguard::history {
namespace {

const Time kStart = FromUnixMillis(1'762'041'600'000);  // 00:00 UTC

ReleaseRow Row(std::string outcome, int hour, std::optional<int> restore_seconds = {},
               std::optional<bool> right = {}) {
  ReleaseRow row;
  row.id = "r" + std::to_string(hour);
  row.guard = hour % 2 == 0 ? "shop/even" : "shop/odd";
  row.started = kStart + std::chrono::hours(hour);
  row.ended = row.started + std::chrono::minutes(20);
  row.outcome = std::move(outcome);
  row.commit_time = row.started - std::chrono::minutes(40);
  if (restore_seconds) {
    row.trigger = "HighErrorRate";
    row.trigger_kind = "rule";
    row.trigger_at = row.started + std::chrono::minutes(5);
    row.safe_at = *row.trigger_at + std::chrono::seconds(*restore_seconds);
    row.right = right;
  }
  return row;
}

}  // namespace

TEST_CASE("the four figures and their kin", "[history][reports]") {
  std::vector<ReleaseRow> rows = {Row("promoted", 1),
                                  Row("promoted", 2),
                                  Row("promoted", 3),
                                  Row("rolled_back", 4, 10, true),
                                  Row("rolled_back", 5, 30, false),
                                  Row("superseded", 6),
                                  Row("promoted", 100)};
  Dora report = Report(rows, kStart, kStart + std::chrono::hours(24));
  CHECK(report.releases == 6);
  CHECK(report.promoted == 3);
  CHECK(report.per_day == 3);
  CHECK(*report.change_failure_rate == Approx(0.4));
  CHECK(*report.median_time_to_restore == std::chrono::seconds(10));
  CHECK(*report.p99_time_to_restore == std::chrono::seconds(30));
  CHECK(*report.median_lead_time == std::chrono::minutes(60));
  CHECK(report.rollbacks_by_trigger_kind["rule"] == 2);
  CHECK(report.rollbacks_by_hour[4] == 1);
  CHECK(report.precision_by_trigger["HighErrorRate"].right == 1);
  CHECK(report.precision_by_trigger["HighErrorRate"].wrong == 1);
  auto by_guard = ReportByGuard(rows, kStart, kStart + std::chrono::hours(24));
  CHECK(by_guard["shop/even"].rolled_back == 1);
}

TEST_CASE("unknown is not zero", "[history][reports]") {
  Dora report = Report({}, kStart, kStart + std::chrono::hours(1));
  CHECK_FALSE(report.change_failure_rate.has_value());
  CHECK_FALSE(report.median_time_to_restore.has_value());
  CHECK(ToJson(report).At("changeFailureRate").is_null());
}

}  // namespace rollguard::history
