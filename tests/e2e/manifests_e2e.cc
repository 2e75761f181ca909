// SPDX-License-Identifier: Apache-2.0
// Everything under k8s/ on a real API server: applied as the documentation says, one overlay over
// the other as an operator would move, and what the service account may then do.
#include <filesystem>

#include "agent/base/text.h"
#include "agent/yaml/yaml.h"
#include "tests/k8s/chart.h"
#include "tests/support/agent_process.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::e2e {
namespace {

std::string Source(const std::string& path) { return StrCat(ROLLGUARD_SOURCE_DIR, "/", path); }

// kubectl speaks to the cluster of $KUBECONFIG. What it said, when it failed.
std::string Kubectl(std::vector<std::string> arguments, const std::string& input = {}) {
  arguments.insert(arguments.begin(), "kubectl");
  testing::RunResult result = testing::Run(arguments, input);
  return result.code == 0 ? "" : StrCat(Join(arguments, " "), ": ", result.out, result.err);
}

std::string Output(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "kubectl");
  return testing::Run(arguments).out;
}

std::string BuiltFor(const std::string& folder) {
  std::string text = Output({"kustomize", Source(folder)});
  // policy/v1 came with 1.21; the server of these tests may be older. The manifest says so too.
  if (Output({"api-versions"}).find("policy/v1\n") == std::string::npos)
    text = ReplaceAll(text, "apiVersion: policy/v1\n", "apiVersion: policy/v1beta1\n");
  return text;
}

// The kinds of the Prometheus Operator, as far as an API server looks at them.
constexpr const char* kMonitoring = R"(
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %s.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  names: {plural: %s, singular: %s, kind: %s}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
)";

TEST_CASE("the kinds, the base and every overlay are applied, one over the other") {
  REQUIRE(Kubectl({"apply", "-f", Source("k8s/crds")}) == "");
  REQUIRE(Kubectl({"wait", "--for=condition=Established", "--timeout=60s",
                   "crd/guards.rollguard.dev", "crd/rollbackrules.rollguard.dev"}) == "");
  for (const char* folder : {"k8s/base", "k8s/overlays/observe-only", "k8s/base",
                             "k8s/overlays/postgres", "k8s/overlays/high-availability"}) {
    INFO(folder);
    CHECK(Kubectl({"apply", "-f", "-"}, BuiltFor(folder)) == "");
  }
  const std::string explained = Output({"explain", "guard.spec.strategy.canary.steps"});
  CHECK(explained.find("setWeight") != std::string::npos);
}

// The chart's manifests with everything switched on, by the renderer that tests/k8s holds it with.
std::string Chart() {
  Diagnostics problems;
  const std::string values_file = testing::ReadFile(Source("k8s/helm/rollguard/values.yaml"));
  auto tree = yaml::Parse("values.yaml", values_file, problems);
  REQUIRE(tree.size() == 1);
  Json values = yaml::ToJson(tree[0]);
  values.Set("podDisruptionBudget", true);
  values.Set("replicas", 2);
  values.Set("postgresSecret", "rollguard-postgres");
  for (auto& [name, on] : values["routers"].members()) on = true;
  std::string out;
  const std::string folder = Source("k8s/helm/rollguard/templates");
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    auto text = shipped::RenderTemplate(testing::ReadFile(entry.path().string()), values,
                                        "rollguard-chart");
    INFO(entry.path());
    REQUIRE(text);
    out += StrCat("---\n", *text, "\n");
  }
  if (Output({"api-versions"}).find("policy/v1\n") == std::string::npos)
    out = ReplaceAll(out, "apiVersion: policy/v1\n", "apiVersion: policy/v1beta1\n");
  return out;
}

TEST_CASE("the server takes the chart's manifests, with every switch on") {
  CHECK(Kubectl({"apply", "-f", "-"},
                "apiVersion: v1\nkind: Namespace\nmetadata: {name: rollguard-chart}\n") == "");
  const std::string chart = Chart();
  CHECK(chart.find("kind: StatefulSet") != std::string::npos);
  CHECK(Kubectl({"apply", "--dry-run=server", "-f", "-"}, chart) == "");
}

TEST_CASE("components are taken: monitoring and every router's permissions") {
  for (const auto& [plural, singular, kind] :
       {std::tuple("servicemonitors", "servicemonitor", "ServiceMonitor"),
        std::tuple("prometheusrules", "prometheusrule", "PrometheusRule")}) {
    CHECK(Kubectl({"apply", "-f", "-"}, Format(kMonitoring, plural, plural, singular, kind)) == "");
    CHECK(Kubectl({"wait", "--for=condition=Established", "--timeout=60s",
                   StrCat("crd/", plural, ".monitoring.coreos.com")}) == "");
  }
  for (const char* file : {"service-monitor.yaml", "prometheus-rule.yaml"}) {
    CHECK(Kubectl({"apply", "-n", "rollguard", "-f",
                   Source(StrCat("k8s/components/monitoring/", file))}) == "");
  }
  CHECK(Kubectl({"apply", "-f", Source("tests/e2e/crds/routes.yaml")}) == "");
  CHECK(Kubectl({"wait", "--for=condition=Established", "--timeout=60s",
                 "crd/virtualservices.networking.istio.io"}) == "");
  for (const auto& entry : std::filesystem::directory_iterator(Source("k8s/components/routers")))
    CHECK(Kubectl({"apply", "-f", (entry.path() / "cluster-role.yaml").string()}) == "");
}

