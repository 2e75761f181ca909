// SPDX-License-Identifier: Apache-2.0
// Every secret the agent is given is marked; whatever it shows or keeps is searched for the mark.
//
// The agent talks to servers that accept, refuse, and repeat in their refusal what they were sent;
// a release fails in front of them. Then everything is read that leaves the process: log, metrics,
// answers of the API, objects in the cluster but Secrets, the data folder, and what the commands
// print of the history.
#include <signal.h>

#include <filesystem>
#include <mutex>
#include <set>

#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/serve/stage.h"
#include "tests/support/catch.h"
#include "tests/support/certificates.h"

namespace rollguard::serve {
namespace {

using std::chrono::seconds;
using testing::PollUntil;

const std::string kMark = "qzcanary";

std::string Secret(const std::string& name) { return StrCat(kMark, "-", name); }

// The mark as it is, and what every base64 of a text that holds it has in common.
std::vector<std::string> Shapes() {
  std::vector<std::string> shapes = {kMark, "sesame"};
  for (size_t before = 0; before < 3; ++before) {
    std::string text = Base64Encode(StrCat(std::string(before, 'x'), kMark));
    const size_t first = before == 0 ? 0 : 4;
    shapes.push_back(text.substr(first, (before + kMark.size()) / 3 * 4 - first));
  }
  return shapes;
}

// Names the places that show a secret.
class Search {
 public:
  void In(const std::string& place, const std::string& text) {
    searched_ += text.size();
    ++places_;
    for (const std::string& shape : Shapes()) {
      const size_t at = text.find(shape);
      if (at == std::string::npos) continue;
      const size_t from = at < 120 ? 0 : at - 120;
      found_ += StrCat(place, ": ...", text.substr(from, 240), "...\n");
      return;
    }
  }
  const std::string& found() const { return found_; }
  size_t places() const { return places_; }
  size_t searched() const { return searched_; }

 private:
  std::string found_;
  size_t places_ = 0, searched_ = 0;
};

// Repeats every request in its answer, the way the path says.
class Echo {
 public:
  Echo()
      : server_(
            [this](const testing::TinyRequest& r, testing::TinyConnection& c) { Answer(r, c); }) {}

  std::string Url(const std::string& path) const { return server_.Url(path); }
  // Names of the secrets that arrived.
  std::set<std::string> Seen() {
    std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  void Answer(const testing::TinyRequest& r, testing::TinyConnection& c) {
    std::string said = StrCat(r.method, " ", r.target, "\n");
    for (const auto& [name, value] : r.headers) {
      said += StrCat(name, ": ", value, "\n");
      if (value.starts_with("Basic ")) Note(Base64Decode(value.substr(6)).value_or(""));
    }
    Note(said);
    Note(r.body);
    const std::string path = r.Path();
    if (path.starts_with("/token")) {
      c.Respond(200, StrCat(R"({"access_token":")", Secret("oauth-token"), R"(","expires_in":60})"),
                {{"Content-Type", "application/json"}});
    } else if (path.starts_with("/json")) {
      c.Respond(500,
                Json::Obj({{"status", "error"},
                           {"errorType", "internal"},
                           {"kind", "Status"},
                           {"message", said},
                           {"error", said}})
                    .Dump(),
                {{"Content-Type", "application/json"}});
    } else {
      c.Respond(path.starts_with("/page") ? 200 : 401, said, {{"Content-Type", "text/html"}});
    }
  }

  void Note(const std::string& text) {
    std::lock_guard lock(mutex_);
    for (size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at + 1)) {
      size_t end = at + kMark.size() + 1, first = end;
      while (end < text.size() &&
             (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '-'))
        ++end;
      if (first < end) seen_.insert(text.substr(first, end - first));
    }
  }

