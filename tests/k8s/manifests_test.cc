// SPDX-License-Identifier: Apache-2.0
// What is installed: kustomize builds it, the agent reads its own configuration, examples are what
// they say, copies are equal to what they are copies of, and the chart gives the same as the base.
#include <filesystem>
#include <map>

#include "agent/base/text.h"
#include "agent/yaml/yaml.h"
#include "tests/k8s/chart.h"
#include "tests/k8s/permissions.h"
#include "tests/support/agent_process.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::shipped {
namespace {

std::string Source(const std::string& path) { return StrCat(ROLLGUARD_SOURCE_DIR, "/", path); }

std::vector<Json> Documents(const std::string& text) {
  Diagnostics problems;
  std::vector<Json> out;
  for (const yaml::Node& node : yaml::Parse("built", text, problems)) {
    Json document = yaml::ToJson(node);
    if (!document.is_null()) out.push_back(std::move(document));
  }
  REQUIRE_FALSE(problems.has_errors());
  return out;
}

std::vector<Json> Built(const std::string& folder) {
  testing::RunResult built = testing::Run({"kubectl", "kustomize", Source(folder)});
  INFO(folder << ": " << built.err);
  REQUIRE(built.code == 0);
  return Documents(built.out);
}

std::string KeyOf(const Json& object) {
  return StrCat(object.At("kind").Str(), " ", object.At("metadata", "name").Str());
}

std::map<std::string, Json> ByKey(const std::vector<Json>& objects) {
  std::map<std::string, Json> out;
  for (const Json& object : objects) {
    INFO(KeyOf(object));
    CHECK(out.emplace(KeyOf(object), object).second);
  }
  return out;
}

void CheckHardened(const Json& pod) {
  CHECK(pod.At("securityContext", "runAsNonRoot").BoolOr(false));
  CHECK(pod.At("securityContext", "seccompProfile", "type").Str() == "RuntimeDefault");
  for (const Json& container : pod.At("containers").items()) {
    const Json& security = container.At("securityContext");
    CHECK(security.At("readOnlyRootFilesystem").BoolOr(false));
    CHECK_FALSE(security.At("allowPrivilegeEscalation").BoolOr(true));
    CHECK(security.At("capabilities", "drop").At(0).Str() == "ALL");
    CHECK(container.At("resources", "limits", "memory").is_string());
    CHECK(container.At("resources", "limits").Find("cpu") == nullptr);  // no throttled decisions
    for (const char* probe : {"startupProbe", "livenessProbe", "readinessProbe"})
      CHECK(container.Find(probe) != nullptr);
  }
}

TEST_CASE("base and overlays build; the pod is hardened and finds its volumes") {
  for (const char* folder : {"k8s/base", "k8s/overlays/observe-only", "k8s/overlays/postgres",
                             "k8s/overlays/high-availability"}) {
    INFO(folder);
    auto objects = ByKey(Built(folder));
    const Json& pod = objects.at("StatefulSet rollguard").At("spec", "template", "spec");
    CheckHardened(pod);
    std::set<std::string> volumes = {"data"};
    for (const Json& volume : pod.At("volumes").items()) volumes.insert(volume.At("name").Str());
    for (const Json& mount : pod.At("containers").At(0).At("volumeMounts").items())
      CHECK(volumes.contains(mount.At("name").Str()));
  }
  auto ha = ByKey(Built("k8s/overlays/high-availability"));
  CHECK(ha.at("StatefulSet rollguard").At("spec", "replicas").IntOr(0) == 3);
  CHECK(ha.contains("PodDisruptionBudget rollguard"));
  CHECK(ha.contains("Role rollguard-leases"));
  auto observe = ByKey(Built("k8s/overlays/observe-only"));
  CHECK(observe.at("ClusterRole rollguard-core").Dump().find("\"delete\"") == std::string::npos);
}

TEST_CASE("components can be added to the base") {
  testing::TempDir dir("kustomize");
  std::string text = StrCat("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
                            "bases:\n  - base\n  - components/monitoring\n");
  size_t routers = 0;
  for (const char* router : {"istio", "gateway-api", "ingress", "traefik", "contour", "apisix",
                             "smi", "argo-rollouts", "flagger"}) {
    text += StrCat("  - components/routers/", router, "\n");
    ++routers;
  }
  dir.Write("kustomization.yaml", text);
  REQUIRE(
      testing::Run({"cp", "-r", Source("k8s/base"), Source("k8s/components"), dir.path()}).code ==
      0);
  testing::RunResult built = testing::Run({"kubectl", "kustomize", dir.path()});
  INFO(built.err);
  REQUIRE(built.code == 0);
  auto objects = ByKey(Documents(built.out));
  size_t aggregated = 0;
  for (const auto& [key, object] : objects) {
    aggregated += object.At("metadata", "labels").Find("rollguard.dev/aggregate-to-agent") ? 1 : 0;
  }
  CHECK(aggregated == routers + 1);
  CHECK(objects.at("ServiceMonitor rollguard")
            .At("spec", "endpoints")
            .At(0)
            .At("honorLabels")
            .BoolOr(false));
}

TEST_CASE("the alerts as an object are the alerts as files") {
  Json groups = Json::Arr();
  for (const char* file :
       {"alertmanager/rules/rollguard-alerts.yaml", "alertmanager/rules/rollguard-records.yaml"}) {
    for (const Json& document : DocumentsOf(file)) {
      for (const Json& group : document.At("groups").items()) groups.Push(group);
    }
  }
  auto objects = DocumentsOf("k8s/components/monitoring/prometheus-rule.yaml");
  REQUIRE(objects.size() == 1);
  CHECK(objects[0].At("spec", "groups") == groups);
}

TEST_CASE("the rules in the base are the shipped rules") {
  for (const std::string& file : FilesIn("k8s/base/rules")) {
    INFO(file);
    const std::string name = file.substr(file.rfind('/') + 1);
    CHECK(testing::ReadFile(Source(file)) == testing::ReadFile(Source(StrCat("rules/", name))));
  }
}

TEST_CASE("the agent takes its configurations, and checks every example") {
  std::vector<std::string> rules;
  for (const std::string& file : FilesIn("rules")) rules.push_back(Source(file));
  std::vector<std::string> files = FilesIn("k8s/examples/guards");
  for (const char* folder : {"base", "overlays/postgres", "overlays/high-availability"})
    files.push_back(StrCat("k8s/", folder, "/agent.yaml"));
  for (const std::string& file : files) {
    std::vector<std::string> command = {testing::TheProgram(), "check", Source(file)};
    command.insert(command.end(), rules.begin(), rules.end());
    testing::RunResult result = testing::Run(command);
    INFO(file << result.out << result.err);
    CHECK(result.code == 0);
  }
}

TEST_CASE("there is an example of every strategy and every router") {
  std::string all;
  for (const std::string& file : FilesIn("k8s/examples/guards"))
    all += testing::ReadFile(Source(file));
  for (const char* word : {"    canary:\n",
                           "    blueGreen:\n",
                           "    abTest:\n",
                           "    mirror:\n",
                           "    rolling: ",
                           "    external: {controller: argo",
                           "    external: {controller: flagger",
                           "- istio: ",
                           "- gatewayApi: ",
                           "- nginx: ",
                           "- alb: ",
                           "- traefik: ",
                           "- contour: ",
                           "- apisix: ",
                           "- smi: ",
                           "- generic: ",
                           "- replicas: ",
                           "candidate: {deployment: ",
                           "kind: StatefulSet",
                           "kind: DaemonSet",
                           "mode: observe",
                           "phases:",
                           "approval:"}) {
    INFO(word);
    CHECK(all.find(word) != std::string::npos);
  }
}

std::vector<Json> Rendered(const Json& values) {
  std::vector<Json> out;
  for (const std::string& file : FilesIn("k8s/helm/rollguard/templates")) {
    auto text = RenderTemplate(testing::ReadFile(Source(file)), values, "rollguard");
    INFO(file << (text ? "" : text.error().message));
    REQUIRE(text);
    for (Json& document : Documents(*text)) out.push_back(std::move(document));
  }
  return out;
}

Json Values() { return DocumentsOf("k8s/helm/rollguard/values.yaml").at(0); }

TEST_CASE("the chart's default is the base") {
  auto chart = ByKey(Rendered(Values()));
  auto base = ByKey(Built("k8s/base"));
  for (const char* same : {"ClusterRole rollguard", "ClusterRole rollguard-core",
                           "ClusterRole rollguard-viewer", "ClusterRole rollguard-releaser"}) {
    INFO(same);
    CHECK(chart.at(same) == base.at(same));
  }
  const Json& pod = chart.at("StatefulSet rollguard").At("spec", "template", "spec");
  CheckHardened(pod);
  const Json& base_pod = base.at("StatefulSet rollguard").At("spec", "template", "spec");
  CHECK(pod.At("containers").At(0).At("image") == base_pod.At("containers").At(0).At("image"));
  CHECK(pod.At("containers").At(0).At("volumeMounts") ==
        base_pod.At("containers").At(0).At("volumeMounts"));
  CHECK(chart.at("Service rollguard").At("spec") == base.at("Service rollguard").At("spec"));
  CHECK_FALSE(chart.contains("PodDisruptionBudget rollguard"));
  CHECK(chart.contains("ClusterRole rollguard-ingress"));
  CHECK_FALSE(chart.contains("ClusterRole rollguard-istio"));
}

TEST_CASE("the chart's switches work, and its configuration is taken by the agent") {
  Json values = Values();
  for (const char* name : {"serviceMonitor", "podDisruptionBudget"}) values.Set(name, true);
  values.Set("postgresSecret", "rollguard-postgres");
  for (auto& [name, on] : values["routers"].members()) on = true;
  auto chart = ByKey(Rendered(values));
  for (const char* key : {"PodDisruptionBudget rollguard", "ServiceMonitor rollguard"}) {
    INFO(key);
    CHECK(chart.contains(key));
  }
  // The chart's routers are the components.
  size_t routers = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Source("k8s/components/routers"))) {
    const std::string name = entry.path().filename().string();
    INFO(name);
    const auto role = DocumentsOf(StrCat("k8s/components/routers/", name, "/cluster-role.yaml"));
    CHECK(chart.at(StrCat("ClusterRole rollguard-", name)) == role.at(0));
    ++routers;
  }
  CHECK(routers == values.At("routers").size());
  testing::TempDir dir("chart");
  const std::string config = dir.Write(
      "agent.yaml", chart.at("ConfigMap rollguard-config").At("data", "agent.yaml").Str());
  testing::RunResult checked = testing::Run({testing::TheProgram(), "check", config});
  INFO(checked.out << checked.err);
  CHECK(checked.code == 0);
}