TEST_CASE("the server takes every example") {
  CHECK(Kubectl({"apply", "-f", Source("k8s/examples/demo/shop.yaml")}) == "");
  size_t seen = 0;
  for (const char* folder : {"k8s/examples/guards", "k8s/examples/demo"}) {
    for (const auto& entry : std::filesystem::directory_iterator(Source(folder))) {
      if (entry.path().filename() == "shop.yaml") continue;
      CHECK(Kubectl({"apply", "--dry-run=server", "-f", entry.path().string()}) == "");
      ++seen;
    }
  }
  CHECK(seen >= 20);
}

TEST_CASE("the service account may do what it must and nothing beside it") {
  struct Row {
    const char* verb;
    const char* resource;
    const char* ns;
    bool want;
  };
  const std::vector<Row> rows = {
      {"patch", "deployments.apps", "shop", true},
      {"create", "secrets", "shop", true},
      {"patch", "guards.rollguard.dev", "shop", true},
      {"patch", "virtualservices.networking.istio.io", "shop", true},
      {"update", "leases.coordination.k8s.io", "rollguard", true},
      {"create", "guards.rollguard.dev", "shop", false},
      {"delete", "guards.rollguard.dev", "shop", false},
      {"delete", "secrets", "shop", true},  // snapshots that nobody goes back to
      {"deletecollection", "secrets", "shop", false},
      {"create", "configmaps", "shop", true},  // made anew with the revision that needs it
      {"delete", "configmaps", "shop", false},
      {"update", "leases.coordination.k8s.io", "shop", false},
      {"create", "pods", "shop", false},
      {"get", "nodes", "", false},
      {"patch", "clusterroles.rbac.authorization.k8s.io", "", false},
  };
  const std::string who = "--as=system:serviceaccount:rollguard:rollguard";
  auto allowed = [&](const Row& row) {
    std::vector<std::string> ask = {"auth", "can-i", row.verb, row.resource, who};
    if (*row.ns != '\0') ask.insert(ask.end(), {"-n", row.ns});
    return Trim(Output(ask)) == "yes";
  };
  // The aggregated role is filled in by a controller, a moment later.
  CHECK(testing::PollUntil([&] { return allowed(rows.front()); }, std::chrono::seconds(60),
                           std::chrono::milliseconds(300)));
  for (const Row& row : rows) {
    INFO(row.verb << " " << row.resource << " in " << row.ns);
    CHECK(allowed(row) == row.want);
  }
}

// The kubeconfig of these tests, as the agent's service account.
std::string AsAgent(const testing::TempDir& dir) {
  const std::string text = Output({"config", "view", "--raw", "--flatten"});
  const size_t user = text.find("  user:\n");
  REQUIRE(user != std::string::npos);
  const std::string as = "    as: system:serviceaccount:rollguard:rollguard\n";
  return dir.Write("kubeconfig", text.substr(0, user + 8) + as + text.substr(user + 8));
}

std::string Metrics(testing::AgentProcess& agent) {
  return testing::Ask(agent.port(), "GET", "/metrics").body;
}

TEST_CASE("an agent with the service account's permissions releases, and is never refused") {
  testing::TempDir dir("permissions");
  auto agent = testing::AgentProcess::Start(
      {"--kubeconfig", AsAgent(dir), "--data-dir", dir.path() + "/data"},
      dir.path() + "/agent.log");
  REQUIRE(agent != nullptr);
  CHECK(agent->AwaitReady(std::chrono::seconds(60)));
  const std::string image = "deployment/checkout";
  auto ends = [&](const std::string& outcome) {
    return testing::PollUntil([&] { return Metrics(*agent).find(outcome) != std::string::npos; },
                              std::chrono::seconds(180), std::chrono::milliseconds(300));
  };
  CHECK(Kubectl({"apply", "-f", Source("k8s/examples/demo/guard.yaml")}) == "");
  CHECK(Kubectl({"-n", "shop", "wait", "guard/checkout", "--for=condition=RollbackReady",
                 "--timeout=90s"}) == "");
  CHECK(Kubectl({"-n", "shop", "set", "image", image, "app=registry.example.com/checkout:2"}) ==
        "");
  CHECK(ends("outcome=\"promoted\"} 1"));
  CHECK(Kubectl({"-n", "shop", "delete", "guard/checkout", "--timeout=90s"}) == "");
  const std::string metrics = Metrics(*agent);
  INFO(agent->Log());
  CHECK(metrics.find("rollguard_api_calls_total{") != std::string::npos);
  for (std::string_view line : Split(std::string_view(metrics), '\n')) {
    if (!line.starts_with("rollguard_api_calls_total{")) continue;
    INFO(line);
    CHECK(line.find("code=\"403\"") == std::string_view::npos);
  }
}

}  // namespace
}  // namespace rollguard::e2e
