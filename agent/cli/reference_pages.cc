// SPDX-License-Identifier: Apache-2.0
// The reference pages: an introduction each, and the sections that the loader's schema gives.
#include "agent/base/text.h"
#include "agent/cli/manual.h"
#include "agent/spec/schema.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kReading =
    "Durations are written `30s`, `5m`, `1h30m`; shares `0.05`, weights `5` (percent). A key that "
    "is unknown,\nmisspelt or of the wrong type is an error with file, line and column "
    "(`rollguard check`).\n";

constexpr std::string_view kGuard = R"(# The Guard

Written by `rollguard schema page guard` from the code that reads Guards; a test holds this page
against it. What the words mean: [concepts](concepts.md). Whole examples of every strategy and router:
[k8s/examples/guards](../k8s/examples/guards).

```yaml
apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: checkout, namespace: shop}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: checkout}
  strategy:
    canary:
      routing:
        - istio: {virtualService: checkout, routes: [primary], destinationRule: {name: checkout}}
      steps:
        - setWeight: 5
        - pause: {duration: 2m}
        - setWeight: 50
        - pause: {duration: 5m}
  bake: 30m
  rollback:
    rules: [http-golden-signals]
    alerts:
      - matchers: ['severity="critical"']
        action: rollback
```

`status` is written by the agent alone; `kubectl explain guard.status` describes it, and
`rollguard status` reads it for you.

)";

constexpr std::string_view kRules = R"(# Rules, templates, policies and strategies: every key

Written by `rollguard schema page rules` from the code that reads them; a test holds this page
against it. [Writing rules](rules.md) shows how they are written and tried.

Rule files (`rules/*.yaml`) hold `groups` at the top; the object `RollbackRules` holds the same under
`spec`. Argo's `AnalysisTemplate` and `ClusterAnalysisTemplate` are taken as they are; their metrics
have the keys of the section [AnalysisTemplate spec.metrics[]](#analysistemplate-specmetrics).
`RollbackPolicy` and `ReleaseStrategy` are named pieces that Guards build on (`policy`,
`strategy.ref`).

)";

constexpr std::string_view kConfiguration = R"(# The agent's configuration

Written by `rollguard schema page configuration` from the code that reads it; a test holds this page
against it. `rollguard run --config agent.yaml` reads the file, `rollguard check agent.yaml` says what is
wrong with it. Secrets are never in it: it names files, which are read again when they change.

```yaml
apiVersion: rollguard.dev/v1alpha1
kind: AgentConfig
metrics:
  - name: prometheus
    prometheus: {url: 'http://prometheus-operated.monitoring.svc:9090'}
alertmanagers:
  - {name: main, url: 'http://alertmanager-operated.monitoring.svc:9093'}
auth:
  kubernetes: true
  webhooks: {bearerTokenFile: /etc/rollguard/secrets/webhook/token}
rules: [/etc/rollguard/rules/*.yaml]
dataDir: /var/lib/rollguard
```

)";

// What a Guard has in the same words is told there.
spec::Schema BesideTheGuard(spec::Schema schema) {
  const spec::Schema guard = spec::GuardSchema();
  for (auto& [key, field] : schema.fields) {
    const spec::Schema* same = guard.Field(key);
    if (same == nullptr || field.fields.empty() ||
        spec::ReferenceTable(*same) != spec::ReferenceTable(field)) {
      continue;
    }
    field.fields.clear();
    field.exactly_one.clear();
    const bool has_section = key == "strategy" || key == "rollback" || key == "health";
    field.description +=
        StrCat(" Keys as in [the Guard](guard.md#spec", has_section ? key : std::string(), ").");
  }
  return schema;
}

}  // namespace

std::string GuardPage() {
  return StrCat(kGuard, kReading, "\n", spec::ReferenceSections(spec::GuardSchema(), "spec"));
}

std::string RulesPage() {
  return StrCat(
      kRules, kReading, "\n",
      spec::ReferenceSections(spec::RollbackRulesSchema(), "RollbackRules spec"), "\n",
      spec::ReferenceSections(spec::MetricSchema(), "AnalysisTemplate spec.metrics[]"), "\n",
      spec::ReferenceSections(BesideTheGuard(spec::RollbackPolicySchema()), "RollbackPolicy spec"),
      "\n",
      spec::ReferenceSections(BesideTheGuard(spec::ReleaseStrategySchema()),
                              "ReleaseStrategy spec"));
}

std::string ConfigurationPage() {
  return StrCat(kConfiguration, kReading, "\n",
                spec::ReferenceSections(spec::AgentConfigSchema(), "AgentConfig"));
}

}  // namespace rollguard::cli
