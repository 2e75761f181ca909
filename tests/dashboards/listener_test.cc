// SPDX-License-Identifier: Apache-2.0
// What the metrics say while three releases are played, after them, and after the guard is gone.
#include <algorithm>

#include "agent/base/text.h"
#include "tests/dashboards/sim_exporter.h"
#include "tests/support/catch.h"

namespace rollguard::dashboards {
namespace {

// The value of the one series whose line begins so; -1 when there is none.
double ValueOf(const std::string& page, std::string_view series) {
  for (std::string_view line : Split(page, '\n')) {
    if (line.starts_with(series) && line.substr(series.size()).starts_with(" "))
      return ParseDouble(Trim(line.substr(series.size()))).value_or(-1);
  }
  return -1;
}

double OfGuard(const std::string& page, std::string_view metric, std::string_view labels = "") {
  return ValueOf(page, StrCat(metric, "{namespace=\"shop\",guard=\"checkout\"", labels, "}"));
}

TEST_CASE("series tell a release while it runs, its end for good, and go with the guard") {
  SimExporter exporter(std::chrono::seconds(15));
  double weight = 0, step = 0, confidence = 0, firing = 0;
  std::string page;
  for (int i = 0; i < 1000 && !exporter.Done(); ++i) {
    page = exporter.Scrape();
    weight = std::max(weight, OfGuard(page, "rollguard_release_wanted_weight_ratio"));
    step = std::max(step, OfGuard(page, "rollguard_release_step"));
    confidence = std::max(confidence, OfGuard(page, "rollguard_confidence"));
    firing = std::max(firing, OfGuard(page, "rollguard_signals_firing", ",source=\"alert\""));
  }
  INFO(page);
  CHECK(exporter.Story() == "promoted rolledBack rolledBack ");
  CHECK(weight == 1);
  CHECK(step >= 4);
  CHECK(confidence > 0.01);  // 0.4 of the candidate's 0.05 below a full score
  CHECK(firing >= 1);

  CHECK(OfGuard(page, "rollguard_releases_total", ",outcome=\"promoted\"") == 1);
  CHECK(OfGuard(page, "rollguard_releases_total", ",outcome=\"rolledBack\"") == 2);
  CHECK(OfGuard(page, "rollguard_decisions_total", ",action=\"rollback\",reason=\"rule\"") == 1);
  CHECK(OfGuard(page, "rollguard_decisions_total", ",action=\"rollback\",reason=\"alert\"") == 1);
  CHECK(OfGuard(page, "rollguard_rollbacks_total", ",reason=\"alert\",trigger=\"OrdersDropped\"") ==
        1);
  CHECK(OfGuard(page, "rollguard_guard_phase", ",phase=\"Idle\"") == 1);
  CHECK(OfGuard(page, "rollguard_rollback_ready") == 1);
  CHECK(ValueOf(page, "rollguard_release_duration_seconds_count{outcome=\"rolledBack\"}") == 2);
  CHECK(ValueOf(page, "rollguard_restore_duration_seconds_count") == 2);
  CHECK(ValueOf(page, "rollguard_alert_to_patch_seconds_count") == 1);
  CHECK(ValueOf(page, "rollguard_breach_to_patch_seconds_count") == 1);
  CHECK(ValueOf(page, "rollguard_alerts_total{disposition=\"trigger\"}") == 1);
  CHECK(ValueOf(page, "rollguard_alerts_total{disposition=\"resolved\"}") == 1);

  // Nothing is left of the releases themselves.
  for (const char* metric : {"rollguard_release_", "rollguard_confidence", "rollguard_measurement_",
                             "rollguard_rule_state", "rollguard_signals_firing"}) {
    INFO(metric);
    CHECK(page.find(StrCat("\n", metric, "info{")) == std::string::npos);
    CHECK(OfGuard(page, StrCat(metric, "weight_ratio")) == -1);
    CHECK(page.find(StrCat("\n", metric, "{namespace")) == std::string::npos);
  }
  exporter.DeleteGuard();
  CHECK(exporter.Scrape().find("guard=\"checkout\"") == std::string::npos);
}

}  // namespace
}  // namespace rollguard::dashboards
