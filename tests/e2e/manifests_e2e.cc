// SPDX-License-Identifier: Apache-2.0
// Everything under k8s/ on a real API server: applied as the documentation says, one overlay over
// the other as an operator would move, and what the service account may then do.
#include <filesystem>

#include "agent/base/text.h"
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
      {"delete", "secrets", "shop", false},
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

}  // namespace
}  // namespace rollguard::e2e
