// SPDX-License-Identifier: Apache-2.0
// Tests of decisions: our rules and alerts judged by the agent's controller on a test's series.
#include <map>

#include "agent/base/text.h"
#include "agent/proof/rule_test.h"
#include "tests/support/catch.h"

namespace rollguard::proof {
namespace {

const char* const kRules = R"(groups:
  - name: errors
    interval: 15s
    rules:
      - rollback: HighErrorRate
        expr: |
          sum(rate(http_requests_total{namespace="$namespace", pod=~"$candidate_pods", code=~"5.."}[2m]))
            / sum(rate(http_requests_total{namespace="$namespace", pod=~"$candidate_pods"}[2m])) > 0.01
        for: 5m
        labels: {team: shop}
        annotations: {summary: "{{ $value | humanizePercentage }} fail"}
)";

const char* const kManyRules = R"(groups:
  - name: many
    interval: 30s
    vars: {unit: bytes}
    rules:
      - pause: Slow
        expr: latency{workload="$workload"} > 2
        for: 1m
      - observe: Noisy
        expr: noise{namespace="$namespace", service="$service"} > 5
      - rollback: Worse
        compare:
          proportion:
            bad: sum(increase(failed_total{pod=~"$pods"}[$window]))
            total: sum(increase(asked_total{pod=~"$pods"}[$window]))
          window: 30s
)";

const char* const kGuard = R"(apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: checkout, namespace: shop}
spec:
  target: {name: checkout}
  strategy:
    canary:
      stableService: checkout
      routing: [{istio: {virtualService: checkout, routes: [primary], destinationRule: {name: checkout}}}]
      steps: [{setWeight: 10}, {pause: {duration: 10m}}, {setWeight: 60}, {pause: {duration: 10m}}]
  bake: 10m
  rollback:
    rules: [errors]
    alerts: [{matchers: ['severity="critical"'], action: rollback}]
)";

const char* const kRolling = R"(apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: checkout, namespace: shop}
spec:
  target: {name: checkout}
  strategy: {rolling: {admission: hold}}
  bake: 30m
  rollback: {rules: [errors]}
)";

// Traefik is no router that the simulated cluster has.
const char* const kTraefik = R"(apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: checkout, namespace: shop}
spec:
  target: {name: checkout}
  strategy:
    canary:
      stableService: checkout
      candidateService: checkout-candidate
      routing: [{traefik: {service: checkout}}]
      steps: [{setWeight: 15}, {pause: {duration: 1h}}]
  rollback: {rules: [errors]}
)";

struct Ran {
  RuleTestReport report;
  std::string problems;
  std::string text;
};

Ran RunTests(std::string_view text) {
  const std::map<std::string, std::string> all = {
      {"dir/rules.yaml", kRules},
      {"dir/many.yaml", kManyRules},
      {"dir/guard.yaml", kGuard},
      {"dir/rolling.yaml", kRolling},
      {"dir/traefik.yaml", kTraefik},
      {"dir/two.yaml",
       ReplaceAll(kGuard, "      routing:", "      candidate: {deployment: b}\n      routing:")}};
  RuleFiles files{[&](const std::string& path) -> Expected<std::string> { return all.at(path); },
                  [&](const std::string& pattern) {
                    return all.contains(pattern) ? std::vector{pattern}
                                                 : std::vector<std::string>();
                  }};
  Diagnostics diagnostics;
  std::vector<std::pair<std::string, std::string>> texts;
  Ran ran;
  ran.report = RunRuleTests("dir/some.test.yaml", text, files, {}, diagnostics, texts);
  for (const Diagnostic& d : diagnostics.Sorted())
    ran.problems += StrCat(d.file, ":", d.span.line, ": ", d.message, "\n");
  ran.text = RenderText({ran.report});
  return ran;
}

constexpr std::string_view kSeries = R"(    interval: 1m
    input_series:
      - {series: 'http_requests_total{namespace="shop", pod="checkout-candidate-a", code="200"}', values: '0+57x40'}
      - {series: 'http_requests_total{namespace="shop", pod="checkout-candidate-a", code="500"}', values: '0+3x40'}
)";

}  // namespace

