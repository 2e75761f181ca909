// SPDX-License-Identifier: Apache-2.0
// The registry and the page: what is printed, what goes, and that Prometheus' own linter is content
// with every name.
#include "agent/telemetry/metrics.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "agent/base/text.h"
#include "agent/promql/exposition.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::telemetry {
namespace {

// The lines of a metric, comments left out.
std::string LinesOf(const std::string& page, std::string_view name) {
  std::string out;
  for (std::string_view line : Split(page, '\n')) {
    if (line.starts_with(name) && !line.starts_with("#")) out += StrCat(line, "\n");
  }
  return out;
}

// One series of every metric, so that the page shows the whole catalog.
void FillAll(Metrics& metrics) {
  for (const MetricInfo& info : Catalog()) {
    switch (info.labels.size()) {
      // The number of labels is a type: each has its call.
#define FILL(count, ...)                                                                         \
  case count:                                                                                    \
    if (info.kind == Kind::kCounter) metrics.CounterOf(info.id, {__VA_ARGS__}).Add();            \
    if (info.kind == Kind::kGauge) metrics.GaugeOf(info.id, {__VA_ARGS__}).Set(1.5);             \
    if (info.kind == Kind::kHistogram) metrics.HistogramOf(info.id, {__VA_ARGS__}).Observe(0.3); \
    break;
      FILL(0)
      FILL(1, "a")
      FILL(2, "a", "b")
      FILL(3, "a", "b", "c")
      FILL(4, "a", "b", "c", "d")
      FILL(5, "a", "b", "c", "d", "e")
      FILL(6, "a", "b", "c", "d", "e", "f")
#undef FILL
      default: FAIL("a metric with more labels than the test fills");
    }
  }
}

TEST_CASE("the page shows counters, gauges and histograms as Prometheus reads them") {
  Metrics metrics;
  metrics.CounterOf(Metric::kDecisions, {"shop", "cart", "rollback", "rule"}).Add(2);
  metrics.GaugeOf(Metric::kReleaseWeight, {"shop", "cart"}).Set(0.25);
  Histogram& latency = metrics.HistogramOf(Metric::kAlertToPatch);
  latency.Observe(0.0004);
  latency.Observe(std::chrono::milliseconds(2));
  latency.Observe(99.0);
  const std::string page = metrics.Expose();
  CHECK(LinesOf(page, "rollguard_decisions_total") ==
        "rollguard_decisions_total{namespace=\"shop\",guard=\"cart\",action=\"rollback\","
        "reason=\"rule\"} 2\n");
  CHECK(LinesOf(page, "rollguard_release_weight_ratio") ==
        "rollguard_release_weight_ratio{namespace=\"shop\",guard=\"cart\"} 0.25\n");
  const std::string histogram = LinesOf(page, "rollguard_alert_to_patch_seconds");
  CHECK(
      histogram.starts_with("rollguard_alert_to_patch_seconds_bucket{le=\"0.0005\"} 1\n"
                            "rollguard_alert_to_patch_seconds_bucket{le=\"0.001\"} 1\n"
                            "rollguard_alert_to_patch_seconds_bucket{le=\"0.002\"} 2\n"));
  CHECK(
      histogram.ends_with("rollguard_alert_to_patch_seconds_bucket{le=\"30\"} 2\n"
                          "rollguard_alert_to_patch_seconds_bucket{le=\"+Inf\"} 3\n"
                          "rollguard_alert_to_patch_seconds_sum 99.0024\n"
                          "rollguard_alert_to_patch_seconds_count 3\n"));
  CHECK(page.find("# HELP rollguard_decisions_total ") != std::string::npos);
  CHECK(page.find("# TYPE rollguard_alert_to_patch_seconds histogram\n") != std::string::npos);
  CHECK(page.find("rollguard_queue_depth") == std::string::npos);  // no series, no heading
}

TEST_CASE("label values cannot break the page") {
  struct Row {
    std::string value, want;
  };
  const std::vector<Row> rows = {
      {"plain", "plain"}, {"a\"b\\c\nd", "a\\\"b\\\\c\\nd"},
      {"grün", "grün"},   {"bad\xff\xc3", "bad??"},
      {"", ""},
  };
  for (const Row& row : rows) {
    INFO(row.want);
    Metrics metrics;
    metrics.GaugeOf(Metric::kBuildInfo, {row.value}).Set(1.0);
    CHECK(LinesOf(metrics.Expose(), "rollguard_build_info") ==
          StrCat("rollguard_build_info{version=\"", row.want, "\"} 1\n"));
  }
  Metrics metrics;
  metrics.GaugeOf(Metric::kBuildInfo, {std::string(10'000, 'x')}).Set(1.0);
  CHECK(metrics.Expose().size() < 600);
}

TEST_CASE("a guard's series go with it, and only they") {
  Metrics metrics;
  for (std::string_view guard : {"cart", "cart2", "ca"}) {
    metrics.GaugeOf(Metric::kRollbackReady, {"shop", guard}).Set(1.0);
    metrics.CounterOf(Metric::kDecisions, {"shop", guard, "start", "plan"}).Add();
    metrics.GaugeOf(Metric::kGuardPhase, {"shop", guard, "idle"}).Set(1.0);
  }
  metrics.GaugeOf(Metric::kRollbackReady, {"shop2", "cart"}).Set(1.0);
  metrics.RemoveGuard("shop", "cart");
  const std::string page = metrics.Expose();
  CHECK(page.find("guard=\"cart\",") == std::string::npos);
  CHECK(LinesOf(page, "rollguard_rollback_ready") ==
        "rollguard_rollback_ready{namespace=\"shop\",guard=\"ca\"} 1\n"
        "rollguard_rollback_ready{namespace=\"shop\",guard=\"cart2\"} 1\n"
        "rollguard_rollback_ready{namespace=\"shop2\",guard=\"cart\"} 1\n");
  CHECK(LinesOf(page, "rollguard_guard_phase").size() > 0);
  metrics.Remove(Metric::kGuardPhase);
  CHECK(LinesOf(metrics.Expose(), "rollguard_guard_phase").empty());
}

TEST_CASE("a metric with too many series says so instead of growing") {
  Metrics metrics(3);
  for (int i = 0; i < 10; ++i)
    metrics.GaugeOf(Metric::kRollbackReady, {"shop", std::to_string(i)}).Set(1.0);
  const std::string page = metrics.Expose();
  CHECK(Split(LinesOf(page, "rollguard_rollback_ready"), '\n').size() == 3 + 1);
  CHECK(LinesOf(page, "rollguard_telemetry_series_dropped_total") ==
        "rollguard_telemetry_series_dropped_total 7\n");
}

TEST_CASE("counters only rise") {
  Metrics metrics;
  Counter& counter = metrics.CounterOf(Metric::kLooks);
  counter.Add(5);
  counter.Add(-3);
  counter.RaiseTo(4);
  CHECK(counter.value() == 5);
  counter.RaiseTo(9);
  CHECK(counter.value() == 9);
}

TEST_CASE("scrapes and changes may meet: every page is whole") {
  Metrics metrics;
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      const std::string name = std::to_string(i % 2000);
      metrics.GaugeOf(Metric::kRollbackReady, {"shop", name}).Set(1.0);
      metrics.HistogramOf(Metric::kAlertToPatch).Observe(0.1);
      if (i % 3 == 0) metrics.RemoveGuard("shop", name);
    }
  });
  for (int i = 0; i < 30; ++i) {
    const std::string text = metrics.Expose();
    auto page = promql::ParseExposition(text);
    REQUIRE(page);
  }
  stop = true;
  writer.join();
}

TEST_CASE("reads run before each page") {
  Metrics metrics;
  int reads = 0;
  metrics.OnExpose([&] { metrics.GaugeOf(Metric::kQueueDepth).Set(static_cast<double>(++reads)); });
  metrics.Expose();
  CHECK(LinesOf(metrics.Expose(), "rollguard_queue_depth") == "rollguard_queue_depth 2\n");
}

TEST_CASE("the process is shown as the kernel sees it") {
  Metrics metrics;
  ExposeProcess(metrics, "1.2.3");
  const std::string page = metrics.Expose();
  CHECK(LinesOf(page, "rollguard_build_info") == "rollguard_build_info{version=\"1.2.3\"} 1\n");
  auto value = [&](std::string_view name) {
    std::string line = LinesOf(page, name);
    REQUIRE(line.size() > name.size());
    return ParseDouble(Trim(std::string_view(line).substr(name.size()))).value();
  };
  CHECK(value("process_resident_memory_bytes") > 1e6);
  CHECK(value("process_open_fds") >= 3);
  CHECK(value("process_max_fds") >= value("process_open_fds"));
  CHECK(value("process_threads") >= 1);
  CHECK(value("process_start_time_seconds") > 1.6e9);
  CHECK(value("process_cpu_seconds_total") >= 0);
}

TEST_CASE("promtool finds nothing to say about the whole catalog") {
  Metrics metrics;
  FillAll(metrics);
  const testing::RunResult said = testing::Run({"promtool", "check", "metrics"}, metrics.Expose());
  CHECK(said.out + said.err == "");
  CHECK(said.code == 0);
  // It does speak up when there is something to say.
  CHECK(testing::Run({"promtool", "check", "metrics"}, "# TYPE bad_ms counter\nbad_ms 1\n").code !=
        0);
}

TEST_CASE("names, help and labels of the catalog keep to the conventions") {
  std::set<std::string_view> names;
  for (const MetricInfo& info : Catalog()) {
    INFO(info.name);
    CHECK(names.insert(info.name).second);
    CHECK((info.name.starts_with("rollguard_") || info.name.starts_with("process_")));
    CHECK(info.name.ends_with("_total") == (info.kind == Kind::kCounter));
    CHECK(info.help.ends_with("."));
    CHECK(info.buckets.empty() == (info.kind != Kind::kHistogram));
    CHECK(std::is_sorted(info.buckets.begin(), info.buckets.end()));
    CHECK((info.labels.empty() || (info.labels[0] == "namespace") == info.PerGuard()));
  }
}

TEST_CASE("docs/metrics.md is what the catalog prints") {
  const std::string path = std::string(ROLLGUARD_SOURCE_DIR) + "/docs/metrics.md";
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path) << MetricsReference();
  std::ifstream stream(path);
  CHECK(std::string((std::istreambuf_iterator<char>(stream)), {}) == MetricsReference());
}

}  // namespace
}  // namespace rollguard::telemetry
