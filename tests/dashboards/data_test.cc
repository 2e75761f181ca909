// SPDX-License-Identifier: Apache-2.0
// A real Prometheus scrapes the agent's metrics while three releases are played; afterwards every
// panel of every dashboard has something to show.
#include "agent/base/json.h"
#include "agent/base/text.h"
#include "tests/dashboards/boards.h"
#include "tests/dashboards/sim_exporter.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"
#include "tests/support/real_prometheus.h"

namespace rollguard::dashboards {
namespace {

constexpr const char* kConfig = R"(
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs:
  - job_name: rollguard
    honor_labels: true
    static_configs: [{targets: ["127.0.0.1:%d"]}]
)";

// Whether the answer has a number in it: not an error, not empty, not only NaN.
bool HasNumber(const std::string& body) {
  auto json = ParseJson(body);
  if (!json || json->At("status").Str() != "success") return false;
  for (const Json& series : json->At("data", "result").items()) {
    for (const Json& point : series.At("values").items()) {
      if (point.At(1).Str() != "NaN") return true;
    }
  }
  return false;
}

double Time(testing::RealPrometheus& prometheus) {
  auto json = ParseJson(prometheus.Query("time()", "").body);
  return json ? json->At("data", "result").At(0).DoubleOr(0) : 0;
}

TEST_CASE("every panel has data on a real Prometheus that scraped three releases") {
  SimExporter exporter(std::chrono::seconds(15));
  testing::PrometheusOptions options;
  options.config = Format(kConfig, exporter.port());
  auto prometheus = testing::RealPrometheus::Start(options);
  REQUIRE(prometheus != nullptr);
  const double began = Time(*prometheus);
  const bool done = testing::PollUntil([&] { return exporter.Done(); }, std::chrono::minutes(3),
                                       std::chrono::milliseconds(200));
  INFO(exporter.Story());
  REQUIRE(done);
  CHECK(exporter.Story() == "promoted rolledBack rolledBack ");

  const std::string start = Format("%.1f", began - 5), end = Format("%.1f", Time(*prometheus) + 1);
  std::string empty;
  size_t asked = 0;
  for (const Board& board : LoadBoards()) {
    for (const Expression& expression : PanelExpressions(board)) {
      const std::string filled = Filled(expression.text, "2s");
      testing::HttpAnswer answer = prometheus->QueryRange(filled, start, end, "500ms");
      ++asked;
      if (!HasNumber(answer.body))
        empty += StrCat(board.file, ": ", expression.where, ": ", filled, "\n  ",
                        Abbreviate(answer.body, 300), "\n");
    }
  }
  CHECK(empty == "");
  CHECK(asked > 80);

  // The rollbacks are marked on the time axis.
  for (const Board& board : LoadBoards()) {
    for (const Expression& expression : AnnotationExpressions(board)) {
      if (expression.where != "annotation Rollbacks") continue;
      INFO(board.file << expression.text);
      CHECK(HasNumber(
          prometheus->QueryRange(Filled(expression.text, "2s"), start, end, "500ms").body));
    }
  }
}

}  // namespace
}  // namespace rollguard::dashboards
