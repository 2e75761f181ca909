// SPDX-License-Identifier: Apache-2.0
// Real answers of every route held against the document, through a release's whole life.
#include <algorithm>
#include <set>

#include "agent/api/route.h"
#include "agent/api/schema.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/api/api_world.h"
#include "tests/support/catch.h"

namespace rollguard::api {
namespace {

using rollguard::testing::ApiWorld;
using rollguard::testing::Reply;

constexpr const char* kSteps =
    "[{setWeight: 20}, {pause: {duration: 1m}}, {approval: {required: 1, groups: [sre]}}, "
    "{setWeight: 60}]";

std::unique_ptr<ApiWorld> MakeWorld() {
  testing::ApiWorldOptions options;
  options.guards = {testing::CanaryManifest("shop", "cart", kSteps),
                    testing::CanaryManifest("shop", "search", kSteps),
                    testing::CanaryManifest("pay", "ledger", kSteps)};
  options.behaviours = {{"bad", R"({"errorRatio": 0.3})"}};
  options.auth.webhooks = spec::WebhookAuth{};
  options.auth.webhooks->username = "alertmanager";
  return std::make_unique<ApiWorld>(std::move(options));
}

// Asks, and holds the answer against the route's entry in the table.
struct Examiner {
  ApiWorld& world;
  std::set<std::string> seen{};  // "GET /pattern 200"

