// SPDX-License-Identifier: Apache-2.0
#include "agent/probe/conversation.h"

#include "agent/base/text.h"
#include "agent/probe/cookies.h"
#include "tests/probe/probe_fixture.h"

namespace rollguard::probe {
namespace {

HttpResponse Answer(int status, std::string body = {}, HttpHeaders headers = {}) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  response.headers = std::move(headers);
  return response;
}

TEST_CASE("status patterns") {
  struct Row {
    const char* pattern;
    int status;
    const char* want;
  };
  const Row rows[] = {
      {"200", 200, "yes"}, {"200", 204, "no"},      {"2xx", 299, "yes"},     {"2XX", 200, "yes"},
      {"3xx", 200, "no"},  {"200-299", 299, "yes"}, {"200-299", 300, "no"},  {" 404 ", 404, "yes"},
      {"ok", 200, "bad"},  {"6xx", 600, "bad"},     {"300-200", 250, "bad"}, {"99", 99, "bad"},
      {"", 200, "bad"},    {"2x", 200, "bad"},
  };
  for (const Row& row : rows) {
    INFO(row.pattern << " " << row.status);
    auto got = MatchesStatus(row.pattern, row.status);
    CHECK(std::string(!got ? "bad" : *got ? "yes" : "no") == row.want);
  }
}

TEST_CASE("what an http answer means") {
  struct Row {
    const char* name;
    std::vector<std::string> expect;
    const char* body;
    HttpResponse response;
    const char* want;
  };
  const std::vector<Row> rows = {
      {"well", {"2xx"}, "", Answer(204), "pass none: answered 204 in 12ms"},
      {"another status",
       {"200", "204"},
       "",
       Answer(404, "no such\npage"),
       "fail status: answered 404, expected 200, 204: \"no such\\npage\""},
      {"server error", {"2xx"}, "", Answer(503), "fail server: answered 503, expected 2xx"},
      {"an expected error", {"503"}, "", Answer(503), "pass none: answered 503 in 12ms"},
      {"redirect",
       {"2xx"},
       "",
       Answer(302, "", {{"location", "/login"}}),
       "fail redirect: answered 302 to \"/login\": redirects are not followed; ask the target "
       "itself, or expect this status"},
      {"body as wanted",
       {"2xx"},
       "status.*ok",
       Answer(200, R"({"status": "ok"})"),
       "pass none: answered 200 in 12ms"},
      {"another body",
       {"2xx"},
       "ok",
       Answer(200, "starting"),
       "fail content: answered 200, but the body does not match \"ok\": \"starting\""},
      {"no body",
       {"2xx"},
       "ok",
       Answer(200),
       "fail content: answered 200, but the body does not match \"ok\": it is empty"},
      {"no pattern",
       {"fine"},
       "",
       Answer(200),
       "unknown none: \"fine\" is no status pattern; write 200, 2xx or 200-299"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    HttpProbe probe;
    probe.url = "http://checkout/health";
    probe.expect_status = row.expect;
    probe.expect_body = row.body;
    auto conversation = MakeHttpConversation(probe);
    Turn first = conversation->Begin();
    REQUIRE(std::holds_alternative<HttpRequest>(first));
    CHECK(std::get<HttpRequest>(first).fresh_connection);
    Turn end = conversation->Hear(row.response, HttpFailure::kNone, Duration(12));
    REQUIRE(std::holds_alternative<ProbeAnswer>(end));
    CHECK(Told(std::get<ProbeAnswer>(end)) == row.want);
  }
}

TEST_CASE("every kind of failure of the client has its word") {
  struct Row {
    HttpFailure failure;
    ErrorCode code;
    const char* want;
  };
  const Row rows[] = {
      {HttpFailure::kName, ErrorCode::kUnavailable, "fail name: x"},
      {HttpFailure::kConnect, ErrorCode::kUnavailable, "fail refused: x"},
      {HttpFailure::kBroken, ErrorCode::kUnavailable, "fail reset: x"},
      {HttpFailure::kTimeout, ErrorCode::kTimeout, "fail timeout: x"},
      {HttpFailure::kTls, ErrorCode::kUnavailable, "fail tls: x"},
      {HttpFailure::kNotHttp, ErrorCode::kUnavailable, "fail protocol: x"},
      {HttpFailure::kTooLarge, ErrorCode::kTooLarge, "fail tooLarge: x"},
      {HttpFailure::kNone, ErrorCode::kTimeout, "fail timeout: x"},
      {HttpFailure::kNone, ErrorCode::kUnavailable, "fail reset: x"},
      {HttpFailure::kNone, ErrorCode::kInvalid, "unknown none: x"},
  };
  for (const Row& row : rows)
    CHECK(Told(NoAnswer(Error(row.code, "x"), row.failure, Duration(1))) == row.want);
}

// A server of one journey: what it is asked is written down.
struct Walk {
  std::vector<HttpResponse> answers;
  std::vector<std::string> asked;

  std::string Run(const spec::JourneyCheck& journey, spec::StringMap variables = {}) {
    auto conversation = MakeJourneyConversation(
        {std::make_shared<const spec::JourneyCheck>(journey), std::move(variables)});
    Turn turn = conversation->Begin();
    size_t next = 0;
    while (auto* request = std::get_if<HttpRequest>(&turn)) {
      std::string line = StrCat(request->method, " ", request->url);
      for (const auto& [name, value] : request->headers)
        line += StrCat(" [", name, ": ", value, "]");
      if (!request->body.empty()) line += StrCat(" ", request->body);
      asked.push_back(std::move(line));
      REQUIRE(next < answers.size());
      turn = conversation->Hear(answers[next++], HttpFailure::kNone, Duration(40));
    }
    return Told(std::get<ProbeAnswer>(turn));
  }
};

using Extract = spec::JourneyCheck::Extract;
using Assertion = spec::JourneyCheck::Assertion;

spec::JourneyCheck::Step Get(std::string url) {
  spec::JourneyCheck::Step step;
  step.url = std::move(url);
  return step;
}

TEST_CASE("a journey carries values and cookies from step to step") {
  spec::JourneyCheck journey;
  journey.variables = {{"base", "http://${service}"}, {"who", "ann \"o\""}};
  auto login = Get("${base}/login");
  login.name = "login";
  login.method = "POST";
  login.body = R"({"user": "${who}"})";
  login.extract = {{"token", Extract::From::kJsonPath, "$.session.token"},
                   {"trace", Extract::From::kHeader, "X-Trace"},
                   {"sid", Extract::From::kCookie, "sid"}};
  auto order = Get("${base}/orders?who=${who}&t=${trace}");
  order.headers = {{"Authorization", "Bearer ${token}"}};
  order.extract = {{"id", Extract::From::kRegex, "order=([0-9]+)"}};
  order.assertions = {{Assertion::Kind::kStatus, "", "201", "", {}},
                      {Assertion::Kind::kHeader, "Content-Type", "", "^text/", {}},
                      {Assertion::Kind::kBody, "", "", "order=", {}},
                      {Assertion::Kind::kLatency, "", "", "", Duration(500)}};
  auto look = Get("${base}/orders/${id}/${sid}");
  look.assertions = {{Assertion::Kind::kJsonPath, "$.items[0].price", "12.5", "", {}},
                     {Assertion::Kind::kJsonPath, "$.id", "${id}", "", {}}};
  journey.steps = {login, order, look};

  Walk walk{{Answer(200, R"({"session": {"token": "t-1"}})",
                    {{"x-trace", "7"},
                     {"set-cookie", "sid=abc; Path=/orders; HttpOnly"},
                     {"set-cookie", "track=1; Path=/login"}}),
             Answer(201, "order=42", {{"content-type", "text/plain"}}),
             Answer(200, R"({"id": 42, "items": [{"price": 12.5}]})")},
            {}};
  CHECK(walk.Run(journey, {{"service", "checkout"}}) == "pass none: 3 steps in 40ms");
  REQUIRE(walk.asked.size() == 3);
  CHECK(walk.asked[0] == R"(POST http://checkout/login {"user": "ann \"o\""})");
  CHECK(walk.asked[1] ==
        "GET http://checkout/orders?who=ann%20%22o%22&t=7 [Authorization: Bearer t-1] "
        "[Cookie: sid=abc]");
  CHECK(walk.asked[2] == "GET http://checkout/orders/42/abc [Cookie: sid=abc]");
}

TEST_CASE("where a journey stumbles it says so") {
  struct Row {
    const char* name;
    Extract extract;
    std::vector<Assertion> assertions;
    HttpResponse response;
    const char* want;
  };
  const Extract none;
  const std::vector<Row> rows = {
      {"status by default", none, {}, Answer(500), "step 1 (look): answered 500, expected 2xx"},
      {"status asked for",
       none,
       {{Assertion::Kind::kStatus, "", "404", "", {}}},
       Answer(404),
       "pass none: 1 step in 40ms"},
      {"redirect",
       none,
       {},
       Answer(302, "", {{"location", "/login"}}),
       "fail redirect: step 1 (look): answered 302 to \"/login\""},
      {"json path leads nowhere",
       {"t", Extract::From::kJsonPath, "$.token"},
       {},
       Answer(200, "{}"),
       "fail content: step 1 (look): cannot extract t: jsonPath \"$.token\": \"token\" is not "
       "found"},
      {"body is no JSON",
       {"t", Extract::From::kJsonPath, "$.token"},
       {},
       Answer(200, "<html>"),
       "cannot extract t: the body is not JSON"},
      {"regex does not match",
       {"t", Extract::From::kRegex, "id=(\\d+)"},
       {},
       Answer(200, "id=x"),
       "cannot extract t: the body does not match \"id=(\\\\d+)\""},
      {"no header", {"t", Extract::From::kHeader, "ETag"}, {}, Answer(200), "no header ETag"},
      {"no cookie", {"t", Extract::From::kCookie, "sid"}, {}, Answer(200), "no cookie sid"},
      {"another value",
       none,
       {{Assertion::Kind::kJsonPath, "$.state", "open", "", {}}},
       Answer(200, R"({"state": "shut"})"),
       "fail content: step 1 (look): $.state is \"shut\", expected \"open\""},
      {"header differs",
       none,
       {{Assertion::Kind::kHeader, "Server", "", "nginx", {}}},
       Answer(200, "", {{"server", "other"}}),
       "header Server does not match \"nginx\": \"other\""},
      {"body differs",
       none,
       {{Assertion::Kind::kBody, "", "", "Welcome", {}}},
       Answer(200, "Sorry"),
       "the body does not match \"Welcome\": \"Sorry\""},
      {"too slow",
       none,
       {{Assertion::Kind::kLatency, "", "", "", Duration(100)}},
       [] {
         HttpResponse slow = Answer(200);
         slow.elapsed = Duration(150);
         return slow;
       }(),
       "answered in 150ms, must be below 100ms"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    spec::JourneyCheck journey;
    auto step = Get("http://checkout/");
    step.name = "look";
    step.assertions = row.assertions;
    if (!row.extract.name.empty()) step.extract = {row.extract};
    journey.steps = {step};
    Walk walk{{row.response}, {}};
    std::string got = walk.Run(journey);
    INFO(got);
    CHECK(Contains(got, row.want));
  }
}

TEST_CASE("a name that nobody set is not guessed") {
  spec::JourneyCheck journey;
  journey.steps = {Get("http://checkout/${token}")};
  Walk walk;
  CHECK(walk.Run(journey) ==
        "unknown none: step 1: ${token} is not known: neither a variable nor extracted before");
  CHECK(walk.asked.empty());
}

TEST_CASE("cookies go where they belong") {
  struct Row {
    const char* name;
    const char* from;
    const char* cookie;
    const char* to;
    const char* want;
  };
  const Row rows[] = {
      {"same host", "http://a.example/x", "k=v", "http://a.example/y", "k=v"},
      {"the port does not matter", "http://a.example:81/", "k=v", "http://a.example:82/", "k=v"},
      {"another host", "http://a.example/", "k=v", "http://b.example/", ""},
      {"a domain's hosts", "http://a.example/", "k=v; Domain=example", "http://b.example/", "k=v"},
      {"a foreign domain", "http://a.example/", "k=v; Domain=b.test", "http://b.test/", ""},
      {"no suffix in a name", "http://a.example/", "k=v; Domain=example", "http://anexample/", ""},
      {"below a path", "http://a/x/y", "k=v; Path=/x", "http://a/x/z", "k=v"},
      {"beside a path", "http://a/x/y", "k=v; Path=/x", "http://a/xy", ""},
      {"the default path", "http://a/x/y", "k=v", "http://a/z", ""},
      {"secure stays on TLS", "https://a/", "k=v; Secure", "http://a/", ""},
      {"secure on TLS", "https://a/", "k=v; Secure", "https://a/", "k=v"},
      {"deleted by age", "http://a/", "k=v; Max-Age=0", "http://a/", ""},
      {"deleted by date", "http://a/", "k=; Expires=Thu, 01-Jan-1970 00:00:00 GMT", "http://a/",
       ""},
      {"no name", "http://a/", "=v", "http://a/", ""},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CookieJar jar;
    jar.Take(row.from, Answer(200, "", {{"set-cookie", row.cookie}}));
    CHECK(jar.For(row.to) == row.want);
  }
}

TEST_CASE("a later cookie replaces an earlier one, and their number is bounded") {
  CookieJar jar;
  HttpResponse many;
  for (int i = 0; i < 200; ++i)
    many.headers.emplace_back("set-cookie", StrCat("c", i % 150, "=", i));
  jar.Take("http://a/", many);
  CHECK(*jar.Find("c10") == "160");
  CHECK(jar.Find("c149") == nullptr);
}

}  // namespace
}  // namespace rollguard::probe
