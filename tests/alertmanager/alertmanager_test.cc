// SPDX-License-Identifier: Apache-2.0
// The files in alertmanager/ on the real programs: promtool judges the rules, amtool the
// configuration and its routes, and a real Alertmanager hands an alert to a running agent.
#include <set>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/promql/parser.h"
#include "agent/telemetry/catalog.h"
#include "agent/yaml/yaml.h"
#include "tests/support/agent_process.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/process.h"

namespace rollguard::shipped {
namespace {

std::string Source(const std::string& path) {
  return StrCat(ROLLGUARD_SOURCE_DIR, "/alertmanager/", path);
}

// All that a program said, when it did not end well.
std::string Complaint(const std::vector<std::string>& command) {
  testing::RunResult result = testing::Run(command);
  return result.code == 0 ? "" : StrCat(command[0], ": ", result.out, result.err);
}

struct Rule {
  bool alert = false;
  std::string name;
  std::string expr;
  Json json;
};

std::vector<Rule> RulesOf(const std::string& file) {
  Diagnostics problems;
  auto tree = yaml::Parse(file, testing::ReadFile(Source(file)), problems);
  REQUIRE_FALSE(problems.has_errors());
  std::vector<Rule> rules;
  for (const yaml::Node& document : tree) {
    const Json json = yaml::ToJson(document);
    for (const Json& group : json.At("groups").items()) {
      for (const Json& rule : group.At("rules").items()) {
        const bool alert = rule.Find("alert") != nullptr;
        rules.push_back(
            {alert, rule.At(alert ? "alert" : "record").Str(), rule.At("expr").Str(), rule});
      }
    }
  }
  REQUIRE_FALSE(rules.empty());
  return rules;
}

std::set<std::string> ExportedNames() {
  std::set<std::string> names = {"up"};
  for (const telemetry::MetricInfo& info : telemetry::Catalog()) {
    names.insert(std::string(info.name));
    if (info.kind == telemetry::Kind::kHistogram) names.insert(StrCat(info.name, "_bucket"));
  }
  for (const Rule& rule : RulesOf("rules/rollguard-records.yaml")) names.insert(rule.name);
  return names;
}

TEST_CASE("promtool takes the rules, and their unit tests pass") {
  CHECK(Complaint({"promtool", "check", "rules", Source("rules/rollguard-alerts.yaml"),
                   Source("rules/rollguard-records.yaml")}) == "");
  CHECK(Complaint({"promtool", "test", "rules", Source("tests/rollguard-alerts.test.yaml")}) == "");
}

TEST_CASE("rules ask only for what the agent exports") {
  const std::set<std::string> exported = ExportedNames();
  for (const char* file : {"rules/rollguard-alerts.yaml", "rules/rollguard-records.yaml"}) {
    for (const Rule& rule : RulesOf(file)) {
      INFO(rule.name << ": " << rule.expr);
      auto query = promql::ParseQuery(rule.expr);
      REQUIRE(query);
      for (const promql::Node& node : query->nodes) {
        if (const auto* selector = std::get_if<promql::SelectorNode>(&node.is))
          CHECK(exported.contains(selector->metric));
      }
    }
  }
}

TEST_CASE("every alert says what is wrong, how bad it is, and is tested firing and quiet") {
  const std::string tests = testing::ReadFile(Source("tests/rollguard-alerts.test.yaml"));
  for (const Rule& rule : RulesOf("rules/rollguard-alerts.yaml")) {
    INFO(rule.name);
    CHECK(rule.alert);
    CHECK(rule.name.starts_with("Rollguard"));  // what the routes know them by
    CHECK_FALSE(rule.json.At("annotations", "summary").Str().empty());
    const std::string severity = rule.json.At("labels", "severity").Str();
    CHECK((severity == "critical" || severity == "warning" || severity == "none"));
    CHECK(tests.find(StrCat("alertname: ", rule.name, ", exp_alerts: []")) != std::string::npos);
    CHECK(tests.find(StrCat("alertname: ", rule.name, "\n")) != std::string::npos);
  }
}

TEST_CASE("amtool takes the configurations") {
  CHECK(Complaint({"amtool", "check-config", Source("alertmanager.yaml"),
                   Source("receiver-mtls.yaml")}) == "");
}

TEST_CASE("alerts go where they should") {
  struct Row {
    const char* file;
    std::vector<std::string> labels;
    const char* want;
  };
  const std::vector<Row> rows = {
      {"alertmanager.yaml",
       {"alertname=OrdersDropped", "severity=critical", "namespace=shop"},
       "rollguard,team-pager"},
      {"alertmanager.yaml",
       {"alertname=OrdersDropped", "severity=warning", "namespace=shop"},
       "team"},
      // The agent's own alerts would match guards by their namespace: they never go there.
      {"alertmanager.yaml",
       {"alertname=RollguardRollbackFailed", "severity=critical", "namespace=shop"},
       "platform"},
      {"alertmanager.yaml",
       {"alertname=RollguardHeld", "severity=warning", "namespace=shop"},
       "platform"},
      {"alertmanager.yaml", {"alertname=RollguardRollbackRunning", "severity=none"}, "nobody"},
      {"alertmanager.yaml", {"alertname=Watchdog", "severity=none"}, "nobody"},
      {"receiver-mtls.yaml", {"alertname=OrdersDropped", "severity=critical"}, "rollguard,team"},
      {"receiver-mtls.yaml", {"alertname=RollguardDown", "severity=critical"}, "team"},
      {"receiver-mtls.yaml", {"alertname=OrdersDropped", "severity=info"}, "team"},
  };
  for (const Row& row : rows) {
    INFO(row.file << " " << Join(row.labels, " "));
    std::vector<std::string> command = {"amtool", "config", "routes", "test",
                                        StrCat("--config.file=", Source(row.file))};
    command.insert(command.end(), row.labels.begin(), row.labels.end());
    testing::RunResult result = testing::Run(command);
    CHECK(result.code == 0);
    CHECK(Trim(result.out) == row.want);
  }
}

// Walks the routes for those that lead to the agent.
void CollectRoutes(const Json& route, std::vector<Json>& found) {
  if (route.At("receiver").Str() == "rollguard") found.push_back(route);
  for (const Json& child : route.At("routes").items()) CollectRoutes(child, found);
}

TEST_CASE("nothing delays what takes a release back") {
  for (const char* file : {"alertmanager.yaml", "receiver-mtls.yaml"}) {
    INFO(file);
    Diagnostics problems;
    auto tree = yaml::Parse(file, testing::ReadFile(Source(file)), problems);
    REQUIRE(tree.size() == 1);
    std::vector<Json> routes;
    CollectRoutes(yaml::ToJson(tree[0]).At("route"), routes);
    REQUIRE(routes.size() == 1);
    CHECK(routes[0].At("group_wait").Str() == "0s");
    CHECK(routes[0].At("group_by").At(0).Str() == "...");
    CHECK(routes[0].At("continue").BoolOr(false));
    CHECK(routes[0].Find("mute_time_intervals") == nullptr);
    CHECK(routes[0].Find("active_time_intervals") == nullptr);
  }
}

// The shipped configuration with this machine's address and token.
std::string Localised(int agent_port, const std::string& token_file) {
  std::string text = testing::ReadFile(Source("alertmanager.yaml"));
  text = ReplaceAll(text, "https://rollguard.rollguard.svc:9442",
                    StrCat("http://127.0.0.1:", agent_port));
  text = ReplaceAll(text, "/etc/alertmanager/secrets/rollguard-webhook/token", token_file);
  return ReplaceAll(text,
                    "          tls_config:\n"
                    "            ca_file: /etc/alertmanager/secrets/rollguard-webhook/ca.crt\n",
                    "");
}

TEST_CASE("a real Alertmanager with this configuration hands an alert to a running agent") {
  testing::TempDir dir("alertmanager");
  const std::string token = dir.Write("token", "a-long-enough-webhook-token-0123456789");
  auto cluster = testing::SimProcess::Start(dir, {StrCat(ROLLGUARD_SOURCE_DIR, "/k8s/crds")});
  REQUIRE(cluster != nullptr);
  auto agent = testing::AgentProcess::Start({"--kubeconfig", cluster->kubeconfig(), "--data-dir",
                                             dir.path() + "/data", "--webhook-token", token},
                                            dir.path() + "/agent.log");
  REQUIRE(agent != nullptr);
  REQUIRE(agent->AwaitReady());
  const std::string config = dir.Write("alertmanager.yaml", Localised(agent->port(), token));
  const int port = testing::FreePort();
  auto alertmanager = testing::Process::Start(
      {testing::FindProgram("prometheus-alertmanager"), StrCat("--config.file=", config),
       StrCat("--storage.path=", dir.path(), "/am"),
       StrCat("--web.listen-address=127.0.0.1:", port), "--cluster.listen-address="},
      {.log = dir.path() + "/am.log", .directory = {}, .env = {}});
  REQUIRE(alertmanager);
  auto ready = [&] { return testing::Ask(port, "GET", "/-/ready").status == 200; };
  REQUIRE(testing::PollUntil(ready, std::chrono::seconds(60)));
  auto posted = testing::Ask(
      port, "POST", "/api/v2/alerts",
      R"([{"labels":{"alertname":"OrdersDropped","severity":"critical","namespace":"shop"}}])",
      {{"Content-Type", "application/json"}});
  REQUIRE(posted.status == 200);
  auto arrived = [&] {
    return testing::Ask(agent->port(), "GET", "/metrics")
               .body.find("rollguard_alerts_total{disposition=\"unmatched\"} 1") !=
           std::string::npos;
  };
  INFO(testing::ReadFile(dir.path() + "/am.log") << agent->Log());
  CHECK(testing::PollUntil(arrived, std::chrono::seconds(60)));
}

}  // namespace
}  // namespace rollguard::shipped