  Json operator()(const char* id, const std::string& path, int want = 200,
                  const std::string& body = {}, http::Headers headers = {}) {
    const auto& all = Routes();
    auto route = std::find_if(all.begin(), all.end(),
                              [&](const Route& r) { return std::string_view(r.id) == id; });
    REQUIRE(route != all.end());
    Reply reply = world.Ask(
        {.method = route->method, .path = path, .body = body, .headers = std::move(headers)});
    INFO(route->method << " " << path << " " << body << " -> " << reply.status << "\n"
                       << Abbreviate(reply.body, 3000));
    CHECK(reply.status == want);
    seen.insert(id);
    for (const Answer& answer : route->answers) {
      if (answer.status != reply.status || answer.type[0] == 0) continue;
      CHECK(reply.Header("content-type").starts_with(answer.media));
      CHECK(CheckType(reply.json(), answer.type, "answer") == std::vector<std::string>{});
      return reply.json();
    }
    return reply.status >= 400 ? reply.json() : Json();
  }
};

Json Evidence(const Json& guard, const std::string& name) {
  for (const Json& row : guard.At("evidence").items()) {
    if (row.At("name").Str() == name) return row;
  }
  return {};
}

std::string Action(const Json& guard, const std::string& verb) {
  for (const Json& action : guard.At("actions").items()) {
    if (action.At("verb").Str() == verb) return action.At("consequence").Str();
  }
  return {};
}

}  // namespace

TEST_CASE("answers are as the document says, through a good and a bad release", "[api]") {
  auto world = MakeWorld();
  Examiner ask{*world};
  auto reaches = [&](const std::string& guard, const std::string& state) {
    bool there = world->AdvanceUntil([&] { return world->StateOf(guard) == state; },
                                     std::chrono::minutes(30));
    auto seen = world->Look(guard);
    INFO(guard << " is " << world->StateOf(guard) << ", not " << state << ": "
               << (seen.reasons.empty() ? "" : seen.reasons[0]));
    REQUIRE(there);
  };

  // At rest.
  ask("getHealth", "/health");
  ask("getReady", "/health/ready");
  ask("getDeepHealth", "/health/deep");
  ask("getOpenApi", "/api/v1/openapi.json");
  Json me = ask("getWhoami", "/api/v1/whoami?namespace=shop");
  CHECK(me.At("name").Str() == "sre@example");
  CHECK(me.At("verbs", "rollback").BoolOr(false));
  Json fleet = ask("getFleet", "/api/v1/health");
  CHECK(fleet.At("guards").IntOr(0) == 3);
  CHECK(fleet.At("byState", "stable").IntOr(0) == 3);
  Json list = ask("listGuards", "/api/v1/guards");
  REQUIRE(list.At("items").size() == 3);
  CHECK(list.At("items").At(0).At("id").Str() == "pay/ledger");
  ask("getGuard", "/api/v1/guards/shop/cart");

  // A good version, started by its image, to the gate.
  Json started = ask("createRelease", "/api/v1/releases", 202,
                     R"({"guard":"shop/cart","image":"v2","reason":"new basket"})");
  CHECK(started.At("changed").BoolOr(false));
  std::string deployment = started.At("deployment").Str();
  ask("getDeployment", StrCat("/api/v1/deployments/", deployment));
  ask("createRelease", "/api/v1/releases", 200, R"({"guard":"shop/cart","image":"v2"})");
  reaches("shop/cart", "releasing");
  Json running = ask("getDeployment", StrCat("/api/v1/deployments/", deployment));
  CHECK(running.At("createdAt").is_string());
  Json begun;
  REQUIRE(world->AdvanceUntil(
      [&] {
        begun = ask("getGuard", "/api/v1/guards/shop/cart");
        return begun.At("evidence").size() > 0;
      },
      std::chrono::minutes(1)));
  CHECK(Evidence(begun, "HighErrorRate").At("state").Str() == "waiting");
  CHECK(Evidence(begun, "HighErrorRate").At("reason").Str() == "not measured yet");
  reaches("shop/cart", "waiting");
  Json gate = ask("getGuard", "/api/v1/guards/shop/cart");
  CHECK(gate.At("approval", "groups").At(0).Str() == "sre");
  CHECK(gate.At("summary", "estimatedCompletion").is_null());
  CHECK(gate.At("summary", "weight").IntOr(0) == 20);
  CHECK(gate.At("summary", "reason").Str() == "waits for approval, 0 of 1");
  CHECK(gate.At("steps").At(0).At("state").Str() == "done");
  CHECK(gate.At("steps").At(2).At("state").Str() == "current");
  CHECK(gate.At("evidence").size() >= 4);
  const Json asked = Evidence(gate, "HighErrorRate");
  CHECK(asked.At("state").Str() == "ok");
  CHECK(asked.At("link").Str().starts_with("https://prometheus.example/graph?g0.expr="));
  CHECK(asked.At("link").Str().find("http_requests_total") != std::string::npos);
  CHECK(asked.At("link").Str().find_first_of(" \"{}[") == std::string::npos);
  CHECK_FALSE(Action(gate, "approve").empty());
  CHECK(Action(gate, "rollback").find("All traffic returns to") == 0);
  std::string release = gate.At("summary", "release").Str();
  Json series = ask("getSeries", "/api/v1/guards/shop/cart/series");
  CHECK(series.At("release").Str() == release);
  CHECK(series.At("weight").size() > 0);
  CHECK(series.At("signals").size() >= 3);
  CHECK(series.At("marks").size() > 0);

  // Words of people.
  ask("pauseGuard", "/api/v1/guards/shop/cart/pause", 200, R"({"reason":"lunch"})");
  CHECK(world->StateOf("shop/cart") == "paused");
  ask("resumeRelease", StrCat("/api/v1/releases/", release, "/resume"));
  ask("retryGuard", "/api/v1/guards/shop/cart/retry", 409);
  ask("approveRelease", StrCat("/api/v1/releases/", release, "/approve"), 200,
      R"({"reason":"looks well"})");
  reaches("shop/cart", "baking");
  CHECK(
      ask("getGuard", "/api/v1/guards/shop/cart").At("summary", "estimatedCompletion").is_string());
  reaches("shop/cart", "stable");
  Json promoted = ask("getDeployment", StrCat("/api/v1/deployments/", deployment));
  CHECK(promoted.At("phase").Str() == "Promoted");
  ask("promoteRelease", StrCat("/api/v1/releases/", release, "/promote"), 409);

  // A bad version goes back by itself; the reason can be read everywhere.
  world->Release("shop/search", "bad");
  reaches("shop/search", "rolledBack");
  Json back = ask("getGuard", "/api/v1/guards/shop/search");
  CHECK(back.At("summary", "last", "outcome").Str() == "rolledBack");
  CHECK(back.At("summary", "reason").Str().find("Error") != std::string::npos);
  CHECK(back.At("summary", "reason").Str().find("probably not the cause") == std::string::npos);
  CHECK(back.At("quarantine").size() == 1);
  CHECK_FALSE(Action(back, "retry").empty());
  Json releases = ask("listReleases", "/api/v1/releases?guard=shop/search");
  REQUIRE(releases.At("items").size() == 1);
  std::string bad = releases.At("items").At(0).At("id").Str();
  CHECK(releases.At("items").At(0).At("triggerKind").Str() == "rule");
  Json detail = ask("getRelease", StrCat("/api/v1/releases/", bad));
  CHECK(detail.At("decisions").size() >= 3);
  Json decisions = ask("listDecisions", StrCat("/api/v1/decisions?release=", bad));
  bool told = false;
  for (const Json& d : decisions.At("items").items()) {
    if (d.At("verdict").Str() != "rollback") continue;
    Json one = ask("getDecision", StrCat("/api/v1/decisions/", d.At("id").Str()));
    CHECK(one.At("words").Str().find("rolled back: ") != std::string::npos);
    CHECK(one.At("signals").size() > 0);
    told = true;
  }
  CHECK(told);
  ask("listDeployments", "/api/v1/deployments");
  Json statistics = ask("getStatistics", "/api/v1/statistics");
  CHECK(statistics.At("all", "rolledBack").IntOr(0) == 1);
  CHECK(statistics.At("all", "promoted").IntOr(0) == 1);
  Json rules = ask("listRules", "/api/v1/rules");
  CHECK(rules.At("items").size() >= 4);

  // Alerts, shown and streamed.
  world->SendAlert("Burning", "shop/cart");
  Json alerts = ask("listAlerts", "/api/v1/alerts");
  CHECK(alerts.At("items").At(0).At("matches").At(0).At("guard").Str() == "shop/cart");
  CHECK(world->Ask({.path = "/events?guard=shop/cart"}).streams);
  CHECK(world->Ask({.path = "/api/v1/events?types=guard,decision"}).streams);

  // Every call that changed something is in the history, with who did it.
  Json calls = ask("listHistory", "/api/v1/history?kind=call");
  std::set<std::string> operations;
  for (const Json& call : calls.At("items").items()) {
    CHECK(call.At("actor").Str() == "sre@example");
    operations.insert(call.At("body", "operation").Str());
  }
  CHECK(operations == std::set<std::string>{"createRelease", "pauseGuard", "resumeRelease",
                                            "retryGuard", "approveRelease", "promoteRelease"});
  CHECK(ask("listHistory", "/api/v1/history?limit=1").At("next").is_string());
}

TEST_CASE("a deployment makes the guard, holds the target and releases the version", "[api]") {
  auto world = MakeWorld();
  Examiner ask{*world};
  world->Do([] {});
  // An unguarded Deployment.
  Json plain = world->Object(kube::resources::Deployments(), "pay", "ledger");
  REQUIRE(plain.is_object());
  ask("createDeployment", "/api/v1/deployments", 404,
      R"({"namespace":"shop","name":"none","version":"v2"})");
  ask("createDeployment", "/api/v1/deployments", 400,
      R"({"namespace":"pay","name":"ledger","version":"v 2"})");
  Json made = ask("createDeployment", "/api/v1/deployments", 202,
                  R"({"namespace":"pay","name":"ledger","version":"v2","replicas":4,
                      "strategy":{"type":"canary","rollbackThreshold":0.6,
                                  "validationWindow":"10m",
                                  "phases":[{"name":"tenth","percentage":10,"duration":"2m"}]}})");
  CHECK(made.At("guard").Str() == "pay/ledger");
  Json guard = world->Object(kube::resources::Guards(), "pay", "ledger");
  CHECK(guard.At("spec", "bake").Str() == "10m");
  CHECK(guard.At("spec", "strategy", "canary", "phases").size() == 1);
  CHECK(guard.At("spec", "strategy", "canary", "stableService").Str() == "ledger");
  std::string id = made.At("id").Str();
  bool runs = world->AdvanceUntil([&] { return world->StateOf("pay/ledger") == "releasing"; },
                                  std::chrono::minutes(2));
  CHECK(runs);
  Json status = ask("getDeployment", StrCat("/api/v1/deployments/", id));
  for (const char* key : {"id", "phase", "message", "createdAt", "estimatedCompletion",
                          "currentPhase", "healthScore"})
    CHECK(status.Find(key) != nullptr);
  CHECK(status.At("estimatedCompletion").is_string());
  ask("createDeployment", "/api/v1/deployments", 200,
      R"({"namespace":"pay","name":"ledger","version":"v2"})");
}

