// SPDX-License-Identifier: Apache-2.0
// Argo Rollouts and Flagger Canaries become guards that the loader takes, and nothing of them goes
// unsaid.
#include "agent/proof/import.h"

#include <fstream>
#include <iterator>

#include "agent/base/text.h"
#include "agent/spec/load.h"
#include "tests/support/catch.h"

namespace rollguard::proof {
namespace {

std::string Source(const std::string& name) {
  std::ifstream stream(StrCat(ROLLGUARD_SOURCE_DIR, "/tests/golden/import/", name));
  return {std::istreambuf_iterator<char>(stream), {}};
}

Imported ImportFile(const std::string& name) {
  Diagnostics diagnostics;
  Imported imported = Import(name, Source(name), diagnostics);
  CHECK(diagnostics.empty());
  return imported;
}

std::string Notes(const Imported& imported) {
  std::string out;
  for (const ImportNote& note : imported.notes) out += StrCat(note.span.line, " ", note.path, "\n");
  return out;
}

const Json& Find(const Imported& imported, std::string_view kind) {
  static const Json none;
  for (const Json& document : imported.documents)
    if (document.At("kind").Str() == kind) return document;
  return none;
}

// What the loader says of the guards and rules.
std::string Problems(const Imported& imported) {
  spec::Library library;
  Diagnostics diagnostics;
  for (const Json& document : imported.documents)
    if (document.At("kind").Str() != "Deployment")
      spec::LoadText("imported", document.Dump(), library, diagnostics);
  std::string out;
  for (const Diagnostic& d : diagnostics.Sorted()) out += StrCat(d.message, "\n");
  return out;
}

}  // namespace

TEST_CASE("a Rollout becomes a Deployment and a guard", "[proof][import]") {
  const Imported imported = ImportFile("rollout.yaml");
  CHECK(Problems(imported) == "");
  const Json& deployment = Find(imported, "Deployment");
  CHECK(deployment.At("spec", "replicas").IntOr(0) == 5);
  CHECK(deployment.At("spec", "template", "spec").is_object());
  const Json& spec = Find(imported, "Guard").At("spec");
  CHECK(spec.At("target").Dump() == R"({"kind":"Deployment","name":"checkout"})");
  CHECK(spec.At("progressDeadline").Str() == "600s");
  const Json& canary = spec.At("strategy", "canary");
  CHECK(canary.At("routing").Dump() ==
        R"([{"istio":{"virtualService":"checkout","routes":["primary"]}}])");
  CHECK(canary.At("candidateService").Str() == "checkout-canary");
  CHECK(canary.At("abortScaleDownDelay").Str() == "60s");
  CHECK(
      canary.At("steps").Dump() ==
      R"([{"setWeight":5},{"pause":{"duration":"120s"}},{"setHeaderRoute":{"name":"by-header",)"
      R"("match":[{"headerName":"x-beta","headerValue":{"exact":"1"}}]}},{"analysis":{"templates":)"
      R"([{"templateName":"latency","clusterScope":true}]}},{"setWeight":50},{"pause":{}}])");
  CHECK(Notes(imported) ==
        "20 spec.strategy.canary.maxSurge\n"
        "21 spec.strategy.canary.maxUnavailable\n"
        "22 spec.strategy.canary.dynamicStableScale\n"
        "26 spec.strategy.canary.trafficRouting.managedRoutes\n"
        "28 spec.strategy.canary.analysis\n"
        "40 spec.strategy.canary.steps[3].experiment\n");
}

TEST_CASE("a Canary becomes a guard and rules", "[proof][import]") {
  const Imported imported = ImportFile("canary.yaml");
  CHECK(Problems(imported) == "");
  const Json& spec = Find(imported, "Guard").At("spec");
  CHECK(spec.At("rollback").Dump() == R"({"rules":["podinfo-imported","nginx-ingress"]})");
  CHECK(spec.At("strategy", "canary", "steps").Dump() ==
        R"([{"setWeight":10},{"pause":{"duration":"30s"}},{"setWeight":20},{"pause":{"duration":)"
        R"("30s"}},{"setWeight":30},{"pause":{"duration":"30s"}},{"gate":{"webhook":)"
        R"("http://gates.test/podinfo","requestTimeout":"15s"}}])");
  const Json& rule = Find(imported, "RollbackRules").At("spec", "groups").At(0).At("rules").At(0);
  CHECK(rule.At("rollback").Str() == "not-found-too-high");
  CHECK(rule.At("for").Str() == "2m");
  CHECK(rule.At("expr").Str().find("deployment=\"$workload-candidate\"") != std::string::npos);
  CHECK(rule.At("expr").Str().ends_with(") > 5"));
  const Json& ab = imported.documents.back().At("spec", "strategy", "abTest");
  CHECK(ab.At("iterations").IntOr(0) == 10);
  CHECK(ab.At("match").Dump() == R"([{"headers":[{"name":"x-canary","exact":"insider"}]}])");
  CHECK(Notes(imported) ==
        "10 spec.autoscalerRef\n12 spec.service\n19 spec.analysis.metrics[0]\n"
        "28 spec.analysis.webhooks[1]\n35 spec.service\n");
}

TEST_CASE("a Canary whose steps are larger than any share has one") {
  Diagnostics problems;
  const std::string canary =
      "apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: {name: c, namespace: n}\n"
      "spec:\n  targetRef: {apiVersion: apps/v1, kind: Deployment, name: c}\n"
      "  service: {port: 80}\n  analysis: {interval: 1m, maxWeight: 100, stepWeight: ";
  const std::pair<const char*, size_t> rows[] = {
      {"50", 2}, {"100", 1}, {"101", 1}, {"9223372036854775807", 1}};
  for (const auto& [step, shares] : rows) {
    CAPTURE(step);
    size_t found = 0;
    for (const Json& document : Import("c.yaml", canary + step + "}\n", problems).documents) {
      for (const Json& s : document.At("spec", "strategy", "canary", "steps").items())
        found += s.Find("setWeight") != nullptr ? 1 : 0;
    }
    CHECK(found == shares);
  }
}

TEST_CASE("nothing of a manifest goes unsaid, and a list is opened", "[proof][import]") {
  Diagnostics diagnostics;
  const Imported imported = Import("x", R"(
apiVersion: v1
kind: List
items:
- apiVersion: argoproj.io/v1alpha1
  kind: Rollout
  metadata: {name: a, uid: u}
  spec:
    workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web, scaleDown: onsuccess}
    brandNew: 1
    strategy:
      blueGreen: {activeService: a, previewService: b, autoPromotionSeconds: 30, surprise: 2}
- apiVersion: apps/v1
  kind: Deployment
)",
                                   diagnostics);
  REQUIRE(imported.documents.size() == 1);
  CHECK(imported.documents[0].At("spec", "target", "name").Str() == "web");
  CHECK(imported.documents[0].At("spec", "strategy", "blueGreen", "autoPromotionAfter").Str() ==
        "30s");
  CHECK(Notes(imported) ==
        "9 spec.workloadRef.scaleDown\n10 spec.brandNew\n12 spec.strategy.blueGreen.surprise\n");
  CHECK(Problems(imported) == "");
}

}  // namespace rollguard::proof
