// SPDX-License-Identifier: Apache-2.0
// Rounds against a server in memory that has bad members and bad days.
#include "agent/prometheus/server_source.h"
#include "tests/prometheus/fake_server.h"
#include "tests/support/catch.h"

namespace rollguard::prometheus {
namespace {

constexpr int kMembers = 200;

struct Fixture {
  FakeLoop loop;
  FakeServer server{loop};
  FoldOptions fold;
  std::unique_ptr<ServerSource> source;

  Fixture() {
    fold.shadow_chance = 0;
    int64_t now = ToUnixMillis(loop.Now());
    for (int i = 0; i < kMembers; ++i) {
      promql::Labels labels({{"__name__", "x"}, {"app", StrCat("app", i)}});
      REQUIRE(server.store.Append(labels, now - 1000, i).ok());
    }
  }
  void Start() {
    ApiOptions api;
    api.url = "http://metrics";
    api.attempts = 1;
    source = std::make_unique<ServerSource>(server, loop, loop, 3, api, fold);
  }
  // sum(x{app="appI"}) + 1 of every member and one that does not exist.
  std::vector<Expected<MetricAnswer>> Round() {
    if (source == nullptr) Start();
    std::vector<Expected<MetricAnswer>> answers(kMembers + 1, Error(ErrorCode::kInternal, "none"));
    MetricsSource::Round round;
    for (int i = 0; i <= kMembers; ++i) {
      MetricQuery query;
      query.query = StrCat("sum(x{app=\"app", i, "\"}) + 1");
      query.at = loop.Now();
      round.emplace_back(query, [&answers, i](Expected<MetricAnswer> answer) {
        CHECK_FALSE(answers[static_cast<size_t>(i)].ok());
        answers[static_cast<size_t>(i)] = std::move(answer);
      });
    }
    server.requests.clear();
    source->Ask(std::move(round));
    CHECK(server.requests.empty());  // nothing happens inside the call
    loop.Run();
    return answers;
  }
};

bool Is(const Expected<MetricAnswer>& answer, double value) {
  const auto& vector = std::get<promql::Vector>(answer->value);
  return vector.size() == 1 && vector[0].v == value && vector[0].labels.empty();
}

bool Has(const std::string& query, int member) {
  return query.find(StrCat("app", member, "|")) != std::string::npos ||
         query.find(StrCat("app", member, "\"")) != std::string::npos;
}

}  // namespace

TEST_CASE("a round costs few requests and gives everyone its answer", "[prometheus][round]") {
  Fixture f;
  auto answers = f.Round();
  CHECK(f.server.requests.size() == 2);
  for (int i = 0; i < kMembers; ++i) {
    REQUIRE(answers[static_cast<size_t>(i)].ok());
    CHECK(Is(answers[static_cast<size_t>(i)], i + 1));
    CHECK_FALSE(answers[static_cast<size_t>(i)]->suspect);
  }
  REQUIRE(answers[kMembers].ok());
  CHECK(std::get<promql::Vector>(answers[kMembers]->value).empty());
}

TEST_CASE("a member that breaks the query does not blind the others", "[prometheus][round]") {
  Fixture f;
  bool broken = true;
  f.server.before = [&](const std::string& query) -> std::optional<Expected<HttpResponse>> {
    if (!broken || (!Has(query, 7) && !Has(query, 130))) return std::nullopt;
    return ApiError(422, "execution", "found duplicate series for the match group");
  };
  auto check = [&](bool culprits_fail) {
    auto answers = f.Round();
    for (int i = 0; i <= kMembers; ++i) {
      INFO(i);
      bool culprit = i == 7 || i == 130;
      CHECK(answers[static_cast<size_t>(i)].ok() == !(culprit && culprits_fail));
    }
    return f.server.requests.size();
  };
  CHECK(check(true) > 10);  // found by halving
  CHECK(check(true) == 4);  // and from then on asked alone
  broken = false;
  for (int round = 0; round < 5; ++round) CHECK(check(false) == 4);
  CHECK(check(false) == 2);  // let back
}

TEST_CASE("a server in trouble makes all unknown and is not asked more", "[prometheus][round]") {
  struct Row {
    const char* name;
    Expected<HttpResponse> response;
  };
  const Row rows[] = {
      {"503", Respond(503, "busy")},
      {"429", Respond(429, "slow down")},
      {"html", Respond(200, "<html>log in</html>")},
      {"half a body",
       Respond(200, R"({"status":"success","data":{"resultType":"vector","result":[)")},
      {"no connection", Error(ErrorCode::kUnavailable, "refused")},
      {"too slow", Error(ErrorCode::kTimeout, "deadline")},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    Fixture f;
    f.server.before = [&](const std::string&) -> std::optional<Expected<HttpResponse>> {
      return row.response;
    };
    for (const auto& answer : f.Round()) CHECK_FALSE(answer.ok());
    CHECK(f.server.requests.size() == 2);
  }
}

TEST_CASE("a question nobody can answer is not halved for ever", "[prometheus][round]") {
  Fixture f;
  f.server.before = [](const std::string&) -> std::optional<Expected<HttpResponse>> {
    return ApiError(422, "execution", "found duplicate series");
  };
  for (const auto& answer : f.Round()) CHECK_FALSE(answer.ok());
  CHECK(f.server.requests.size() <= 2 + f.fold.max_bisections);
}

TEST_CASE("too many samples make smaller requests from then on", "[prometheus][round]") {
  Fixture f;
  f.server.before = [](const std::string& query) -> std::optional<Expected<HttpResponse>> {
    size_t members = static_cast<size_t>(std::count(query.begin(), query.end(), '|')) + 1;
    if (members <= 60) return std::nullopt;
    return ApiError(422, "execution", "query processing would load too many samples into memory");
  };
  for (const auto& answer : f.Round()) CHECK(answer.ok());
  for (const auto& answer : f.Round()) CHECK(answer.ok());
  CHECK(f.server.requests.size() == 5);  // 201 members by 50 at a time, none refused
}

TEST_CASE("a partial answer makes its members suspect", "[prometheus][round]") {
  Fixture f;
  f.server.before = [](const std::string&) -> std::optional<Expected<HttpResponse>> {
    return Respond(
        200,
        R"({"status":"success","data":{"resultType":"vector","result":[]},"warnings":["a store is away"]})");
  };
  for (const auto& answer : f.Round()) {
    REQUIRE(answer.ok());
    CHECK(answer->suspect);
    CHECK(answer->warnings == std::vector<std::string>{"a store is away"});
  }
}

TEST_CASE("a shadow check that finds a difference switches the fold off", "[prometheus][round]") {
  Fixture f;
  f.fold.shadow_chance = 1;
  f.server.before = [](const std::string& query) -> std::optional<Expected<HttpResponse>> {
    if (query.find(" by (app)") == std::string::npos) return std::nullopt;
    return Respond(200, R"({"status":"success","data":{"resultType":"vector","result":[]}})");
  };
  f.Round();
  CHECK(f.source->counters().shadow_checks == 1);
  CHECK(f.source->counters().shadow_differences == 1);
  auto answers = f.Round();
  CHECK(f.server.requests.size() == kMembers + 1);
  for (int i = 0; i < kMembers; ++i) CHECK(Is(answers[static_cast<size_t>(i)], i + 1));
}

TEST_CASE("a shadow check that agrees leaves all as it is", "[prometheus][round]") {
  Fixture f;
  f.fold.shadow_chance = 1;
  f.Round();
  CHECK(f.source->counters().shadow_checks == 1);
  CHECK(f.source->counters().shadow_differences == 0);
  f.Round();
  CHECK(f.server.requests.size() == 3);
}

TEST_CASE("other dialects, ranges and single questions pass through", "[prometheus][round]") {
  Fixture f;
  f.Start();
  f.server.before = [](const std::string& query) -> std::optional<Expected<HttpResponse>> {
    if (query != "range_median(x[5m])") return std::nullopt;
    return Respond(200, R"({"status":"success","data":{"resultType":"scalar","result":[1,"7"]}})");
  };
  int answered = 0;
  MetricQuery dialect;
  dialect.query = "range_median(x[5m])";
  dialect.at = f.loop.Now();
  MetricsSource::Round round;
  round.emplace_back(dialect, [&](Expected<MetricAnswer> answer) {
    ++answered;
    REQUIRE(answer.ok());
    CHECK(std::get<promql::Scalar>(answer->value).v == 7);
  });
  f.source->Ask(std::move(round));
  MetricQuery range;
  range.query = "x";
  range.range = MetricQuery::Range{f.loop.Now(), f.loop.Now(), std::chrono::seconds(1)};
  f.source->Query(range, [&](Expected<MetricAnswer>) { ++answered; });
  f.loop.Run();
  CHECK(answered == 2);
  REQUIRE(f.server.requests.size() == 2);
  CHECK(f.server.requests[1].url == "http://metrics/api/v1/query_range");
  CHECK(FakeServer::Field(f.server.requests[1].body, "step") == "1.000");
}

TEST_CASE("nothing is called after the source is gone", "[prometheus][round]") {
  Fixture f;
  f.Start();
  MetricsSource::Round round;
  MetricQuery query;
  query.query = "x";
  query.at = f.loop.Now();
  round.emplace_back(query, [](Expected<MetricAnswer>) { FAIL("called"); });
  f.source->Ask(round);
  f.source->Query(query, [](Expected<MetricAnswer>) { FAIL("called"); });
  f.source.reset();
  f.loop.Run();
}

}  // namespace rollguard::prometheus
