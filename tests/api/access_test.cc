// SPDX-License-Identifier: Apache-2.0
// Every route of the table as each kind of caller meets it.
#include <filesystem>
#include <set>

#include "agent/api/page.h"
#include "agent/api/route.h"
#include "agent/api/schema.h"
#include "agent/base/text.h"
#include "tests/api/api_world.h"
#include "tests/support/catch.h"

namespace rollguard::api {
namespace {

using rollguard::testing::ApiWorld;
using rollguard::testing::Reply;

constexpr const char* kSteps = "[{setWeight: 20}, {approval: {required: 1, groups: [sre]}}]";

std::unique_ptr<ApiWorld> MakeWorld(double webhooks_per_second = 0) {
  testing::ApiWorldOptions options;
  options.guards = {testing::CanaryManifest("shop", "cart", kSteps),
                    testing::CanaryManifest("pay", "ledger", kSteps)};
  static testing::TempDir files("access");
  options.auth.webhooks =
      spec::WebhookAuth{.bearer_token_file = files.Write("webhook", "webhook-token\n"),
                        .username = {},
                        .password_file = {}};
  options.senders["grafana"] = {};
  options.webhooks_per_second = webhooks_per_second;
  auto world = std::make_unique<ApiWorld>(std::move(options));
  world->Release("shop/cart", "v2");
  bool waits = world->AdvanceUntil([&] { return world->StateOf("shop/cart") == "waiting"; },
                                   std::chrono::minutes(5));
  INFO(world->Ask({.path = "/api/v1/guards/shop/cart"}).body);
  REQUIRE(waits);
  return world;
}

// Names that exist, for {placeholders}.
struct Names {
  std::string ns = "shop", name = "cart", release, decision, deployment, letter;
};

Names NamesIn(ApiWorld& world) {
  Names names;
  auto guard = world.Look("shop/cart");
  names.release = guard.state.release->id;
  names.decision = guard.state.decisions.back().id;
  names.deployment = StrCat("shop.cart.", guard.state.release->candidate);
  names.letter = world.LoseNotice("shop/cart", "was rolled back");
  return names;
}

std::string PathOf(const Route& route, const Names& names, bool missing = false) {
  std::string path = route.pattern;
  std::string id = path.find("/decisions/") != std::string::npos      ? names.decision
                   : path.find("/deployments/") != std::string::npos  ? names.deployment
                   : path.find("/dead-letters/") != std::string::npos ? names.letter
                                                                      : names.release;
  path = ReplaceAll(path, "{id}", missing ? "shop.none.none" : id);
  path = ReplaceAll(path, "{namespace}", names.ns);
  path = ReplaceAll(path, "{sender}", missing ? "nobody" : "grafana");
  path = ReplaceAll(path, "{guard}", missing ? "none" : names.name);
  path = ReplaceAll(path, "{hook}", "confirm-promotion");
  path = ReplaceAll(path, "{name}", missing ? "none" : names.name);
  REQUIRE(path.find('{') == std::string::npos);  // a new placeholder needs a name here
  return path;
}

std::string BodyOf(const Route& route, bool missing = false) {
  std::string_view body = route.body;
  if (body == "ReleaseBody")
    return StrCat(R"({"guard":"shop/)", missing ? "none" : "cart", R"(","image":"v1"})");
  if (body == "DeploymentBody")
    return StrCat(R"({"namespace":"shop","name":")", missing ? "none" : "cart",
                  R"(","version":"v2"})");
  if (std::string_view(route.id) == "postAlerts") {
    return R"({"version":"4","status":"firing","alerts":[{"status":"firing",
      "labels":{"alertname":"Slow","namespace":"shop","deployment":"cart"},
      "startsAt":"2026-01-01T00:05:00Z","fingerprint":"aaaaaaaaaaaaaaaa"}]})";
  }
  if (std::string_view(route.id) == "postAlertsFrom")
    return R"({"labels":{"alertname":"Slow","namespace":"shop","deployment":"cart"}})";
  return body.empty() ? "" : "{}";
}

// The token that may do everything the route asks for.
std::string TokenFor(const Route& route) {
  if (route.access == Access::kOpen) return "";
  return route.access == Access::kWebhook ? "webhook-token" : "sre-token";
}

