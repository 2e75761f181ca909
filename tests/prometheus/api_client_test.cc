// SPDX-License-Identifier: Apache-2.0
#include "agent/prometheus/api_client.h"

#include <cmath>
#include <filesystem>
#include <fstream>

#include "tests/prometheus/fake_server.h"
#include "tests/support/catch.h"

namespace rollguard::prometheus {
namespace {

struct Fixture {
  FakeLoop loop;
  FakeServer server{loop};
  ApiOptions options;
  Fixture() { options.url = "http://metrics:9090/prefix/"; }

  QueryOutcome Ask(const std::string& query, Duration timeout = std::chrono::seconds(10)) {
    ApiClient client(server, loop, loop, 1, options);
    QueryOutcome outcome{Error(ErrorCode::kInternal, "no answer")};
    client.Instant(query, loop.Now(), timeout, [&](QueryOutcome o) { outcome = std::move(o); });
    loop.Run();
    return outcome;
  }
};

std::string HeaderOf(const HttpRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return "";
}

const char* kVector =
    R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[5,"1"]}]}})";

}  // namespace

TEST_CASE("a question is a form with time and deadline", "[prometheus][client]") {
  Fixture f;
  f.options.tenant = "team-a";
  f.options.headers = {{"X-Extra", "1"}};
  f.options.concurrency = 7;
  QueryOutcome outcome = f.Ask("vector(1) + 2");
  REQUIRE(outcome.answer.ok());
  REQUIRE(f.server.requests.size() == 1);
  const HttpRequest& r = f.server.requests[0];
  CHECK(r.method == "POST");
  CHECK(r.url == "http://metrics:9090/prefix/api/v1/query");
  CHECK(r.body ==
        "query=vector%281%29%20%2B%202&time=1700000900.000&timeout=9s&partial_response=false&"
        "stats=true");
  CHECK(HeaderOf(r, "X-Scope-OrgID") == "team-a");
  CHECK(HeaderOf(r, "X-Extra") == "1");
  CHECK(r.accept_gzip);
  CHECK(r.max_parallel == 7);
  CHECK(r.timeout == std::chrono::seconds(10));
}

TEST_CASE("secrets are read anew for every request", "[prometheus][client]") {
  auto path = std::filesystem::temp_directory_path() / "rollguard-token-test";
  Fixture f;
  f.options.bearer_token_file = path.string();
  std::ofstream(path) << "first\n";
  CHECK(f.Ask("1").answer.ok());
  std::ofstream(path) << "second\n";
  CHECK(f.Ask("1").answer.ok());
  CHECK(HeaderOf(f.server.requests[0], "Authorization") == "Bearer first");
  CHECK(HeaderOf(f.server.requests[1], "Authorization") == "Bearer second");
  std::filesystem::remove(path);
  QueryOutcome missing = f.Ask("1");
  REQUIRE_FALSE(missing.answer.ok());
  CHECK(missing.answer.error().code == ErrorCode::kUnauthenticated);
  CHECK_FALSE(missing.blames_question);
  CHECK(f.server.requests.size() == 2);

  f.options.bearer_token_file.clear();
  f.options.username = "me";
  f.options.password_file = path.string();
  std::ofstream(path) << "pw";
  CHECK(f.Ask("1").answer.ok());
  CHECK(HeaderOf(f.server.requests[2], "Authorization") == "Basic " + Base64Encode("me:pw"));
  std::filesystem::remove(path);
}

TEST_CASE("failures are told apart; none of them is an empty answer", "[prometheus][client]") {
  struct Row {
    const char* name;
    Expected<HttpResponse> response;
    ErrorCode code;
    bool blames_question;
  };
  std::string whole = kVector;
  const Row rows[] = {
      {"bad query", ApiError(400, "bad_data", "parse error"), ErrorCode::kInvalid, true},
      {"proxy's 400", Respond(400, "<html>bad request</html>"), ErrorCode::kUnavailable, false},
      {"duplicates", ApiError(422, "execution", "found duplicate series for the match group"),
       ErrorCode::kInvalid, true},
      {"samples", ApiError(422, "execution", "query processing would load too many samples"),
       ErrorCode::kTooLarge, true},
      {"deadline", ApiError(422, "execution", "context deadline exceeded"), ErrorCode::kTimeout,
       true},
      {"proxy's 422", Respond(422, "?"), ErrorCode::kUnavailable, false},
      {"busy", ApiError(503, "timeout", "query timed out in expression evaluation"),
       ErrorCode::kUnavailable, false},
      {"throttled", Respond(429, "slow down"), ErrorCode::kThrottled, false},
      {"login page", Respond(200, "<!DOCTYPE html><html>log in</html>"), ErrorCode::kUnavailable,
       false},
      {"forbidden", Respond(403, "<html>"), ErrorCode::kDenied, false},
      {"unauthorised", Respond(401, ""), ErrorCode::kUnauthenticated, false},
      {"wrong address", Respond(404, "404 page not found"), ErrorCode::kNotFound, false},
      {"gateway", Respond(504, "<html>"), ErrorCode::kTimeout, false},
      {"empty body", Respond(200, ""), ErrorCode::kUnavailable, false},
      {"empty object", Respond(200, "{}"), ErrorCode::kUnavailable, false},
      {"error inside 200", ApiError(200, "execution", "x"), ErrorCode::kUnavailable, false},
      {"strange result",
       Respond(200, R"({"status":"success","data":{"resultType":"table","result":[]}})"),
       ErrorCode::kUnavailable, false},
      {"no value",
       Respond(200,
               R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}})"),
       ErrorCode::kUnavailable, false},
      {"native histogram",
       Respond(
           200,
           R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}})"),
       ErrorCode::kInvalid, true},
      {"unreached", Error(ErrorCode::kUnavailable, "connection refused"), ErrorCode::kUnavailable,
       false},
      {"too much", Error(ErrorCode::kTooLarge, "more than 64 MiB"), ErrorCode::kTooLarge, true},
      {"too slow", Error(ErrorCode::kTimeout, "10s"), ErrorCode::kTimeout, false},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    QueryOutcome outcome = ReadQueryAnswer(row.response);
    REQUIRE_FALSE(outcome.answer.ok());
    INFO(outcome.answer.error().message);
    CHECK(outcome.answer.error().code == row.code);
    CHECK(outcome.blames_question == row.blames_question);
  }
  for (size_t cut = 0; cut < whole.size(); ++cut) {
    INFO("half a body: " << whole.substr(0, cut));
    CHECK_FALSE(ReadQueryAnswer(Respond(200, whole.substr(0, cut))).answer.ok());
  }
  CHECK(ReadQueryAnswer(Respond(200, whole)).answer.ok());
}