  std::mutex mutex_;
  std::set<std::string> seen_;
  testing::TinyServer server_;
};

constexpr const char* kRules = R"(groups:
  - name: sources
    interval: 1s
    rules:
      - {rollback: Good, expr: 'sum(up{n="0"}) > 1', source: good}
      - {observe: Refused, expr: 'sum(up{n="1"}) > 1', source: refused, noData: pass}
      - {observe: Broken, expr: 'sum(up{n="2"}) > 1', source: broken, noData: pass}
      - {observe: Odd, expr: 'sum(up{n="3"}) > 1', source: odd, noData: pass}
      - {observe: Nobody, expr: 'sum(up{n="4"}) > 1', source: nobody, noData: pass}
      - {observe: Tls, expr: 'sum(up{n="5"}) > 1', source: tls, noData: pass}
)";

constexpr const char* kGuard = R"(
  target: {apiVersion: apps/v1, kind: Deployment, name: checkout}
  strategy:
    canary:
      stableService: checkout
      abortScaleDownDelay: 0s
      scaleDownDelay: 0s
      routing:
        - istio: {virtualService: checkout, routes: [primary], destinationRule: {name: checkout}}
      steps: [{setWeight: 50}, {pause: {}}]
      analysis: {templates: [{templateName: secretive}]}
  bake: 1s
  rollback:
    rules: [sources]
    alerts: [{matchers: ['severity="critical"'], action: rollback}]
    verify: {for: 1s}
  blind: {after: 1h}
  health:
    checks:
      - {name: db, interval: 1s, timeout: 1s, postgres: {urlFrom: {name: database, key: url}}}
      - {name: bad-url, interval: 1s, timeout: 1s, postgres: {urlFrom: {name: database, key: bad}}}
)";

std::string Objects() {
  const std::string nobody = "127.0.0.1:9";
  return StrCat(
      "apiVersion: v1\nkind: Secret\nmetadata: {name: app, namespace: shop}\nstringData: "
      "{password: ",
      Secret("app-secret"), "}\n---\n",
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\ndata: {dsn: ",
      Secret("app-config"), "}\n---\n",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: database, namespace: shop}\nstringData: "
      "{url: ",
      "'postgres://bob:", Secret("db-password"), "@", nobody,
      "/x', bad: 'postgres://bob:", Secret("db-bad"), "@[::nonsense/x'}\n---\n",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: api, namespace: shop}\nstringData: {key: ",
      Secret("argument"), "}\n---\n",
      R"(apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: secretive, namespace: shop}
spec:
  args: [{name: key, valueFrom: {secretKeyRef: {name: api, key: key}}}]
  metrics:
    - name: header
      interval: 1s
      consecutiveErrorLimit: 100
      successCondition: result == 1
      provider: {web: {url: "ECHO/refused/a?token={{args.key}}", jsonPath: "{$.x}",
        headers: [{key: Authorization, value: "Bearer {{args.key}}"}]}}
    - name: path
      interval: 1s
      consecutiveErrorLimit: 100
      successCondition: result == 1
      provider: {web: {url: "ECHO/json/{{args.key}}", jsonPath: "{$.x}"}}
    - name: page
      interval: 1s
      consecutiveErrorLimit: 100
      successCondition: result == 1
      provider: {web: {url: "ECHO/page", jsonPath: "{$.x}",
        authentication: {basic: {username: bob, password: "{{args.key}}"}}}}
    - name: oauth
      interval: 1s
      consecutiveErrorLimit: 100
      successCondition: result == 1
      provider: {web: {url: "ECHO/json/c", jsonPath: "{$.x}",
        authentication: {oauth2: {tokenUrl: "ECHO/token", clientId: bob, clientSecret: "{{args.key}}"}}}}
    - name: oauth-refused
      interval: 1s
      consecutiveErrorLimit: 100
      successCondition: result == 1
      provider: {web: {url: "ECHO/json/d", jsonPath: "{$.x}",
        authentication: {oauth2: {tokenUrl: "ECHO/refused", clientId: bob, clientSecret: "{{args.key}}"}}}}
    - name: nobody
      interval: 1s
      consecutiveErrorLimit: 100
      successCondition: result == 1
      provider: {web: {url: "http://127.0.0.1:9/{{args.key}}", jsonPath: "{$.x}"}}
    - name: prometheus
      interval: 1s
      consecutiveErrorLimit: 100
      successCondition: result[0] == 1
      provider: {prometheus: {address: "ECHO/json", query: vector(1),
        headers: [{key: X-Token, value: "{{args.key}}"}]}}
)");
}

struct World {
  Stage stage;
  Echo echo;
  testing::KeyPair ca = testing::MakeCa("test CA");
  testing::KeyPair client;
  std::unique_ptr<testing::TinyServer> tls;
  std::string key_line;  // of the private key: a secret that cannot carry the mark

  World() {
    client = testing::IssueCertificate(ca, {.common_name = "agent", .dns = {}, .addresses = {}});
    testing::KeyPair server =
        testing::IssueCertificate(testing::MakeCa("another CA"),
                                  {.common_name = "server", .dns = {}, .addresses = {"127.0.0.1"}});
    tls = std::make_unique<testing::TinyServer>(
        [](const testing::TinyRequest&, testing::TinyConnection& c) { c.Respond(200, "{}"); },
        testing::TinyOptions{.cert_pem = server.cert_pem,
                             .key_pem = server.key_pem,
                             .client_ca_pem = {},
                             .unix_socket = {}});
    key_line = std::string(Split(client.key_pem, '\n')[1]);
  }

