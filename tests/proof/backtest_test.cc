// SPDX-License-Identifier: Apache-2.0
// Releases of the past: how they are listed and found, what is fetched for them, what is said.
#include "agent/proof/backtest.h"

#include <cmath>

#include "agent/base/text.h"
#include "agent/promql/engine.h"
#include "agent/promql/parser.h"
#include "agent/proof/sample_plan.h"
#include "tests/support/catch.h"

namespace rollguard::proof {
namespace {

constexpr int64_t kStart = 1'793'700'000'000;  // on a whole minute

const char* const kRules = R"(groups:
  - name: errors
    interval: 15s
    rules:
      - rollback: HighErrorRate
        expr: |
          sum(rate(http_requests_total{namespace="$namespace", pod=~"$candidate_pods", code=~"5.."}[2m]))
            / sum(rate(http_requests_total{namespace="$namespace", pod=~"$candidate_pods"}[2m])) > 0.01
        for: 5m
      - pause: QueueGrows
        expr: queue_length{namespace="$namespace"} > 100
        noData: pass
)";

spec::Library Rules(const char* text = kRules) {
  spec::Library library;
  Diagnostics problems;
  spec::LoadText("rules.yaml", text, library, problems);
  REQUIRE_FALSE(problems.has_errors());
  return library;
}

PastRelease Release(const std::string& id, Duration from, PastRelease::Label label) {
  PastRelease release;
  release.id = id;
  release.ns = "shop";
  release.workload = "checkout";
  release.start = FromUnixMillis(kStart) + from;
  release.end = release.start + std::chrono::minutes(30);
  release.candidate_pods = StrCat("checkout-", id, "-.*");
  release.label = label;
  return release;
}

// Ten requests a second of a pod from kStart on, a share of them failing between two times.
void Serve(promql::MemoryStore& store, const std::string& pod, double share, Duration from,
           Duration to) {
  auto series = [&](const char* code) {
    return store.Intern(promql::Labels::FromPairs({{"__name__", "http_requests_total"},
                                                   {"namespace", "shop"},
                                                   {"pod", pod},
                                                   {"code", code}}));
  };
  auto good = series("200"), bad = series("500");
  double goods = 0, bads = 0;
  for (Duration at{0}; at <= std::chrono::hours(2); at += std::chrono::seconds(15)) {
    double failing = at > from && at <= to ? share : 0;
    goods += 150 * (1 - failing);
    bads += 150 * failing;
    REQUIRE(store.Append(good, kStart + at.count(), goods).ok());
    REQUIRE(store.Append(bad, kStart + at.count(), bads).ok());
  }
}

std::string Problems(std::string_view text) {
  Diagnostics diagnostics;
  (void)ParseReleases("past.yaml", text, diagnostics);
  std::string out;
  for (const Diagnostic& d : diagnostics.Sorted())
    out += StrCat(d.span.line, ":", d.span.column, " ", d.message, "\n");
  return out;
}

}  // namespace

TEST_CASE("backtest: lists of releases", "[proof][backtest]") {
  Diagnostics diagnostics;
  auto releases = ParseReleases("past.yaml", R"(
- {id: r-001, namespace: shop, workload: checkout, start: 2026-11-02T10:00:00Z, end: 2026-11-02T10:40:00Z,
   candidatePods: checkout-7d9f-.*, stablePods: checkout-5c4b-.*, vars: {zone: eu}, label: bad}
- {workload: cart, start: 1793700000, end: 1793700600}
)",
                                diagnostics);
  CHECK_FALSE(diagnostics.has_errors());
  REQUIRE(releases.size() == 2);
  CHECK(releases[0].label == PastRelease::Label::kBad);
  CHECK(releases[0].end - releases[0].start == std::chrono::minutes(40));
  CHECK(releases[1].id == "release-2");
  CHECK(releases[1].ns == "default");
  CHECK(releases[1].candidate_pods == "cart-.*");
  CHECK(releases[1].start == FromUnixMillis(1'793'700'000'000));

  CHECK(Problems("a: 1\n") == "1:1 expected a list of releases: - {workload, start, end, ...}\n");
  CHECK(Problems("- 1\n") == "1:3 a release is a mapping, not the number 1\n");
  CHECK(Problems("- {start: 1, end: 2}\n").find("workload") != std::string::npos);
  CHECK(Problems("- {workload: a, start: 2, end: 1}\n") ==
        "1:32 the release ends before it starts\n");
  CHECK(Problems("- {workload: a, start: soon, end: 1}\n") ==
        "1:24 \"start\" must be a time like 2026-11-02T10:00:00Z or Unix seconds, not \"soon\"\n");
  CHECK(Problems("- {workload: a, start: 1, end: 2, label: wrong}\n").find("good") !=
        std::string::npos);
  CHECK(
      Problems("- {workload: a, start: 1, end: 2, lable: bad}\n").find("did you mean \"label\"") !=
      std::string::npos);
}