TEST_CASE("an ETag spares an answer that has not changed", "[api]") {
  auto world = MakeWorld();
  Reply first = world->Ask({.path = "/api/v1/guards?namespace=shop"});
  std::string etag = first.Header("etag");
  REQUIRE_FALSE(etag.empty());
  Reply again =
      world->Ask({.path = "/api/v1/guards?namespace=shop", .headers = {{"if-none-match", etag}}});
  CHECK(again.status == 304);
  CHECK(again.body.empty());
  world->Ask({.method = "POST", .path = "/api/v1/guards/shop/cart/release-hold", .body = "{}"});
  world->Release("shop/cart", "v2");
  world->Advance(std::chrono::seconds(30));
  CHECK(world->Ask({.path = "/api/v1/guards?namespace=shop", .headers = {{"if-none-match", etag}}})
            .status == 200);
}

TEST_CASE("lists come in pages that leave nothing out", "[api]") {
  auto world = MakeWorld();
  std::vector<std::string> seen;
  std::string next;
  do {
    Json page = world
                    ->Ask({.path = StrCat("/api/v1/guards?limit=1",
                                          next.empty() ? "" : "&continue=", next)})
                    .json();
    CHECK(page.At("total").IntOr(0) == 3);
    for (const Json& item : page.At("items").items()) seen.push_back(item.At("id").Str());
    next = page.At("next").Str();
  } while (!next.empty() && seen.size() < 10);
  CHECK(seen == std::vector<std::string>{"pay/ledger", "shop/cart", "shop/search"});
  CHECK(world->Ask({.path = "/api/v1/guards?q=EAR"}).json().At("total").IntOr(0) == 1);
  CHECK(world->Ask({.path = "/api/v1/guards?state=releasing,held"}).json().At("total").IntOr(9) ==
        0);
  CHECK(world->Ask({.path = "/api/v1/guards?team=pay-team"}).json().At("total").IntOr(0) == 1);

  // Releases that began in one and the same millisecond.
  for (int i = 0; i < 7; ++i) {
    ReleaseRow row;
    row.id = StrCat("r", i);
    row.guard = i % 2 == 0 ? "shop/cart" : "gone/away";
    row.started = FromUnixMillis(1'767'225'600'000 + (i / 4));
    row.outcome = "promoted";
    row.ended = row.started;
    world->history().PutRelease(row);
  }
  std::set<std::string> releases;
  int rows = 0;
  next.clear();
  do {
    Json page = world
                    ->Ask({.path = StrCat("/api/v1/releases?limit=2",
                                          next.empty() ? "" : "&continue=", next)})
                    .json();
    for (const Json& item : page.At("items").items()) {
      releases.insert(item.At("id").Str());
      ++rows;
    }
    next = page.At("next").Str();
  } while (!next.empty() && rows < 20);
  CHECK(releases.size() == 7);
  CHECK(rows == 7);
}