  std::string File(const std::string& name, const std::string& text) {
    return stage.dir().Write(name, text + "\n");
  }

  // The stage's cluster, as somebody with a token.
  std::string Kubeconfig(const std::string& name, const std::string& server) {
    return File(name,
                StrCat("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, "
                       "cluster: {server: '",
                       server, "'}}]\nusers: [{name: u, user: {token: ", Secret(name),
                       "}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]"));
  }

  std::string ServerOf(const std::string& kubeconfig) {
    const std::string text = testing::ReadFile(kubeconfig);
    const size_t at = text.find("server: ") + 8;
    return text.substr(at, text.find('}', at) - at);
  }

  std::string Config() {
    const std::string nobody = "http://127.0.0.1:9";
    auto bearer = [&](const std::string& name) {
      return StrCat("auth: {bearerTokenFile: ", File(name, Secret(name)), "}");
    };
    auto basic = [&](const std::string& name) {
      return StrCat("auth: {username: bob, passwordFile: ", File(name, Secret(name)), "}");
    };
    auto chat = [&](const std::string& name, const std::string& url) {
      return StrCat("{webhookUrlFile: ", File(name, StrCat(url, "/services/", Secret(name))), "}");
    };
    std::string text = StrCat("kind: AgentConfig\ndataDir: ", stage.dir().path(), "/data\n");
    text += StrCat("cluster: {kubeconfig: ", Kubeconfig("kube-token", ServerOf(stage.kubeconfig())),
                   "}\n");
    text += StrCat("rules: [", File("rules.yaml", kRules), "]\nlog: {level: debug}\nmetrics:\n");
    auto source = [&](const std::string& name, const std::string& url, const std::string& more) {
      text += StrCat("  - {name: ", name, ", prometheus: {url: '", url, "', ", more, "}}\n");
    };
    source("good", stage.PrometheusUrl(), bearer("good-bearer"));
    source("refused", echo.Url("/refused"), bearer("refused-bearer"));
    source("broken", echo.Url("/json"), basic("broken-basic"));
    source("odd", echo.Url("/page"), StrCat("headers: {X-Api-Key: ", Secret("header"), "}"));
    source("nobody", nobody, bearer("nobody-bearer"));
    source("tls", ReplaceAll(tls->Url(), "http:", "https:"),
           StrCat("tls: {caFile: ", File("ca.pem", ca.cert_pem),
                  ", certFile: ", File("client.pem", client.cert_pem),
                  ", keyFile: ", File("client.key", client.key_pem), "}"));
    text += StrCat("alertmanagers:\n  - {name: refusing, interval: 1s, url: '",
                   echo.Url("/refused"), "', ", bearer("am-bearer"), "}\n");
    text += StrCat("  - {name: odd, interval: 1s, url: '", echo.Url("/page"), "', ",
                   basic("am-basic"), "}\n");
    text += StrCat("auth:\n  webhooks: {bearerTokenFile: ", File("hook", Secret("webhook-bearer")),
                   "}\n  tokens: [{name: ops, tokenFile: ", File("ops", Secret("api-token")),
                   ", verbs: ['*']}]\n");
    text += StrCat("notifications:\n  maxAttempts: 2\n  firstBackoff: 10ms\n  channels:\n",
                   "    - {name: slack, slack: ", chat("slack", echo.Url("/refused")), "}\n",
                   "    - {name: teams, teams: ", chat("teams", nobody), "}\n",
                   "    - {name: hook, webhook: {url: '", echo.Url("/refused/hooks/"),
                   Secret("hook-path"), "', ", bearer("hook-bearer"), "}}\n",
                   "    - {name: pager, alertmanager: {name: refusing}}\n",
                   "    - {name: events, events: {}}\n  routes:\n");
    for (const char* channel : {"slack", "teams", "hook", "pager", "events"})
      text += StrCat("    - {channel: ", channel,
                     ", events: [started, promoted, rolledBack, paused, waiting, notReady], "
                     "continue: true}\n");
    return File("agent.yaml", text);
  }

  testing::PlainAnswer As(const std::string& token, const std::string& method,
                          const std::string& path, const std::string& body = {}) {
    return testing::Ask(stage.agent().port(), method, path, body,
                        {{"Authorization", StrCat("Bearer ", token)}});
  }