TEST_CASE("backtest: releases are found in what kube-state-metrics leaves", "[proof][backtest]") {
  ReleaseSearch search{"shop",
                       "checkout",
                       "",
                       FromUnixMillis(kStart),
                       FromUnixMillis(kStart) + std::chrono::hours(24),
                       std::chrono::hours(1)};
  auto set = [](const char* name, double at) {
    return promql::Sample{promql::Labels::FromPairs({{"replicaset", name}}), 0,
                          kStart / 1000.0 + at};
  };
  auto found = FindReleases(
      search, 0,
      promql::Vector{set("checkout-b", 7200), set("checkout-a", -3600), set("checkout-c", 9000)});
  REQUIRE(found.size() == 2);
  CHECK(found[0].id == "checkout-b");
  CHECK(found[0].candidate_pods == "checkout-b-.*");
  CHECK(found[0].stable_pods == "checkout-a-.*");
  CHECK(found[0].end - found[0].start == std::chrono::minutes(30));  // the next one begins
  CHECK(found[1].end - found[1].start == std::chrono::hours(1));
  CHECK(FindReleases(search, 0, promql::Vector{}).empty());

  auto revisions = FindReleases(search, 1, promql::Vector{set("", 0), set("", 7200)});
  REQUIRE(revisions.size() == 1);  // the first was there when the search began
  CHECK(revisions[0].start == FromUnixMillis(kStart) + std::chrono::hours(2));

  promql::Series generation;
  for (int i = 0; i < 10; ++i)
    generation.points.push_back({kStart + i * 60'000, i < 4 ? 7.0 : i < 6 ? 8.0 : 9.0});
  auto changes = FindReleases(search, 2, promql::Matrix{generation});
  REQUIRE(changes.size() == 2);
  CHECK(ToUnixMillis(changes[0].start) == kStart + 240'000);
  CHECK(changes[0].candidate_pods == "checkout-.*");

  for (const ReleaseQuery& query : ReleaseQueries(search)) {
    INFO(query.query);
    CHECK(promql::ParseQuery(query.query).ok());
  }
  CHECK(QuietReleases(search).size() == 24);
  CHECK(QuietReleases(search)[3].label == PastRelease::Label::kGood);
}

TEST_CASE("backtest: every selector is fetched as far as its questions look", "[proof][backtest]") {
  spec::Library library = Rules(R"(groups:
  - name: g
    rules:
      - rollback: A
        expr: sum(rate(a_total{pod=~"$candidate_pods"}[10m] offset 1h)) > 1
      - rollback: B
        expr: max_over_time((b{namespace="$namespace"} offset -5m)[30m:1m]) > 1
      - rollback: C
        compare: {proportion: {bad: 'sum(increase(c{pod=~"$pods"}[$window]))', total: 'sum(increase(d{pod=~"$pods"}[$window]))'}}
)");
  PastRelease release = Release("x", Duration(0), PastRelease::Label::kUnknown);
  release.stable_pods = "old-.*";
  std::vector<std::string> problems;
  std::string out;
  for (const SamplePiece& piece :
       PlanSamples(library, nullptr, {release}, std::chrono::hours(10), problems)) {
    out += StrCat(piece.selector, " ", FormatGoDuration(piece.from - FromUnixMillis(kStart)), " ",
                  FormatGoDuration(piece.to - FromUnixMillis(kStart)), " ", piece.presence.count(),
                  " ", RawQuery(piece).query, "\n");
  }
  CHECK(problems.empty());
  CHECK(out ==
        "a_total{pod=~\"checkout-x-.*\"} -1h15m0s 30m0s 0 a_total{pod=~\"checkout-x-.*\"}[1h45m]\n"
        "b{namespace=\"shop\"} -36m0s 35m0s 15000 b{namespace=\"shop\"}[1h16m]\n"
        "c{pod=~\"checkout-x-.*\"} -6m0s 30m0s 0 c{pod=~\"checkout-x-.*\"}[36m]\n"
        "c{pod=~\"old-.*\"} -6m0s 30m0s 0 c{pod=~\"old-.*\"}[36m]\n"
        "d{pod=~\"checkout-x-.*\"} -6m0s 30m0s 0 d{pod=~\"checkout-x-.*\"}[36m]\n"
        "d{pod=~\"old-.*\"} -6m0s 30m0s 0 d{pod=~\"old-.*\"}[36m]\n");
  CHECK(PlanSamples(library, nullptr, {release}, std::chrono::minutes(30), problems).size() == 15);

  spec::Library lost = Rules(
      "groups: [{name: g, rules: [{rollback: A, expr: 'a{v=\"$revision\", z=\"$zone\"} > 1'}]}]\n");
  CHECK(PlanSamples(lost, nullptr, {release}, std::chrono::hours(1), problems).empty());
  CHECK(problems ==
        std::vector<std::string>{"the rule \"A\" needs $revision, which the past does not tell"});
}

TEST_CASE("backtest: a series ends where the server saw it end", "[proof][backtest]") {
  promql::Series raw;
  raw.labels = promql::Labels::FromPairs({{"__name__", "up"}, {"pod", "a"}});
  for (int i = 0; i <= 10; ++i) raw.points.push_back({kStart + i * 10'000, 1});
  promql::Series seen = raw;
  seen.points.clear();
  for (int i = 0; i <= 7; ++i) seen.points.push_back({kStart + i * 15'000, 1});
  SamplePiece piece{"up", FromUnixMillis(kStart), FromUnixMillis(kStart + 600'000),
                    std::chrono::seconds(15)};
  SampleBag bag;
  promql::Value presence = promql::Matrix{seen};
  REQUIRE(bag.Add(piece, promql::Matrix{raw}, &presence).ok());
  REQUIRE(bag.Add(piece, promql::Matrix{raw}, nullptr).ok());  // the same once more
  CHECK_FALSE(bag.Add(piece, promql::Scalar{}, nullptr).ok());
  promql::MemoryStore store = bag.Take();
  CHECK(store.sample_count() == 12);
  promql::Engine engine(store);
  auto count = [&](int64_t after) {
    auto value = engine.Instant(*promql::ParseQuery("up"), FromUnixMillis(kStart + after * 1000));
    return std::get<promql::Vector>(*value).size();
  };
  CHECK(count(105) == 1);
  CHECK(count(120) == 0);
  CHECK(count(135) == 0);
}

TEST_CASE("backtest: what would have happened, and how good the rules are", "[proof][backtest]") {
  using std::chrono::minutes;
  promql::MemoryStore store;
  Serve(store, "checkout-bad-1", 0.05, minutes(10), minutes(120));
  Serve(store, "checkout-good-1", 0.001, minutes(0), minutes(120));
  Serve(store, "checkout-blip-1", 0.5, minutes(10), minutes(30));
  Serve(store, "checkout-slow-1", 0.009, minutes(0), minutes(120));
  spec::Library library = Rules();
  BacktestRules rules{&library, nullptr};
  std::vector<BacktestVerdict> verdicts;
  verdicts.push_back(
      TryRelease(rules, Release("bad", Duration(0), PastRelease::Label::kBad), store));
  verdicts.push_back(
      TryRelease(rules, Release("good", Duration(0), PastRelease::Label::kGood), store));
  verdicts.push_back(
      TryRelease(rules, Release("blip", Duration(0), PastRelease::Label::kGood), store));
  verdicts.push_back(
      TryRelease(rules, Release("slow", Duration(0), PastRelease::Label::kBad), store));
  verdicts.push_back(
      TryRelease(rules, Release("nobody", Duration(0), PastRelease::Label::kUnknown), store));

  CHECK(verdicts[0].outcome == BacktestVerdict::Outcome::kRolledBack);
  CHECK(verdicts[0].rule == "HighErrorRate");
  REQUIRE(verdicts[0].at.has_value());
  CHECK(*verdicts[0].at - verdicts[0].release.start >= minutes(15));
  CHECK(*verdicts[0].at - verdicts[0].release.start < minutes(17));
  CHECK(verdicts[1].outcome == BacktestVerdict::Outcome::kPassed);
  CHECK(verdicts[1].looks >= 118);
  CHECK(verdicts[4].problem.find("no rule saw any data") != std::string::npos);

  BacktestSummary summary = Summarize(verdicts);
  CHECK(summary.rolled_back == 2);
  CHECK(summary.true_positives == 1);
  CHECK(summary.false_positives == 1);
  CHECK(summary.false_negatives == 1);
  CHECK(summary.precision == 0.5);
  CHECK(summary.recall == 0.5);

  Json json = ToJson(verdicts);
  const Json& bad = json.At("releases").At(size_t{0});
  CHECK(bad.At("outcome").Str() == "rolled_back");
  CHECK(bad.At("rule").Str() == "HighErrorRate");
  CHECK(bad.At("at").DoubleOr(0) - bad.At("after").DoubleOr(0) == Approx(kStart / 1000.0));
  CHECK(json.At("releases").At(size_t{1}).At("at").is_null());
  CHECK(json.At("summary", "falseNegatives").IntOr(-1) == 1);

  std::string text = BacktestText(verdicts);
  INFO(text);
  CHECK(text.find("[bad: found]") != std::string::npos);
  CHECK(text.find("[good: FALSE ALARM]") != std::string::npos);
  CHECK(text.find("[bad: MISSED]") != std::string::npos);
  CHECK(text.find("cannot be judged: no rule saw any data") != std::string::npos);
  CHECK(text.find("5 releases: 2 rolled back, 1 held, 2 passed") != std::string::npos);
  CHECK(text.find("precision 0.50, recall 0.50, false alarms 1 of 2 good") != std::string::npos);
  CHECK(BacktestPlot(verdicts[0], 60).find("HighErrorRate") != std::string::npos);
  CHECK(BacktestPlot(verdicts[4], 60).empty());

  std::string page = BacktestHtml(verdicts, "Backtest of <errors>");
  CHECK(page.find("Backtest of &lt;errors&gt;") != std::string::npos);
  CHECK(page.find("<svg") != std::string::npos);
  for (const char* foreign : {"http://", "https://", "<script", "src=", "@import", "url("}) {
    INFO(foreign);
    CHECK(page.find(foreign) == std::string::npos);
  }
}

TEST_CASE("backtest: a guard's rules, variables and noData count", "[proof][backtest]") {
  spec::Library library = Rules();
  Diagnostics problems;
  spec::Library own;
  spec::LoadText("guard.yaml", R"(apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: checkout, namespace: shop}
spec:
  target: {apiVersion: apps/v1, kind: StatefulSet, name: checkout}
  strategy: {rolling: {}}
  noData: pass
  rollback: {rules: [errors], onTrigger: approval}
)",
                 own, problems);
  REQUIRE_FALSE(problems.has_errors());
  promql::MemoryStore store;
  Serve(store, "checkout-bad-1", 0.05, Duration(0), std::chrono::minutes(120));
  BacktestVerdict verdict = TryRelease(
      {&library, &own.guards[0]}, Release("bad", Duration(0), PastRelease::Label::kBad), store);
  INFO(verdict.problem);
  CHECK(verdict.outcome == BacktestVerdict::Outcome::kRolledBack);
  verdict = TryRelease({&library, &own.guards[0]},
                       Release("nobody", Duration(0), PastRelease::Label::kGood), store);
  CHECK(verdict.outcome == BacktestVerdict::Outcome::kPassed);
}

TEST_CASE("backtest: pods of a quiet time are told apart in turn", "[proof][backtest]") {
  promql::MemoryStore store;
  for (const char* pod : {"checkout-1", "checkout-2", "checkout-3"})
    Serve(store, pod, 0, Duration(0), Duration(0));
  std::vector<PastRelease> releases(2, Release("q", Duration(0), PastRelease::Label::kGood));
  for (PastRelease& release : releases)
    release.candidate_pods = release.stable_pods = "checkout-.*";
  SpreadPods(store, releases);
  CHECK(releases[0].candidate_pods == "checkout-1");
  CHECK(releases[0].stable_pods == "checkout-2|checkout-3");
  CHECK(releases[1].candidate_pods == "checkout-2");
}

}  // namespace rollguard::proof
