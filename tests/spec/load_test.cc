// SPDX-License-Identifier: Apache-2.0
// What well-written documents become.
#include "agent/spec/load.h"

#include "agent/base/text.h"
#include "tests/support/catch.h"

using namespace rollguard;
using namespace std::chrono_literals;

namespace {

spec::Library Load(std::string_view text) {
  spec::Library library;
  Diagnostics diagnostics;
  spec::LoadText("f.yaml", text, library, diagnostics);
  spec::CheckLibrary(library, false, diagnostics);
  for (const Diagnostic& d : diagnostics.Sorted()) FAIL(Render(d, text));
  return library;
}

std::string StepNames(const std::vector<spec::Step>& steps) {
  std::string out;
  for (const spec::Step& step : steps) {
    out += out.empty() ? "" : " ";
    out += NameOf(step.action);
    if (const auto* weight = std::get_if<spec::SetWeight>(&step.action))
      out += StrCat("=", weight->percent);
    if (const auto* pause = std::get_if<spec::Pause>(&step.action); pause && pause->duration)
      out += StrCat("=", FormatShortDuration(*pause->duration));
  }
  return out;
}

constexpr std::string_view kGuard = R"(apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata:
  name: checkout
  namespace: shop
  labels: {team: pay}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: checkout}
  mode: observe
  strategy:
    canary:
      routing:
        - istio: {virtualService: checkout, routes: [primary], destinationRule: {name: checkout}}
        - nginx: {ingress: web}
      stableService: checkout
      candidateService: checkout-candidate
      steps:
        - setWeight: 5
        - pause: {duration: 2m}
        - analysis:
            templates: [{templateName: success-rate}]
            args: [{name: service-name, value: checkout}, {name: hash, valueFrom: {podTemplateHashValue: Latest}}]
        - setHeaderRoute:
            name: insiders
            match: [{headerName: x-insider, headerValue: {exact: "1"}}]
        - setWeight: 50
        - approval: {required: 2, groups: [sre], timeout: 1h, onTimeout: hold}
        - pause: {}
      analysis: {templates: [{templateName: latency, clusterScope: true}]}
  bake: 30m
  rollback:
    rules: [http-golden-signals, {selector: {matchLabels: {area: mesh}}}]
    alerts:
      - matchers: ['severity="critical"', 'team=~"pay|shop"']
        action: pause
    onTrigger: gradual
    maxPerHour: 4
    cooldown: 1h30m
    verify: {for: 2m}
  confidence: {threshold: 0.8, consecutive: 3, weights: {health: 1, trend: 0, severity: 1}}
  noData: fail
  blind: {after: 5m, then: rollback}
  health:
    checks:
      - {name: web, http: {port: http, path: /ready}, critical: true}
      - {name: errors, promql: {query: 'sum(rate(errors{namespace="$namespace"}[1m]))', max: 3}}
  vars: {zone: eu}
  freeze: [{cron: "0 18 * * FRI", duration: 60h, timezone: "+01:00"}]
  promotion: {after: [{guard: staging/checkout, bake: 30m}]}
  concurrency: {key: db, policy: supersede}
  irreversible: false
)";

}  // namespace