testing::Request RequestFor(const Route& route, const Names& names, const std::string& token) {
  return {
      .method = route.method, .path = PathOf(route, names), .token = token, .body = BodyOf(route)};
}

bool IsProblem(const Reply& reply) {
  return reply.Header("content-type") == "application/problem+json" &&
         CheckType(reply.json(), "Problem", "problem").empty() &&
         !reply.json().At("detail").Str().empty();
}

bool Documented(const Route& route, int status) {
  for (const Answer& a : route.answers) {
    if (a.status == status) return true;
  }
  for (const Answer& a : CommonAnswers(route)) {
    if (a.status == status) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("who has the verbs is answered as the document says, on every route", "[api]") {
  auto world = MakeWorld();
  for (const Route& route : Routes()) {
    // What a command before it did away with is there again.
    Names names;
    auto guard = world->Look("shop/cart");
    names.release = guard.state.release ? guard.state.release->id : guard.state.last->release;
    names.decision = guard.state.decisions.back().id;
    names.deployment = StrCat("shop.cart.", guard.state.release ? guard.state.release->candidate
                                                                : guard.state.last->revision);
    names.letter = world->LoseNotice("shop/cart", "was rolled back");
    INFO(route.method << " " << route.pattern);
    Reply reply = world->Ask(RequestFor(route, names, TokenFor(route)));
    INFO(reply.status << " " << reply.body);
    // A gate says no with 403; a command that does not fit says so with 409.
    bool gate = std::string_view(route.id) == "askFlaggerHook";
    CHECK((reply.status / 100 == 2 || reply.status == 409 || (gate && reply.status == 403)));
    CHECK(Documented(route, reply.status));
    if (reply.streams) continue;
    for (const Answer& answer : route.answers) {
      if (answer.status != reply.status) continue;
      CHECK(reply.Header("content-type").starts_with(answer.media));
      if (answer.type[0] != 0)
        CHECK(CheckType(reply.json(), answer.type, "answer") == std::vector<std::string>{});
    }
  }
}

TEST_CASE("everything that is served stands in the table, and so in the document", "[api]") {
  auto world = MakeWorld();
  std::set<std::string> known;
  for (const Route& route : Routes()) known.insert(StrCat(route.method, " ", route.pattern));
  for (const Asset& asset : Assets()) known.insert(StrCat("GET ", asset.path));
  known.insert("GET /");
  std::set<std::string> served(world->router().routes().begin(), world->router().routes().end());
  CHECK(served == known);
  // And nobody else adds routes to the agent's server.
  namespace fs = std::filesystem;
  const fs::path agent = fs::path(ROLLGUARD_SOURCE_DIR) / "agent";
  for (const auto& entry : fs::recursive_directory_iterator(agent)) {
    std::string file = fs::relative(entry.path(), agent).string();
    if (entry.path().extension() != ".cc" || file.starts_with("http/")) continue;
    std::string text = testing::ReadFile(entry.path().string());
    bool adds = text.find("outer.Add(") != std::string::npos ||
                text.find("outer_.Add(") != std::string::npos;
    INFO(file);
    CHECK(adds == (file == "api/api.cc" || file == "api/page.cc"));
  }
}

TEST_CASE("all senders together are held to a rate", "[api]") {
  auto world = MakeWorld(1);
  testing::Request ask{
      .method = "POST", .path = "/api/v1/flagger/shop/cart/rollback", .token = "webhook-token"};
  int refused = 0;
  for (int i = 0; i < 50; ++i) {
    Reply reply = world->Ask(ask);
    if (reply.status != 429) continue;
    ++refused;
    CHECK(IsProblem(reply));
    CHECK_FALSE(reply.Header("retry-after").empty());
  }
  CHECK(refused > 0);
}

TEST_CASE("nobody gets past a route without credentials, or with wrong ones", "[api]") {
  auto world = MakeWorld();
  Names names = NamesIn(*world);
  for (const Route& route : Routes()) {
    if (route.access == Access::kOpen) continue;
    INFO(route.method << " " << route.pattern);
    for (const char* token : {"", "wrong-token"}) {
      Reply reply = world->Ask(RequestFor(route, names, token));
      CHECK(reply.status == 401);
      CHECK(IsProblem(reply));
      CHECK(reply.Header("www-authenticate").starts_with("Bearer"));
      CHECK(Documented(route, 401));
    }
    auto basic = RequestFor(route, names, "");
    basic.headers.emplace_back("authorization", "Basic c3JlOnNyZQ==");
    CHECK(world->Ask(basic).status == 401);
  }
  // Nothing of it left a trace in what people did, and nothing moved.
  CHECK(world->StateOf("shop/cart") == "waiting");
  for (const auto& record : world->history().records()) CHECK(record.kind != "call");
}

TEST_CASE("who lacks a route's verbs is told so, and it is written down", "[api]") {
  auto world = MakeWorld();
  Names names = NamesIn(*world);
  for (const Route& route : Routes()) {
    if (route.verbs.empty()) continue;
    INFO(route.method << " " << route.pattern);
    size_t before = world->history().records().size();
    Reply reply = world->Ask(RequestFor(route, names, "nobody-token"));
    CHECK(reply.status == 403);
    CHECK(IsProblem(reply));
    CHECK(Documented(route, 403));
    CHECK(reply.json().At("detail").Str().find("nobody@example") != std::string::npos);
    const auto& records = world->history().records();
    CHECK(records.size() == before + (route.Changes() ? 1 : 0));
    if (route.Changes()) {
      CHECK(records.back().kind == "call");
      CHECK(records.back().actor == "nobody@example");
      CHECK(records.back().body.At("status").IntOr(0) == 403);
    }
  }
  CHECK(world->StateOf("shop/cart") == "waiting");
}

TEST_CASE("without the verb rollback nobody rolls back by any route", "[api]") {
  auto world = MakeWorld();
  Names names = NamesIn(*world);
  // dev-token has get, list, watch, pause, resume and approve in "shop".
  for (const Route& route : Routes()) {
    if (!route.Changes() || route.access == Access::kWebhook) continue;
    bool allowed = std::all_of(route.verbs.begin(), route.verbs.end(), [](const char* v) {
      std::string_view verb = v;
      return verb == "pause" || verb == "resume" || verb == "approve";
    });
    INFO(route.method << " " << route.pattern);
    Reply reply = world->Ask(RequestFor(route, names, "dev-token"));
    CHECK((reply.status == 403) == !allowed);
    world->Advance(std::chrono::seconds(5));
    std::string state = world->StateOf("shop/cart");
    CHECK((state == "waiting" || state == "paused"));
  }
}

TEST_CASE("what is not there is a 404 that says where to look", "[api]") {
  auto world = MakeWorld();
  Names names = NamesIn(*world);
  for (const Route& route : Routes()) {
    if (!Documented(route, 404)) continue;
    INFO(route.method << " " << route.pattern);
    Reply reply = world->Ask({.method = route.method,
                              .path = PathOf(route, names, true),
                              .token = TokenFor(route),
                              .body = BodyOf(route, true)});
    CHECK(reply.status == 404);
    CHECK(IsProblem(reply));
  }
  Reply nowhere = world->Ask({.path = "/api/v1/nothing"});
  CHECK(nowhere.status == 404);
  CHECK(nowhere.json().At("detail").Str().find("openapi") != std::string::npos);
  CHECK(world->Ask({.method = "DELETE", .path = "/api/v1/guards"}).status == 405);
}

TEST_CASE("malformed requests are refused with every place that is wrong", "[api]") {
  auto world = MakeWorld();
  Names names = NamesIn(*world);
  for (const Route& route : Routes()) {
    INFO(route.method << " " << route.pattern);
    if (route.access == Access::kWebhook) {
      auto wrong = RequestFor(route, names, "webhook-token");
      bool hook = std::string_view(route.id) == "askFlaggerHook";
      if (hook) wrong.path = ReplaceAll(wrong.path, "confirm-promotion", "dance");
      for (const char* body : {"{", "[1]", "null"}) {
        wrong.body = body;
        Reply reply = world->Ask(wrong);
        INFO(body);
        CHECK(reply.status == (hook ? 404 : 400));
        CHECK(IsProblem(reply));
      }
      continue;
    }
    if (route.access != Access::kOpen) {
      auto unknown = RequestFor(route, names, TokenFor(route));
      unknown.path += "?no_such_parameter=1";
      Reply reply = world->Ask(unknown);
      CHECK(reply.status == 400);
      CHECK(IsProblem(reply));
    }
    if (route.body[0] == 0) continue;
    for (const char* body : {"{", "[]", "{\"no\":1}", "{\"a\":1,\"a\":2}"}) {
      auto wrong = RequestFor(route, names, "sre-token");
      wrong.body = body;
      Reply reply = world->Ask(wrong);
      INFO(body);
      CHECK(reply.status == 400);
      CHECK(IsProblem(reply));
    }
    auto untyped = RequestFor(route, names, "sre-token");
    untyped.headers.emplace_back("content-type", "text/plain");
    CHECK(world->Ask(untyped).status == 415);
  }
  const char* wrong[] = {"/api/v1/guards?limit=0",
                         "/api/v1/guards?limit=many",
                         "/api/v1/guards?limit=501",
                         "/api/v1/releases?since=yesterday",
                         "/api/v1/history?kind=gossip",
                         "/api/v1/decisions?guard=cart",
                         "/events?after=-1"};
  for (const char* path : wrong) {
    INFO(path);
    CHECK(world->Ask({.path = path}).status == 400);
  }
  Json problem = world->Ask({.path = "/api/v1/guards?limmit=1&q=a&limit=x"}).json();
  CHECK(problem.At("problems").size() == 2);
  CHECK(problem.Dump().find("did you mean \\\"limit\\\"") != std::string::npos);
  CHECK(world->StateOf("shop/cart") == "waiting");
}

TEST_CASE("a page of another site cannot make a browser command", "[api]") {
  auto world = MakeWorld();
  struct Row {
    http::Headers headers;
    int want;
  };
  const Row rows[] = {
      {{{"origin", "https://evil.example"}}, 403},
      {{{"origin", "null"}}, 403},
      {{{"sec-fetch-site", "cross-site"}}, 403},
      {{{"sec-fetch-site", "same-site"}}, 403},
      {{{"origin", "http://agent"}, {"sec-fetch-site", "same-origin"}}, 200},
      {{}, 200},
  };
  for (const Row& row : rows) {
    Reply reply = world->Ask({.method = "POST",
                              .path = "/api/v1/guards/shop/cart/pause",
                              .body = "{}",
                              .headers = row.headers});
    CHECK(reply.status == row.want);
    CHECK(reply.Header("access-control-allow-origin").empty());
    CHECK(reply.Header("set-cookie").empty());
  }
  Reply preflight = world->Ask({.method = "OPTIONS", .path = "/api/v1/guards/shop/cart/pause"});
  CHECK(preflight.status >= 400);
}

TEST_CASE("who may see one namespace sees that one", "[api]") {
  auto world = MakeWorld();
  auto ids = [](const Json& list) {
    std::set<std::string> out;
    for (const Json& item : list.items())
      out.insert(item.Find("guard") != nullptr ? item.At("guard").Str() : item.At("id").Str());
    return out;
  };
  CHECK(ids(world->Ask({.path = "/api/v1/guards"}).json().At("items")) ==
        std::set<std::string>{"pay/ledger", "shop/cart"});
  Json narrow = world->Ask({.path = "/api/v1/guards", .token = "dev-token"}).json();
  CHECK(ids(narrow.At("items")) == std::set<std::string>{"shop/cart"});
  CHECK(narrow.At("total").IntOr(0) == 1);
  CHECK(world->Ask({.path = "/api/v1/guards?namespace=pay", .token = "dev-token"}).status == 403);
  CHECK(world->Ask({.path = "/api/v1/guards/pay/ledger", .token = "dev-token"}).status == 403);
  CHECK(world->Ask({.path = "/api/v1/decisions?guard=pay/ledger", .token = "dev-token"}).status ==
        403);
  Json decisions = world->Ask({.path = "/api/v1/decisions", .token = "dev-token"}).json();
  CHECK(decisions.At("items").size() > 0);
  for (const Json& d : decisions.At("items").items()) CHECK(d.At("guard").Str() == "shop/cart");
  CHECK(world->Ask({.path = "/api/v1/health", .token = "dev-token"}).json().At("guards").IntOr(0) ==
        1);
}

}  // namespace rollguard::api
