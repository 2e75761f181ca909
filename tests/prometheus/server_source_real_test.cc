// SPDX-License-Identifier: Apache-2.0
// Whole rounds through libcurl against the real Prometheus.
#include <condition_variable>
#include <mutex>

#include "agent/base/text.h"
#include "agent/net/curl_client.h"
#include "agent/prometheus/server_source.h"
#include "tests/support/catch.h"
#include "tests/support/real_clock.h"
#include "tests/support/real_prometheus.h"

namespace rollguard::prometheus {
namespace {

constexpr int kMembers = 200;
constexpr int64_t kAt = 1'700'000'060;

// Member 42 has two series where the rule expects one.
std::string Data() {
  std::string load, limit;
  for (int i = 0; i < kMembers; ++i) {
    load += StrCat("load{app=\"a", i, "\",pod=\"p\"} ", i, " ", kAt - 30, "\n");
    limit += StrCat("limit{app=\"a", i, "\",pod=\"p\",kind=\"x\"} 10 ", kAt - 30, "\n");
    if (i == 42)
      limit += StrCat("limit{app=\"a", i, "\",pod=\"p\",kind=\"y\"} 11 ", kAt - 30, "\n");
  }
  return StrCat("# TYPE load gauge\n", load, "# TYPE limit gauge\n", limit, "# EOF\n");
}

std::vector<Expected<MetricAnswer>> AskAll(ServerSource& source, const std::string& form) {
  std::mutex mutex;
  std::condition_variable ready;
  size_t left = kMembers + 1;
  std::vector<Expected<MetricAnswer>> answers(left, Error(ErrorCode::kInternal, "none"));
  MetricsSource::Round round;
  for (size_t i = 0; i <= kMembers; ++i) {
    MetricQuery query;
    query.query = ReplaceAll(form, "KEY", StrCat("a", i));
    query.at = FromUnixMillis(kAt * 1000);
    round.emplace_back(std::move(query), [&, i](Expected<MetricAnswer> answer) {
      std::lock_guard lock(mutex);
      answers[i] = std::move(answer);
      if (--left == 0) ready.notify_one();
    });
  }
  source.Ask(std::move(round));
  std::unique_lock lock(mutex);
  ready.wait(lock, [&] { return left == 0; });
  return answers;
}

}  // namespace

TEST_CASE("a member with duplicate series does not blind the others", "[prometheus][real]") {
  testing::PrometheusOptions options;
  options.openmetrics = Data();
  auto server = testing::RealPrometheus::Start(options);
  REQUIRE(server != nullptr);
  testing::RealClock clock;
  net::CurlClient client(clock);
  ApiOptions api;
  api.url = server->url();
  FoldOptions fold;
  fold.shadow_chance = 1;
  ServerSource source(client, client, clock, 7, api, fold);
  std::string form = R"(avg(load{app="KEY"} / on (pod) limit{app="KEY"}))";
  for (int round = 0; round < 3; ++round) {
    uint64_t before = source.counters().requests;
    auto answers = AskAll(source, form);
    for (size_t i = 0; i < kMembers; ++i) {
      INFO(i);
      REQUIRE(answers[i].ok() == (i != 42));
      if (i == 42) {
        CHECK(answers[i].error().message.find("found duplicate series for the match group") !=
              std::string::npos);
        CHECK_FALSE(answers[i].error().retryable);
        continue;
      }
      const auto& vector = std::get<promql::Vector>(answers[i]->value);
      REQUIRE(vector.size() == 1);
      CHECK(vector[0].v == static_cast<double>(i) / 10);
    }
    REQUIRE(answers[kMembers].ok());
    CHECK(std::get<promql::Vector>(answers[kMembers]->value).empty());
    if (round > 0) CHECK(source.counters().requests - before <= 4);
  }
  CHECK(source.counters().shadow_differences == 0);
}

TEST_CASE("every endpoint of the real server can be read", "[prometheus][real]") {
  testing::PrometheusOptions options;
  options.openmetrics = Data();
  auto server = testing::RealPrometheus::Start(options);
  REQUIRE(server != nullptr);
  testing::RealClock clock;
  net::CurlClient client(clock);
  ApiOptions options_of_api;
  options_of_api.url = server->url();
  std::mutex mutex;
  std::condition_variable ready;
  std::vector<Expected<Json>> answers;
  auto keep = [&](Expected<Json> json) {
    std::lock_guard lock(mutex);
    answers.push_back(std::move(json));
    ready.notify_one();
  };
  std::shared_ptr<ApiClient> api;
  client.After(Duration(0), [&] {
    api = std::make_shared<ApiClient>(client, client, clock, 1, options_of_api);
    Duration timeout = std::chrono::seconds(20);
    api->Series({"load{app=\"a1\"}"}, FromUnixMillis((kAt - 60) * 1000), FromUnixMillis(kAt * 1000),
                timeout, keep);
    api->LabelValues("app", timeout, keep);
    api->Rules(timeout, keep);
    api->Alerts(timeout, keep);
    api->Metadata(timeout, keep);
    api->Get("labels", {}, timeout, keep);
  });
  std::unique_lock lock(mutex);
  ready.wait(lock, [&] { return answers.size() == 6; });
  for (const auto& answer : answers) {
    INFO((answer.ok() ? "" : answer.error().message));
    CHECK(answer.ok());
  }
}

}  // namespace rollguard::prometheus