TEST_CASE("load: a guard with everything") {
  spec::Library library = Load(kGuard);
  REQUIRE(library.guards.size() == 1);
  const spec::Guard& g = library.guards[0];
  CHECK(g.Id() == "shop/checkout");
  CHECK(g.mode == spec::Mode::kObserve);
  CHECK(g.origin.span == SourceSpan{4, 9, 8});
  const auto& canary = std::get<spec::CanaryStrategy>(g.strategy);
  CHECK(StepNames(canary.steps) ==
        "setWeight=5 pause=2m analysis setHeaderRoute setWeight=50 approval pause");
  REQUIRE(canary.routing.size() == 2);
  const auto& istio = std::get<spec::IstioRouting>(canary.routing[0].settings);
  CHECK(istio.virtual_service == spec::ObjectRef{"", "checkout"});
  CHECK(istio.destination_rule->candidate_subset == "candidate");
  const auto& run = std::get<spec::RunAnalysis>(canary.steps[2].action).analysis;
  CHECK(run.args[0].value == "checkout");
  CHECK(run.args[1].pod_template_hash == "Latest");
  const auto& approval = std::get<spec::WaitForApproval>(canary.steps[5].action).approval;
  CHECK(approval.required == 2);
  CHECK(approval.on_timeout == spec::Approval::OnTimeout::kHold);
  CHECK(spec::BackgroundAnalysis(g.strategy)->templates[0].cluster_scope);
  CHECK(g.bake == 30min);
  CHECK(g.rollback.rules[0].name == "http-golden-signals");
  CHECK(g.rollback.rules[1].selector.Matches({{"area", "mesh"}, {"x", "y"}}));
  CHECK(ToString(g.rollback.alerts[0].matchers[1]) == "team=~\"pay|shop\"");
  CHECK(g.rollback.alerts[0].action == spec::TriggerAction::kPause);
  CHECK(g.rollback.on_trigger == spec::RollbackSpec::OnTrigger::kGradual);
  CHECK(g.rollback.cooldown == 90min);
  CHECK(g.confidence.consecutive == 3);
  CHECK(g.no_data == spec::NoData::kFail);
  CHECK(g.blind.then == spec::Blind::Then::kRollback);
  CHECK(g.health.checks[0].critical);
  CHECK(std::get<spec::HttpCheck>(g.health.checks[0].kind).port == "http");
  CHECK(std::get<spec::PromqlCheck>(g.health.checks[1].kind).query.parsed.variables.size() == 1);
  CHECK(g.freeze[0].duration == 60h);
  CHECK(g.promotion_after[0].guard == spec::ObjectRef{"staging", "checkout"});
  CHECK(g.concurrency->policy == spec::Concurrency::Policy::kSupersede);
}

TEST_CASE("load: an API object becomes the same guard") {
  Diagnostics diagnostics;
  Json object = yaml::ToJson(yaml::Parse("f", kGuard, diagnostics).at(0));
  object["metadata"].Set("uid", "u-1").Set("resourceVersion", "77").Set("generation", 3);
  object["metadata"].Set("managedFields", Json::Arr({}));
  object.Set("status", Json::Obj({{"phase", "Idle"}}));
  auto guard = spec::ParseGuard(object);
  REQUIRE(guard.ok());
  CHECK(guard->metadata.uid == "u-1");
  CHECK(guard->metadata.generation == 3);
  CHECK(guard->origin.file == "Guard shop/checkout");
  CHECK(StepNames(std::get<spec::CanaryStrategy>(guard->strategy).steps) ==
        "setWeight=5 pause=2m analysis setHeaderRoute setWeight=50 approval pause");
  object["spec"].Set("mode", "off");
  auto bad = spec::ParseGuard(object);
  REQUIRE(!bad.ok());
  CHECK(bad.error().message ==
        "Guard shop/checkout: \"mode\" must be one of enforce, observe, not \"off\"");
}