  void Release() {
    REQUIRE(stage.cluster()
                .Patch(kube::resources::Deployments(), "shop", "checkout",
                       testing::ObjectsOf(R"(spec: {template: {spec: {containers: [{name: app,
                         image: "shop:2", envFrom: [{secretRef: {name: app}},
                         {configMapRef: {name: settings}}]}]}}})")[0])
                .ok());
  }
};

// Ids of the rows of a list the API gives.
std::vector<std::string> Ids(const std::string& body) {
  std::vector<std::string> ids;
  auto parsed = ParseJson(body);
  if (!parsed) return ids;
  for (const Json& row : parsed->At("items").items()) ids.push_back(row.At("id").Str());
  return ids;
}

void SearchApi(World& world, Search& search) {
  const std::string token = Secret("api-token");
  std::vector<std::string> paths = {"/health/deep",
                                    "/metrics",
                                    "/api/v1/health",
                                    "/api/v1/whoami",
                                    "/api/v1/guards",
                                    "/api/v1/guards/shop/checkout",
                                    "/api/v1/guards/shop/checkout/series",
                                    "/api/v1/releases",
                                    "/api/v1/deployments",
                                    "/api/v1/decisions?limit=200",
                                    "/api/v1/history?limit=200",
                                    "/api/v1/statistics",
                                    "/api/v1/rules",
                                    "/api/v1/alerts"};
  for (const char* list : {"/api/v1/releases", "/api/v1/decisions"}) {
    for (const std::string& id : Ids(world.As(token, "GET", list).body))
      paths.push_back(StrCat(list, "/", id));
  }
  for (const std::string& path : paths) {
    testing::PlainAnswer answer = world.As(token, "GET", path);
    INFO(path << " " << answer.body);
    CHECK(answer.status == 200);
    search.In(path, answer.body);
  }
  const std::string wrong = Secret("presented");
  search.In("401", world.As(wrong, "GET", "/api/v1/guards").body);
  search.In("401 of a webhook", world.As(wrong, "POST", "/api/v1/alerts", "{}").body);
  search.In("400", world.As(token, "POST", "/api/v1/guards/shop/checkout/pause", "{").body);
}

void SearchHistory(World& world, Search& search) {
  const std::string history = world.stage.dir().path() + "/data/history.db";
  auto run = [&](const std::vector<std::string>& words) {
    std::vector<std::string> command = {testing::TheProgram()};
    command.insert(command.end(), words.begin(), words.end());
    command.insert(command.end(), {"--history", history});
    testing::RunResult result = testing::Run(command);
    INFO(Join(words, " ") << result.err);
    CHECK(result.code == 0);
    search.In(Join(words, " "), result.out + result.err);
    return result.out;
  };
  for (const char* what : {"releases", "alerts", "measurements", "calls"})
    run({"history", what, "--limit", "1000", "-o", "json"});
  auto decisions = ParseJson(run({"history", "decisions", "--limit", "1000", "-o", "json"}));
  REQUIRE(decisions.ok());
  CHECK(decisions->items().size() >= 3);
  size_t told = 0;
  for (const Json& row : decisions->items()) {
    if (++told > 12) break;
    run({"explain", row.At("id").Str()});
    run({"explain", row.At("id").Str(), "-o", "json"});
  }
  run({"replay", "--all", "-o", "json"});
  run({"audit", "verify"});
}