TEST_CASE("the values' schema knows every value and refuses what is wrong") {
  auto schema = ParseJson(testing::ReadFile(Source("k8s/helm/rollguard/values.schema.json")));
  REQUIRE(schema);
  CHECK(SchemaProblems(*schema, Values()) == "");
  for (const auto& [key, property] : schema->At("properties").members()) {
    INFO(key);
    CHECK(Values().Find(key) != nullptr);
  }
  Json wrong = Values();
  wrong.Set("replicas", "three");
  wrong.Set("replica", 3);
  wrong["image"].Set("pullPolicy", "Sometimes");
  wrong["image"].Set("tag", "");
  wrong.Set("storage", "plenty");
  CHECK(SchemaProblems(*schema, wrong) ==
        "values.image.tag is too short\n"
        "values.image.pullPolicy is none of [\"Always\",\"IfNotPresent\",\"Never\"]\n"
        "values.replicas is not of type integer\n"
        "values.storage does not match ^[0-9]+(Mi|Gi|Ti)$\n"
        "values.replica is unknown\n");
  wrong = Values();
  wrong.Set("replicas", 33);
  CHECK(SchemaProblems(*schema, wrong) == "values.replicas is out of bounds\n");
  // And the renderer refuses what it does not know, so that nothing goes unread.
  for (const char* text :
       {"{{ include \"x\" . }}", "{{ .Values.nothing }}", "{{ if .Values.storage }}", "{{ end }}",
        "{{ .Values.storage | quote }}"}) {
    INFO(text);
    CHECK_FALSE(RenderTemplate(text, Values(), "x"));
  }
}

}  // namespace
}  // namespace rollguard::shipped