TEST_CASE("answers of every kind are read", "[prometheus][client]") {
  auto read = [](const std::string& data) {
    auto outcome = ReadQueryAnswer(
        Respond(200, R"({"status":"success","data":)" + data + R"(,"warnings":["partial"]})"));
    REQUIRE(outcome.answer.ok());
    CHECK(outcome.answer->warnings == std::vector<std::string>{"partial"});
    return outcome.answer->value;
  };
  auto vector = read(
      R"({"resultType":"vector","result":[{"metric":{"__name__":"x","a":"\u00e9"},"value":[1.5,"NaN"]},{"metric":{},"value":[2,"-Inf"]}]})");
  const auto& samples = std::get<promql::Vector>(vector);
  REQUIRE(samples.size() == 2);
  CHECK(samples[0].labels.ToString() == "x{a=\"\xc3\xa9\"}");
  CHECK(samples[0].t == 1500);
  CHECK(std::isnan(samples[0].v));
  CHECK(samples[1].v == -HUGE_VAL);
  auto matrix =
      read(R"({"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"],[2.001,"1e-7"]]}]})");
  REQUIRE(std::get<promql::Matrix>(matrix)[0].points.size() == 2);
  CHECK(std::get<promql::Matrix>(matrix)[0].points[1].t == 2001);
  CHECK(std::get<promql::Matrix>(matrix)[0].points[1].v == 1e-7);
  CHECK(std::get<promql::Scalar>(read(R"({"resultType":"scalar","result":[3,"+Inf"]})")).v ==
        HUGE_VAL);
  CHECK(std::get<promql::StringValue>(read(R"({"resultType":"string","result":[3,"s"]})")).text ==
        "s");
}

TEST_CASE("what the server could not take is sent again, within the deadline",
          "[prometheus][client]") {
  Fixture f;
  int failures = 0;
  Expected<HttpResponse> failure = Respond(503, "busy");
  f.server.before = [&](const std::string&) -> std::optional<Expected<HttpResponse>> {
    if (failures-- > 0) return failure;
    return std::nullopt;
  };
  failures = 2;
  CHECK(f.Ask("1").answer.ok());
  CHECK(f.server.requests.size() == 3);

  f.server.requests.clear();
  failures = 3;
  CHECK_FALSE(f.Ask("1").answer.ok());
  CHECK(f.server.requests.size() == 3);

  f.server.requests.clear();
  failures = 1;
  failure = Respond(429, "", {{"retry-after", "5"}});
  Time before = f.loop.Now();
  CHECK(f.Ask("1").answer.ok());
  CHECK(f.loop.Now() - before >= std::chrono::seconds(5));
  CHECK(f.server.requests[1].timeout < std::chrono::seconds(6));

  f.server.requests.clear();
  failures = 1;
  QueryOutcome late = f.Ask("1", std::chrono::seconds(4));
  REQUIRE_FALSE(late.answer.ok());
  CHECK(late.answer.error().retry_after == std::chrono::seconds(5));
  CHECK(f.server.requests.size() == 1);

  for (int status : {400, 422, 401, 404, 500}) {
    f.server.requests.clear();
    failures = 1;
    failure = ApiError(status, "execution", "no");
    CHECK_FALSE(f.Ask("1").answer.ok());
    CHECK(f.server.requests.size() == 1);
  }
}

TEST_CASE("the other endpoints hand on their data", "[prometheus][client]") {
  Fixture f;
  f.server.before = [](const std::string&) -> std::optional<Expected<HttpResponse>> {
    return Respond(200, R"({"status":"success","data":["a","b"]})");
  };
  ApiClient client(f.server, f.loop, f.loop, 1, f.options);
  std::vector<Expected<Json>> answers;
  auto keep = [&](Expected<Json> json) { answers.push_back(std::move(json)); };
  Duration timeout = std::chrono::seconds(5);
  client.Series({"x{a=\"b\"}", "y"}, FromUnixMillis(1000), FromUnixMillis(2500), timeout, keep);
  client.LabelValues("job", timeout, keep);
  client.Rules(timeout, keep);
  client.Alerts(timeout, keep);
  client.Metadata(timeout, keep);
  f.loop.Run();
  REQUIRE(answers.size() == 5);
  for (const auto& answer : answers) CHECK(answer->size() == 2);
  CHECK(f.server.requests[0].body == "match[]=x%7Ba%3D%22b%22%7D&match[]=y&start=1.000&end=2.500");
  CHECK(f.server.requests[1].method == "GET");
  CHECK(f.server.requests[1].url == "http://metrics:9090/prefix/api/v1/label/job/values");
}

}  // namespace rollguard::prometheus
