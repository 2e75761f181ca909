// SPDX-License-Identifier: Apache-2.0
// Analysis templates that name their own servers: who is asked, and with which proof.
#include "agent/app/template_sources.h"

#include "agent/base/text.h"
#include "tests/app/house.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

using namespace std::chrono_literals;

// Answers token requests and queries a moment later; keeps what was sent.
class Web : public HttpClient {
 public:
  explicit Web(sim::Scheduler& scheduler) : scheduler_(scheduler) {}
  HttpId Send(HttpRequest request, HttpDone done) override {
    HttpResponse response;
    response.status = 200;
    const bool token = request.url.find("/token") != std::string::npos;
    const bool web = request.url.find("/check") != std::string::npos;
    if (token) {
      response.status = token_status;
      response.body = R"({"access_token":"T1","token_type":"bearer","expires_in":)" + lasts + "}";
    } else if (web) {
      response.body = R"({"ok":"1"})";
    } else {
      response.body = R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},)"
                      R"("value":[1767225600,"1"]}]}})";
    }
    (token ? tokens : sent).push_back(std::move(request));
    scheduler_.After(5ms, [done = std::move(done), response] { done(response); });
    return ++last_;
  }
  HttpId Stream(HttpRequest, HttpStream) override { return 0; }
  void Cancel(HttpId) override {}

  std::string Header(size_t index, const std::string& name) const {
    for (const auto& [key, value] : sent.at(index).headers) {
      if (EqualsIgnoreCase(key, name)) return value;
    }
    return {};
  }

  int token_status = 200;
  std::string lasts = "3600";
  std::vector<HttpRequest> sent, tokens;

 private:
  sim::Scheduler& scheduler_;
  HttpId last_ = 0;
};

std::string Template(const std::string& provider, int count = 1) {
  return StrCat(
      "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: t, "
      "namespace: shop}\nspec:\n  metrics:\n    - name: m\n      interval: 10s\n      "
      "count: ",
      count, "\n      successCondition: result[0] >= 1\n      provider:\n        ", provider, "\n");
}

// One release whose only step is that analysis.
struct Scene {
  explicit Scene(const std::string& text) : web(house.world.scheduler()) {
    Diagnostics problems;
    spec::LoadText("t.yaml", text, house.library, problems);
    for (const auto& d : problems.Sorted()) UNSCOPED_INFO(Render(d, text));
    REQUIRE_FALSE(problems.has_errors());
    house.http = &web;
    house.AddService("shop", "checkout");
    house.AddGuard(CanaryGuard("shop", "checkout",
                               "{setWeight: 10}, {analysis: {templates: [{templateName: t}]}}"));
  }
  std::string Run() {
    house.StartAgent();
    house.Run(1min);
    house.SetImage("shop/checkout", "checkout:v2");
    house.RunUntil([&] { return house.State("shop/checkout").last.has_value(); }, 10min);
    const release::GuardState state = house.State("shop/checkout");
    return state.last ? StrCat(state.last->outcome, ": ", state.last->reason) : "nothing";
  }
  ~Scene() { house.KillAgent(); }

  House house;
  Web web;
};

TEST_CASE("templates: an address of their own is asked with its headers and proof") {
  struct Row {
    const char* name;
    const char* provider;
    const char* authorization;
    bool insecure;
  };
  const Row rows[] = {
      {"plain", "prometheus: {address: 'http://thanos:9090', query: up}", "", false},
      {"headers and insecure",
       "prometheus: {address: 'https://thanos', query: up, insecure: true, headers: [{key: "
       "X-Scope-OrgID, value: shop}]}",
       "", true},
      {"basic",
       "prometheus: {address: 'https://thanos', query: up, authentication: {basic: {username: ann, "
       "password: secret}}}",
       "Basic YW5uOnNlY3JldA==", false},
      {"oauth2",
       "prometheus: {address: 'https://thanos', query: up, authentication: {oauth2: {tokenUrl: "
       "'https://id/token', clientId: a, clientSecret: b, scopes: [read]}}}",
       "Bearer T1", false},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    Scene scene(Template(row.provider, 3));
    CHECK(scene.Run().find("promoted") == 0);
    REQUIRE(scene.web.sent.size() >= 3);
    CHECK(scene.web.sent[0].url.find("thanos") != std::string::npos);
    CHECK(scene.web.Header(0, "Authorization") == row.authorization);
    CHECK((scene.web.sent[0].tls != nullptr && scene.web.sent[0].tls->insecure) == row.insecure);
    if (row.insecure) CHECK(scene.web.Header(0, "X-Scope-OrgID") == "shop");
    const bool oauth = std::string_view(row.name) == "oauth2";
    CHECK(scene.web.tokens.size() == (oauth ? 1 : 0));  // one token for three measurements
    if (oauth) CHECK(scene.web.tokens[0].body == "grant_type=client_credentials&scope=read");
  }
}

TEST_CASE("templates: web metrics prove themselves too") {
  Scene scene(ReplaceAll(
      Template("web: {url: 'https://ci/check', jsonPath: '{$.ok}', authentication: {oauth2: "
               "{tokenUrl: 'https://id/token', clientId: a, clientSecret: b}}}"),
      "result[0] >= 1", "result == \"1\""));
  CHECK(scene.Run().find("promoted") == 0);
  REQUIRE(scene.web.sent.size() == 1);
  CHECK(scene.web.Header(0, "Authorization") == "Bearer T1");
}

TEST_CASE("templates: a token that lasts for ever is asked for once") {
  Scene scene(Template(
      "prometheus: {address: 'https://thanos', query: up, authentication: {oauth2: {tokenUrl: "
      "'https://id/token', clientId: a, clientSecret: b}}}",
      3));
  scene.web.lasts = "9223372036854775807";
  CHECK(scene.Run().find("promoted") == 0);
  CHECK(scene.web.sent.size() == 3);
  CHECK(scene.web.tokens.size() == 1);
}

TEST_CASE("templates: a refused token and a proof without an address are errors that say so") {
  Scene refused(Template(
      "prometheus: {address: 'https://thanos', query: up, authentication: {oauth2: {tokenUrl: "
      "'https://id/token', clientId: a, clientSecret: b}}}"));
  refused.web.token_status = 401;
  const std::string first = refused.Run();
  INFO(first);
  CHECK(first.find("rolledBack") == 0);
  CHECK(first.find("the token server https://id/token answered 401") != std::string::npos);
  CHECK(refused.web.sent.empty());
  Scene nowhere(Template(
      "prometheus: {query: up, authentication: {basic: {username: ann, password: secret}}}"));
  const std::string second = nowhere.Run();
  INFO(second);
  CHECK(second.find("belong to an address") != std::string::npos);
}

}  // namespace
}  // namespace rollguard::testing