TEST_CASE("a rule takes a release back, without a guard", "[proof][decision]") {
  Ran ran = RunTests(StrCat("rule_files: [rules.yaml]\ntests:\n  - name: errors\n", kSeries, R"(
    decision_test:
      - {at: 30s, expect: {action: none, weight: 25, states: {HighErrorRate: noData}}}
      - {at: 3m, expect: {action: none, rule: HighErrorRate, states: {HighErrorRate: pending}}}
      - {at: 9m, expect: {action: rollback, rule: HighErrorRate, weight: 0, reason: '0\.05 > 0\.01'}}
    alert_rule_test:
      - {eval_time: 5m, alertname: HighErrorRate}
)"));
  // Before two points of a rate there is nothing to judge, and the next step waits.
  CHECK(ran.problems == "");
  CHECK(ran.text.starts_with(
      "dir/some.test.yaml:10: test \"errors\": decision at 30s: want none, weight 25, "
      "HighErrorRate "
      "noData, got hold by HighErrorRate, weight 25, HighErrorRate noData (HighErrorRate: no data: "
      "hold)\n"));
  CHECK(ran.text.ends_with("3 passed, 1 failed\n"));
}

TEST_CASE("failures of decisions say what came, when and why", "[proof][decision]") {
  Ran ran = RunTests(StrCat("rule_files: [rules.yaml]\ntests:\n  - name: errors\n", kSeries, R"(
    decision_test:
      - {at: 4m, expect: {action: rollback, rule: HighErrorRate}}
)"));
  CHECK(ran.problems == "");
  CHECK(
      ran.text ==
      "dir/some.test.yaml:10: test \"errors\": decision at 4m: want rollback by HighErrorRate, "
      "got none\n"
      "    0s start\n"
      "    4s advance: weight 25\n"
      "    rule HighErrorRate: 0.05 > 0.01 for 3m of 5m [pending]\n"
      "    http_requests_total{code=\"500\", namespace=\"shop\", pod=\"checkout-candidate-a\"} => "
      "6 "
      "@[120] 9 @[180] 12 @[240]\n"
      "    http_requests_total{code=\"200\", namespace=\"shop\", pod=\"checkout-candidate-a\"} => "
      "114 @[120] 171 @[180] 228 @[240]\n"
      "0 passed, 1 failed\n");
}

TEST_CASE("a rule as an alert: labels and annotations", "[proof][decision]") {
  Ran ran = RunTests(StrCat("rule_files: [rules.yaml]\ntests:\n  - name: errors\n", kSeries, R"(
    alert_rule_test:
      - eval_time: 7m
        alertname: HighErrorRate
        exp_alerts: [{exp_labels: {team: shop}, exp_annotations: {summary: 5% fail}}]
)"));
  CHECK(ran.problems == "");
  CHECK(ran.text == "1 passed, 0 failed\n");
}

TEST_CASE("a guard's own steps, its alerts, a release that begins later", "[proof][decision]") {
  Ran ran = RunTests(R"(rule_files: [rules.yaml]
tests:
  - name: good, then an alert
    interval: 1m
    input_series:
      - {series: 'http_requests_total{namespace="shop", pod="new-a", code="200"}', values: '0+60x60'}
    release: {guard: guard.yaml, at: 2m, candidatePods: 'new-.*', stablePods: 'old-.*'}
    alerts:
      - at: 14m
        startsAt: 13m30s
        labels: {alertname: OrdersDropped, severity: critical, namespace: shop, deployment: checkout}
    decision_test:
      - {at: 1m, expect: {action: none, weight: 0, phase: Idle}}
      - {at: 5m, expect: {action: none, weight: 10, phase: Progressing}}
      - {at: 13m, expect: {action: none, weight: 60}}
      - {at: 14m, expect: {action: rollback, alert: OrdersDropped}}
      - {at: 15m, expect: {action: rollback, weight: 0}}
  - name: an older alert does not take it back
    interval: 1m
    input_series:
      - {series: 'http_requests_total{namespace="shop", pod="checkout-candidate-a", code="200"}', values: '0+60x60'}
    release: {guard: guard.yaml, at: 5m}
    alerts:
      - {at: 6m, startsAt: 1m, labels: {alertname: Old, severity: critical, namespace: shop, deployment: checkout}}
    decision_test:
      - {at: 8m, expect: {action: none, weight: 10}}
)");
  CHECK(ran.problems == "");
  CHECK(ran.text == "6 passed, 0 failed\n");
}

TEST_CASE("a rolling update is taken back and held again, without flapping", "[proof][decision]") {
  Ran ran = RunTests(StrCat("rule_files: [rules.yaml]\ntests:\n  - name: errors\n", kSeries, R"(
    release: {guard: rolling.yaml}
    decision_test:
      - {at: 3m, expect: {action: none, states: {HighErrorRate: pending}}}
      - {at: 9m, expect: {action: rollback, rule: HighErrorRate}}
      - {at: 20m, expect: {action: rollback, weight: 0, phase: Idle}}
)"));
  CHECK(ran.problems == "");
  CHECK(ran.text == "3 passed, 0 failed\n");
}

TEST_CASE("a router the simulated cluster does not have is stood in for", "[proof][decision]") {
  Ran ran = RunTests(StrCat("rule_files: [rules.yaml]\ntests:\n  - name: errors\n", kSeries, R"(
    release: {guard: traefik.yaml}
    decision_test:
      - {at: 3m, expect: {action: none, weight: 15}}
      - {at: 9m, expect: {action: rollback, rule: HighErrorRate, weight: 0}}
)"));
  CHECK(ran.problems == "");
  CHECK(ran.text == "2 passed, 0 failed\n");
}

TEST_CASE("pause, observe, compare, and what the series say about the target",
          "[proof][decision]") {
  Ran ran = RunTests(R"(rule_files: [many.yaml]
tests:
  - name: pause
    interval: 30s
    start_timestamp: 2026-11-02T10:00:00Z
    input_series:
      - {series: 'latency{namespace="shop", workload="cart", service="carts"}', values: '1x9 3x50'}
      - {series: 'noise{namespace="shop", service="carts"}', values: '9x60'}
      - {series: 'asked_total{pod="cart-candidate-a"}', values: '0+100x60'}
      - {series: 'asked_total{pod="cart-stable-a"}', values: '0+900x60'}
      - {series: 'failed_total{pod="cart-candidate-a"}', values: '0x39 0+30x20'}
    decision_test:
      - {at: 4m, expect: {action: observe, rule: Noisy, states: {Slow: inactive, Worse: inactive}}}
      - {at: 7m, expect: {action: pause, rule: Slow}}
      - {at: 25m, expect: {action: rollback, rule: Worse}}
)");
  CHECK(ran.problems == "");
  CHECK(ran.text == "3 passed, 0 failed\n");
}

TEST_CASE("a test of decisions that cannot be cast says why", "[proof][decision]") {
  const struct {
    const char* text;
    const char* want;
  } rows[] = {
      {"rule_files: [many.yaml]\ntests:\n  - {release: {guard: guard.yaml}, decision_test: [{at: "
       "1m, "
       "expect: {weight: 0}}]}\n",
       "the guard checkout uses no rule group of the rule files (they have many)"},
      {"rule_files: [rules.yaml]\ntests:\n  - {release: {guard: two.yaml}, decision_test: [{at: "
       "1m, "
       "expect: {weight: 0}}]}\n",
       "uses candidate.deployment: its releases come from elsewhere and cannot be tried here"},
      {"rule_files: [rules.yaml]\ntests:\n  - {release: {guard: rules.yaml}, decision_test: [{at: "
       "1m, expect: {weight: 0}}]}\n",
       "dir/rules.yaml has no Guard"},
      {"rule_files: [rules.yaml]\ntests:\n  - {decision_test: [{at: 1m, expect: {rule: "
       "HighErorRate}}]}\n",
       "there is no rule \"HighErorRate\" in the rule files (did you mean \"HighErrorRate\"?)"},
      {"rule_files: [rules.yaml]\ntests:\n  - {release: {guard: guard.yaml, namespace: x}, "
       "decision_test: [{at: 1m, expect: {weight: 0}}]}\n",
       "the guard's file says the namespace"},
      {"rule_files: [rules.yaml]\ntests:\n  - {alerts: [{at: 1m, startsAt: 2m, labels: {a: b}}], "
       "decision_test: [{at: 1m, expect: {weight: 0}}]}\n",
       "the alert arrives before it began"},
  };
  for (const auto& row : rows) {
    INFO(row.text);
    Ran ran = RunTests(row.text);
    INFO(ran.problems);
    CHECK(ran.problems.find(row.want) != std::string::npos);
    CHECK(ran.report.cases.empty());
  }
}

}  // namespace rollguard::proof