TEST_CASE("no secret leaves the agent, whatever others say about it") {
  World world;
  Stage& stage = world.stage;
  REQUIRE(stage.cluster().CreateAll(ReplaceAll(Objects(), "ECHO", world.echo.Url(""))).ok());
  stage.StartAgentWith({"--config", world.Config()});
  stage.CreateGuard(kGuard);
  INFO(stage.Log());
  REQUIRE(stage.AwaitRest());

  world.Release();
  // A check that cannot be asked holds the release; an alert takes it back all the same.
  REQUIRE(PollUntil([&] { return stage.Phase() == "Progressing"; }, seconds(60)));
  const std::set<std::string> wanted = {
      "refused-bearer", "broken-basic", "header",      "am-bearer", "am-basic",
      "slack",          "hook-path",    "hook-bearer", "argument",  "oauth-token"};
  auto missing = [&] {
    std::vector<std::string> out;
    const std::set<std::string> seen = world.echo.Seen();
    for (const std::string& name : wanted)
      if (!seen.contains(name)) out.push_back(name);
    return Join(out, " ");
  };
  PollUntil([&] { return missing().empty(); }, seconds(30));
  CHECK(missing() == "");

  const std::string alert = StrCat(
      R"({"version":"4","status":"firing","receiver":"r","groupKey":"g","alerts":[{"status":"firing",)",
      R"("labels":{"alertname":"Bad","severity":"critical","namespace":"shop","deployment":"checkout"},)",
      R"("annotations":{},"startsAt":")", FormatRfc3339(testing::RealClock().Now()),
      R"(","endsAt":"0001-01-01T00:00:00Z","fingerprint":"f1"}]})");
  CHECK(world.As(Secret("webhook-bearer"), "POST", "/api/v1/alerts", alert).status == 200);
  const bool back = stage.AwaitOutcome("rolledBack");
  INFO(stage.Guard());
  CHECK(back);
  CHECK(PollUntil(  // both chats have given up
      [&] { return stage.Log().find("teams") != std::string::npos; }, seconds(30)));

  Search search;
  SearchApi(world, search);
  for (const ResourceType& type :
       {kube::resources::Guards(), kube::resources::Events(), kube::resources::Deployments(),
        kube::resources::VirtualServices()}) {
    for (const Json& object : stage.cluster().List(type, "shop"))
      search.In(StrCat(type.plural, " ", object.At("metadata", "name").Str()), object.Dump());
  }
  stage.agent().process().Signal(SIGTERM);
  CHECK(stage.agent().process().WaitFor(seconds(30)).has_value());
  SearchHistory(world, search);
  for (const auto& file :
       std::filesystem::recursive_directory_iterator(stage.dir().path() + "/data"))
    if (file.is_regular_file())
      search.In(file.path().filename().string(), testing::ReadFile(file.path().string()));
  search.In("log", stage.Log());
  INFO(search.found());
  CHECK(search.found().empty());
  CHECK(stage.Log().find(world.key_line) == std::string::npos);
  CHECK(search.places() > 30);
  CHECK(search.searched() > 100'000);
}

TEST_CASE("the search finds the mark as it is and in base64") {
  for (size_t before = 0; before < 3; ++before) {
    Search search;
    search.In("x", "nothing here");
    CHECK(search.found().empty());
    search.In("y", Base64Encode(StrCat(std::string(before, 'u'), Secret("a"), "/tail")));
    CHECK(search.found().starts_with("y: "));
  }
  Search plain;
  plain.In("z", "Bearer " + Secret("b"));
  CHECK(plain.found().starts_with("z: "));
}

TEST_CASE("a start that fails over a secret does not show it") {
  const testing::TempDir dir("secrets");
  auto file = [&](const std::string& name, const std::string& text) {
    return dir.Write(name, text);
  };
  const std::string server =
      file("kubeconfig", StrCat(R"({"apiVersion":"v1","kind":"Config",)",
                                R"("current-context":"c","clusters":[{"name":"c",)",
                                R"("cluster":{"server":"http://127.0.0.1:9"}}],)",
                                R"("users":[{"name":"u","user":{}}],"contexts":)",
                                R"([{"name":"c","context":{"cluster":"c","user":"u"}}]})"));
  struct Row {
    std::string name, config;
    bool refused = true;
  };
  const std::string pem = StrCat("-----BEGIN PRIVATE KEY-----\n", Base64Encode(Secret("pem")),
                                 "\n-----END PRIVATE KEY-----\n");
  for (const Row& row : std::vector<Row>{
           {"a key that is none",
            StrCat("listen: {port: 0, certFile: ", file("c.pem", pem),
                   ", keyFile: ", file("k.pem", pem), "}"),
            false},
           {"a database URL that is none",
            StrCat("history: {postgres: {urlFile: ",
                   file("dsn", StrCat("postgres://bob:", Secret("dsn"), "@[::x/y")), "}}"),
            false},
           {"an inline token", StrCat("metrics: [{name: a, prometheus: {url: 'http://h', auth: "
                                      "{bearerToken: ",
                                      Secret("inline"), "}}}]")},
           {"a password in a URL",
            StrCat("metrics: [{name: a, prometheus: {url: 'http://bob:", Secret("url"), "@h'}}]")},
           {"a password in the database URL",
            StrCat("history: {postgres: {url: 'postgres://bob:", Secret("pg"), "@h/d'}}")},
       }) {
    INFO(row.name);
    testing::RunResult result =
        testing::Run({testing::TheProgram(), "run", "--check", "--kubeconfig", server, "--config",
                      file("agent.yaml", StrCat("kind: AgentConfig\ndataDir: ", dir.path(), "/d\n",
                                                row.config, "\n"))});
    Search search;
    search.In("run --check", result.out + result.err);
    CHECK(search.found() == "");
    CHECK((result.code != 0) == row.refused);
  }
}

}  // namespace
}  // namespace rollguard::serve