TEST_CASE("load: sugar becomes steps") {
  struct Row {
    std::string_view name;
    std::string_view canary;
    std::string_view want;
  };
  const Row rows[] = {
      {"phases",
       "{phases: [{name: a, percentage: 10, duration: 5m, healthThreshold: 0.9}, {name: b, "
       "percentage: 50, requiresApproval: true}, {name: c, percentage: 100, autoPromote: false}]}",
       "setWeight=10 pause=5m health setWeight=50 approval setWeight=100 pause"},
      {"stepWeight", "{stepWeight: 30, maxWeight: 80, interval: 2m}",
       "setWeight=30 pause=2m setWeight=60 pause=2m setWeight=80 pause=2m"},
      {"stepWeight up to 100", "{stepWeight: 50}", "setWeight=50 pause=1m setWeight=100 pause=1m"},
      {"stepWeights", "{stepWeights: [1, 10], interval: 30s}",
       "setWeight=1 pause=30s setWeight=10 pause=30s"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    spec::Library library = Load(StrCat(
        "apiVersion: rollguard.dev/v1alpha1\nkind: Guard\nmetadata: {name: a}\nspec:\n  target: "
        "{name: a}\n  strategy:\n    canary: ",
        row.canary, "\n"));
    REQUIRE(library.guards.size() == 1);
    CHECK(StepNames(std::get<spec::CanaryStrategy>(library.guards[0].strategy).steps) == row.want);
  }
}

TEST_CASE("load: policy, environment, named strategy and guard, in this order") {
  spec::Library library = Load(R"(apiVersion: rollguard.dev/v1alpha1
kind: RollbackPolicy
metadata: {name: main}
spec:
  bake: 10m
  rollback: {rules: [web], maxPerHour: 3, cooldown: 5m}
  environments:
    prod: {bake: 1h, rollback: {maxPerHour: 2}}
---
apiVersion: rollguard.dev/v1alpha1
kind: ReleaseStrategy
metadata: {name: steps}
spec:
  strategy: {canary: {steps: [{setWeight: 5}, {pause: {duration: 1m}}], minReplicas: 3}}
  progressDeadline: 20m
---
apiVersion: rollguard.dev/v1alpha1
kind: StrategyMatrix
metadata: {name: default}
spec:
  choices: [{serviceType: api, risk: high, strategy: steps}]
---
groups: [{name: web, rules: []}]
---
apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: a, namespace: shop}
spec:
  target: {name: a}
  policy: main
  environment: prod
  strategy:
    ref: {serviceType: api, risk: high}
    routing: [{gatewayApi: {httpRoute: a}}]
    stableService: a
    candidateService: a-candidate
  rollback: {cooldown: 1m}
)");
  REQUIRE(library.guards.size() == 1);
  Diagnostics diagnostics;
  auto guard = spec::Resolve(library.guards[0], library, diagnostics);
  REQUIRE(diagnostics.empty());
  REQUIRE(guard);
  CHECK(guard->bake == 1h);
  CHECK(guard->rollback.max_per_hour == 2);
  CHECK(guard->rollback.cooldown == 1min);
  CHECK(guard->rollback.rules.at(0).name == "web");
  CHECK(guard->progress_deadline == 20min);
  const auto& canary = std::get<spec::CanaryStrategy>(guard->strategy);
  CHECK(StepNames(canary.steps) == "setWeight=5 pause=1m");
  CHECK(canary.min_replicas == 3);
  CHECK(canary.stable_service == "a");
  CHECK(std::string(NameOf(canary.routing.at(0).settings)) == "gatewayApi");
  CHECK(guard->strategy_ref.empty());
}

TEST_CASE("load: rules") {
  spec::Library library = Load(R"(groups:
  - name: web
    interval: 30s
    labels: {area: http}
    vars: {limit: "5.."}
    rules:
      - pause: Slow
        expr: sum(rate(a{code=~"$limit"}[$window])) > 1
        for: 5m
        keep_firing_for: 1m
        severity: low
        noData: pass
        labels: {team: a}
        annotations: {summary: "{{ $value }}"}
      - rollback: Worse
        compare:
          proportion: {bad: 'sum(b{pod=~"$pods"})', total: 'sum(t{pod=~"$pods"})'}
          tolerate: 1.5
)");
  REQUIRE(library.groups.size() == 1);
  const spec::RuleGroup& group = library.groups[0];
  CHECK(group.interval == 30s);
  const spec::Rule& slow = group.rules.at(0);
  CHECK(slow.action == spec::TriggerAction::kPause);
  CHECK(slow.hold == 5min);
  CHECK(slow.keep_firing_for == 1min);
  CHECK(slow.severity == spec::RuleSeverity::kLow);
  CHECK(slow.no_data == spec::NoData::kPass);
  CHECK(std::get<spec::Query>(slow.what).parsed.variables.size() == 2);
  const spec::Rule& worse = group.rules.at(1);
  CHECK(worse.compares());
  CHECK(std::get<spec::Compare>(worse.what).tolerate == 1.5);
  CHECK(!worse.no_data);
}