TEST_CASE("many rows that are not the caller's do not end a list early", "[api]") {
  auto world = MakeWorld();
  auto put = [&](const std::string& id, const std::string& guard, int at) {
    ReleaseRow row;
    row.id = id;
    row.guard = guard;
    row.started = FromUnixMillis(1'767'225'600'000 + at);
    world->history().PutRelease(row);
  };
  put("old", "shop/cart", 0);
  for (int i = 1; i <= 10'600; ++i) put(StrCat("hidden", i), "elsewhere/app", i);
  std::vector<std::string> seen;
  std::string next;
  int pages = 0;
  do {
    Json page =
        world
            ->Ask({.path = StrCat("/api/v1/releases", next.empty() ? "" : "?continue=", next),
                   .token = "dev-token"})
            .json();
    for (const Json& item : page.At("items").items()) seen.push_back(item.At("id").Str());
    next = page.At("next").Str();
  } while (!next.empty() && ++pages < 10);
  CHECK(seen == std::vector<std::string>{"old"});
  CHECK(pages == 1);
}

TEST_CASE("one idempotency key is carried out once", "[api]") {
  auto world = MakeWorld();
  world->Release("shop/cart", "v2");
  REQUIRE(world->AdvanceUntil([&] { return world->StateOf("shop/cart") == "waiting"; },
                              std::chrono::minutes(10)));
  auto say = [&](const char* verb) {
    return world->Ask({.method = "POST",
                       .path = StrCat("/api/v1/guards/shop/cart/", verb),
                       .body = "{}",
                       .headers = {{"idempotency-key", verb}}});
  };
  CHECK(say("pause").status == 200);
  CHECK(say("resume").status == 200);
  CHECK(say("pause").json().At("message").Str() == "done already");
  CHECK(world->StateOf("shop/cart") == "waiting");
}

TEST_CASE("a webhook's alerts are taken with its own credentials only, once guards are known",
          "[api]") {
  testing::ApiWorldOptions options;
  options.guards = {testing::CanaryManifest("shop", "cart", kSteps)};
  spec::WebhookAuth auth;
  testing::TempDir files("webhook");
  auth.username = "am";
  auth.password_file = files.Write("password", "geheim\n");
  options.auth.webhooks = auth;
  ApiWorld world(std::move(options));
  Examiner ask{world};
  std::string body = R"({"version":"4","groupKey":"x","status":"firing","receiver":"r",
    "groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"","alerts":[
    {"status":"firing","labels":{"alertname":"Slow","namespace":"shop","deployment":"cart"},
     "annotations":{},"startsAt":"2026-01-01T00:05:00Z","endsAt":"0001-01-01T00:00:00Z",
     "generatorURL":"","fingerprint":"aaaaaaaaaaaaaaaa"}]})";
  auto post = [&](const std::string& credentials) {
    return world.Ask({.method = "POST",
                      .path = "/api/v1/alerts",
                      .token = "",
                      .body = body,
                      .headers = {{"authorization", credentials}}});
  };
  CHECK(post("Basic YW06ZmFsc2No").status == 401);
  CHECK(post("Bearer sre-token").status == 401);
  world.SetNotReady("guards are not known yet");
  CHECK(post("Basic YW06Z2VoZWlt").status == 503);
  CHECK(world.Ask({.path = "/health/ready", .token = ""}).status == 503);
  world.SetNotReady("");
  Reply taken = post("Basic YW06Z2VoZWlt");
  INFO(taken.body);
  CHECK(taken.status == 200);
  CHECK(CheckType(taken.json(), "AlertsTaken", "answer") == std::vector<std::string>{});
  CHECK(taken.json().At("alerts").At(0).At("disposition").is_string());
}

}  // namespace rollguard::api