TEST_CASE("load: an Argo template, its arguments and its metric") {
  spec::Library library = Load(R"(apiVersion: argoproj.io/v1alpha1
kind: ClusterAnalysisTemplate
metadata: {name: rate}
spec:
  args:
    - name: service
    - {name: count, value: "5"}
    - name: token
      valueFrom: {secretKeyRef: {name: s, key: k}}
  dryRun: [{metricName: ra.*}]
  measurementRetention: [{metricName: rate, limit: 20}]
  metrics:
    - name: rate
      interval: 1m
      count: "{{ args.count }}"
      failureLimit: "2"
      successCondition: result[0] >= 0.95
      provider:
        prometheus:
          address: "http://{{args.service}}"
          timeout: 40
          headers: [{key: Authorization, value: "Bearer {{args.token}}"}]
          query: |
            sum(rate(a{service="{{args.service}}"}[5m]))
              > 0
)");
  REQUIRE(library.templates.size() == 1);
  const spec::AnalysisTemplate& t = library.templates[0];
  CHECK(t.cluster_scope);
  CHECK(t.args[2].secret->key == "k");
  CHECK(t.retention[0].limit == 20);
  spec::ArgumentLookup lookup = [](std::string_view name) -> std::optional<std::string> {
    if (name == "service") return "shop";
    if (name == "count") return "7";
    return name == "token" ? std::optional<std::string>("t0p") : std::nullopt;
  };
  Diagnostics diagnostics;
  yaml::Node filled = spec::Substitute(t.metrics[0], lookup, "f", diagnostics);
  spec::Metric metric = spec::LoadMetric(filled, "f", diagnostics);
  REQUIRE(diagnostics.empty());
  CHECK(metric.count == 7);
  CHECK(metric.EffectiveCount() == 7);
  CHECK(metric.failure_limit == 2);
  CHECK(metric.consecutive_error_limit == 4);
  const auto& prometheus = std::get<spec::PrometheusProvider>(metric.provider);
  CHECK(prometheus.query.text == "sum(rate(a{service=\"shop\"}[5m]))\n  > 0\n");
  CHECK(prometheus.timeout == 40s);
  CHECK(prometheus.headers[0].value == "Bearer t0p");
  // A place behind the substituted value is still where it was written.
  size_t at = prometheus.query.text.find("[5m]");
  CHECK(yaml::SpanInside(prometheus.query.at, at, 4) == SourceSpan{24, 51, 4});
  CHECK(yaml::SpanInside(prometheus.query.at, prometheus.query.text.find("> 0"), 1) ==
        SourceSpan{25, 15, 1});
}

TEST_CASE("load: the agent's configuration") {
  auto config = spec::ParseAgentConfig("agent.yaml", R"(kind: AgentConfig
cluster: {namespaces: [shop]}
metrics:
  - name: main
    prometheus:
      url: https://prometheus:9090
      auth: {bearerTokenFile: /run/token}
      tenant: shop
  - {name: own, embedded: {}}
alertmanagers:
  - {name: a, url: "http://am:9093", watchdog: {matchers: ['alertname="Watchdog"']}}
shards: {count: 8}
notifications:
  channels: [{name: ops, slack: {webhookUrlFile: /run/slack}}]
  routes: [{channel: ops, severities: [critical], events: [rolledBack]}]
)");
  REQUIRE(config.ok());
  CHECK(config->metrics.size() == 2);
  CHECK(std::get<spec::PrometheusSource>(config->metrics[0].source).endpoint.url ==
        "https://prometheus:9090");
  CHECK(std::holds_alternative<spec::EmbeddedSource>(config->metrics[1].source));
  CHECK(config->alertmanagers[0].watchdog->within == 10min);
  CHECK(config->shards.count == 8);
  auto empty = spec::ParseAgentConfig("agent.yaml", "");
  CHECK(empty.ok());
  auto bad = spec::ParseAgentConfig("agent.yaml", "metrix: []\n");
  REQUIRE(!bad.ok());
  CHECK(bad.error().message ==
        "agent.yaml:1:1: error: unknown key \"metrix\" (did you mean \"metrics\"?)\n"
        "    1 | metrix: []\n      | ^~~~~~\n");
}

TEST_CASE("load: manifests of others and unit tests are passed over") {
  spec::Library library = Load(
      "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {anything: 1}\n---\n"
      "rule_files: [a.yaml]\nevaluation_interval: 1m\ntests: []\n---\n"
      "apiVersion: v1\nkind: List\nitems:\n  - {apiVersion: apps/v1, kind: Deployment}\n");
  CHECK(library.guards.empty());
}
