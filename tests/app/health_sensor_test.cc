// SPDX-License-Identifier: Apache-2.0
// The sensor under virtual time with a scripted prober: beats, windows, what reaches the engine.
#include "agent/app/health_sensor.h"

#include <algorithm>
#include <map>

#include "agent/base/text.h"
#include "agent/proof/rehearsal.h"
#include "agent/sim/scheduler.h"
#include "agent/spec/load.h"
#include "tests/support/catch.h"

namespace rollguard::app {
namespace {

using Reading = HealthReading;

// Answers by the URL's host, after 10 ms; "hangs" never answers.
class ScriptedProber final : public Prober {
 public:
  explicit ScriptedProber(sim::Scheduler& scheduler) : scheduler_(scheduler) {}
  ProbeId Probe(ProbeRequest request, ProbeDone done) override {
    const std::string url = std::get<HttpProbe>(request.what).url;
    asked.push_back({scheduler_.Now(), url});
    ProbeId id = ++last_;
    auto found = moods.find(url);
    const std::string mood = found == moods.end() ? "well" : found->second;
    if (mood == "hangs") return id;
    ProbeAnswer answer = mood == "well" ? ProbeAnswer::Pass(Duration(10), "answered 200")
                         : mood == "unable"
                             ? ProbeAnswer::Unknown("no such pattern")
                             : ProbeAnswer::Fail(ProbeFault::kServer, Duration(10), mood);
    timers_[id] =
        scheduler_.After(Duration(10), [done = std::move(done), answer] { done(answer); });
    return id;
  }
  void Cancel(ProbeId id) override {
    ++cancelled;
    if (timers_.contains(id)) scheduler_.CancelTimer(timers_[id]);
  }
  size_t Count(const std::string& url) const {
    return static_cast<size_t>(
        std::count_if(asked.begin(), asked.end(), [&](const auto& a) { return a.second == url; }));
  }

  std::vector<std::pair<Time, std::string>> asked;
  std::map<std::string, std::string> moods;  // url -> well, hangs, unable, or what is wrong
  int cancelled = 0;

 private:
  sim::Scheduler& scheduler_;
  ProbeId last_ = 0;
  std::map<ProbeId, TimerId> timers_;
};

class OneNumberSource final : public MetricsSource {
 public:
  explicit OneNumberSource(sim::Scheduler& scheduler) : scheduler_(scheduler) {}
  void Query(MetricQuery, MetricDone) override { FAIL("questions come in rounds"); }
  void Ask(Round round) override {
    rounds.push_back(round.size());
    for (auto& [query, done] : round) {
      queries.push_back(query.query);
      scheduler_.After(Duration(5), [answer = answer, done = std::move(done)] { done(answer); });
    }
  }
  void Say(double value) {
    promql::Vector vector;
    promql::Sample sample;
    sample.v = value;
    vector.push_back(sample);
    answer = MetricAnswer{.value = promql::Value(vector)};
  }
  void SayNothing() { answer = MetricAnswer{.value = promql::Value(promql::Vector())}; }

  Expected<MetricAnswer> answer = Error(ErrorCode::kUnavailable, "connection refused");
  std::vector<size_t> rounds;
  std::vector<std::string> queries;

 private:
  sim::Scheduler& scheduler_;
};

struct Fixture {
  explicit Fixture(const std::string& checks, const std::string& more = "")
      : sources(scheduler), prober(scheduler), metrics(scheduler) {
    Diagnostics problems;
    spec::Library library;
    std::string yaml = StrCat(
        "apiVersion: rollguard.dev/v1alpha1\nkind: Guard\n"
        "metadata: {name: checkout, namespace: shop}\n"
        "spec:\n  target: {kind: Deployment, name: checkout}\n  strategy: {rolling: {}}\n"
        "  health:\n",
        more, "    checks:\n", checks);
    spec::LoadText("guard.yaml", yaml, library, problems);
    for (const auto& problem : problems.Sorted()) INFO(problem.message);
    REQUIRE_FALSE(problems.has_errors());
    auto resolved = spec::Resolve(library.guards.at(0), library, problems);
    REQUIRE(resolved.has_value());
    guard = *resolved;
    tracks.stable_service = "checkout";
    tracks.candidate_service = "checkout-next";
    sources.Add("main", &metrics);
    Restart();
  }

  void Restart() {
    sensor.reset();
    sensor = std::make_unique<HealthSensor>(
        HealthPorts{.timers = &scheduler,
                    .clock = &scheduler,
                    .sources = &sources,
                    .prober = &prober,
                    .cluster = nullptr,
                    .firing = [this](const auto&, auto since) -> std::optional<alerts::Alert> {
                      if (alert && (!since || alert->starts_at >= *since)) return alert;
                      return std::nullopt;
                    },
                    .alerts_trouble = [this] { return trouble; },
                    .seed = 7});
  }

  void StartRelease(const std::string& id = "r1") {
    state.phase = release::Phase::kProgressing;
    state.release.emplace();
    state.release->id = id;
    state.release->candidate = "new";
    state.release->stable = "old";
    state.release->started = scheduler.Now();
    observation.target.revisions.clear();
    for (const auto& [revision, hash] : {std::pair("old", "h1"), std::pair("new", "h2")}) {
      release::RevisionView& view = observation.target.revisions.emplace_back();
      view.revision = revision;
      view.pod_hash = hash;
    }
    Follow();
  }
  void Follow() { sensor->Follow({guard, state, observation, tracks}); }
  release::Observation Seen() {
    release::Observation seen;
    sensor->Contribute(guard, state, seen);
    return seen;
  }
  void Run(Duration time) { scheduler.RunFor(time); }
  Reading Of(const std::string& check, bool candidate) {
    for (const Reading& reading : sensor->Readings("shop/checkout")) {
      if (reading.check == check && reading.candidate == candidate) return reading;
    }
    FAIL("no reading of " << check);
    return {};
  }

  sim::Scheduler scheduler;
  MetricsSources sources;
  ScriptedProber prober;
  OneNumberSource metrics;
  spec::Guard guard;
  release::GuardState state;
  release::Observation observation;
  routing::Tracks tracks;
  std::optional<alerts::Alert> alert;
  std::string trouble;
  std::unique_ptr<HealthSensor> sensor;
};

const std::string kStable = "http://checkout/", kCandidate = "http://checkout-next/";
const std::string kHttp =
    "      - {name: web, critical: true, http: {url: 'http://${service}/'}}\n";
constexpr auto kMinute = std::chrono::minutes(1);

TEST_CASE("both tracks are asked at their interval, spread by jitter") {
  Fixture f(kHttp);
  f.Run(kMinute);
  CHECK(f.prober.asked.empty());  // nothing is released
  f.StartRelease();
  release::Observation before = f.Seen();
  CHECK_FALSE(before.health.score.has_value());
  CHECK(f.Of("web", true).verdict == Reading::Verdict::kUnknown);
  f.Run(10 * kMinute);
  for (const std::string& url : {kStable, kCandidate}) {
    CHECK(f.prober.Count(url) >= 57);
    CHECK(f.prober.Count(url) <= 64);
  }
  release::Observation seen = f.Seen();
  REQUIRE(seen.health.score.has_value());
  CHECK(*seen.health.score == 1);
  CHECK(*seen.stable_health.score == 1);
  CHECK_FALSE(seen.health.critical_failing);
  CHECK(f.Of("web", true).verdict == Reading::Verdict::kPassing);
  CHECK(f.sensor->Health("shop/checkout", true).scores == std::vector<double>(6, 1.0));
}

TEST_CASE("a critical check that fails is heard at once, and its score falls") {
  Fixture f(kHttp + "      - {name: plain, http: {url: 'http://${service}/plain'}}\n");
  f.StartRelease();
  f.Run(2 * kMinute);
  f.prober.moods[kCandidate] = "answered 503, expected 2xx: \"no database\"";
  f.Run(2 * kMinute);
  release::Observation seen = f.Seen();
  CHECK(seen.health.critical_failing);
  CHECK(seen.health.reason.starts_with("critical health check web: 100% of "));
  CHECK(seen.health.reason.ends_with("answered 503, expected 2xx: \"no database\""));
  CHECK(*seen.health.score == 0.5);
  CHECK(*seen.stable_health.score == 1);
  CHECK(f.sensor->Health("shop/checkout", true).health == analysis::Health::kUnhealthy);
  f.prober.moods.clear();
  f.Run(2 * kMinute);
  CHECK_FALSE(f.Seen().health.critical_failing);
}

TEST_CASE(
    "what stable fails as well when the candidate is first asked is not the candidate's doing") {
  Fixture f(kHttp, "    restInterval: 30s\n");
  f.prober.moods[kStable] = f.prober.moods[kCandidate] = "answered 503";
  f.Follow();
  f.Run(5 * kMinute);
  CHECK(f.prober.Count(kCandidate) == 0);
  f.StartRelease();
  f.Run(2 * kMinute);
  release::Observation seen = f.Seen();
  CHECK_FALSE(seen.health.critical_failing);
  CHECK(*seen.health.score == 0);
  CHECK(f.Of("web", true).why.starts_with("stable failed this before the candidate was asked; "));
  // Stable recovers and the candidate does not: now it is.
  f.prober.moods.erase(kStable);
  f.Run(3 * kMinute);
  CHECK(f.Seen().health.critical_failing);
}

TEST_CASE("when both begin to fail after the release began, it counts") {
  Fixture f(kHttp);
  f.StartRelease();
  f.Run(2 * kMinute);
  f.prober.moods[kStable] = f.prober.moods[kCandidate] = "answered 503";
  f.Run(2 * kMinute);
  CHECK(f.Seen().health.critical_failing);
}

TEST_CASE("at rest stable alone is asked, more slowly, and known when a release begins") {
  Fixture f(kHttp, "    restInterval: 1m\n");
  f.Follow();
  f.Run(10 * kMinute);
  CHECK(f.prober.Count(kStable) >= 9);
  CHECK(f.prober.Count(kStable) <= 12);
  CHECK(*f.Seen().stable_health.score == 1);
  CHECK_FALSE(f.Seen().health.score.has_value());
  f.StartRelease();
  CHECK(f.Of("web", false).verdict == Reading::Verdict::kPassing);
  CHECK(f.Of("web", true).verdict == Reading::Verdict::kUnknown);
}

TEST_CASE("no answer is no score, and what cannot be asked holds") {
  Fixture f(kHttp + "      - {name: slow, http: {url: 'http://slow/'}}\n");
  f.prober.moods["http://slow/"] = "hangs";
  f.prober.moods[kCandidate] = "unable";
  f.StartRelease();
  f.Run(2 * kMinute);
  release::Observation seen = f.Seen();
  CHECK_FALSE(seen.health.score.has_value());
  CHECK_FALSE(seen.health.critical_failing);
  REQUIRE(seen.signals.size() == 1);
  CHECK(seen.signals[0].state == release::Signal::State::kNoData);
  CHECK(seen.signals[0].name == "health check web");
  CHECK(seen.signals[0].reason == "it cannot be asked: no such pattern");
  CHECK(f.prober.Count("http://slow/") == 2);  // one for each track: the turn is not over
  f.prober.moods[kCandidate] = "well";
  f.Run(kMinute);
  CHECK(f.Seen().signals.empty());
}

TEST_CASE("a guard that goes, and a sensor that goes, leave nothing behind") {
  Fixture f(kHttp);
  f.prober.moods[kCandidate] = "hangs";
  f.StartRelease();
  f.Run(kMinute);
  f.sensor->Forget("shop/checkout");
  CHECK(f.prober.cancelled > 0);
  size_t asked = f.prober.asked.size();
  f.Run(kMinute);
  CHECK(f.prober.asked.size() == asked);
  CHECK(f.sensor->Readings("shop/checkout").empty());
  f.StartRelease();
  f.sensor.reset();
  f.Run(kMinute);
  CHECK(f.prober.asked.size() == asked);
}

TEST_CASE("another release begins anew; the end of one ends the asking") {
  Fixture f(kHttp);
  f.StartRelease("r1");
  f.prober.moods[kCandidate] = "answered 500";
  f.Run(2 * kMinute);
  CHECK(f.Seen().health.critical_failing);
  f.StartRelease("r2");
  CHECK_FALSE(f.Seen().health.critical_failing);
  CHECK_FALSE(f.Seen().health.score.has_value());
  f.state.release.reset();
  f.Follow();
  size_t asked = f.prober.asked.size();
  f.Run(kMinute);
  CHECK(f.prober.asked.size() == asked);
}

TEST_CASE("queries: bounds, no data, trouble, and one round for all that is due") {
  Fixture f(
      "      - {name: queue, promql: {query: 'sum(queue_length{pod=~\"$pods\"})', max: 100}}\n"
      "      - {name: orders, promql: {query: "
      "'sum(rate(orders_total{namespace=\"$namespace\"}[1m]))', "
      "min: 1, noData: fail}}\n");
  f.metrics.Say(50);
  f.StartRelease();
  f.Run(kMinute);
  REQUIRE_FALSE(f.metrics.rounds.empty());
  for (size_t size : f.metrics.rounds) CHECK(size == 4);  // two checks of two tracks
  CHECK(f.metrics.queries[0] == "sum(queue_length{pod=~\"checkout-h2-.*\"})");
  CHECK(f.Of("queue", true).verdict == Reading::Verdict::kPassing);
  CHECK(f.Of("queue", true).why == "the value is 50");
  f.metrics.Say(120);
  f.Run(kMinute);
  CHECK(f.Of("queue", true).verdict == Reading::Verdict::kFailing);
  CHECK(f.Of("queue", true).why == "the value is 120, allowed are at most 100");
  CHECK(*f.Seen().health.score == 0.5);
  f.metrics.SayNothing();
  f.Run(5 * kMinute);
  CHECK(f.Of("queue", true).verdict == Reading::Verdict::kUnknown);
  CHECK(f.Of("orders", true).verdict == Reading::Verdict::kFailing);
  REQUIRE(f.Seen().signals.size() == 1);
  CHECK(f.Seen().signals[0].reason == "the query has no data");
  f.metrics.answer = Error(ErrorCode::kUnavailable, "connection refused");
  f.Run(5 * kMinute);
  CHECK(f.Of("orders", true).verdict == Reading::Verdict::kUnknown);
  CHECK(f.Seen().signals.size() == 2);
  CHECK_FALSE(f.Seen().health.score.has_value());
  CHECK_FALSE(f.sources.Trouble("main").empty());
}

TEST_CASE("alerts: what fired before the release says nothing against its candidate") {
  Fixture f("      - {name: quiet, critical: true, alertmanager: {matchers: ['team=\"shop\"']}}\n");
  f.alert.emplace();
  f.alert->labels = {{"alertname", "DiskFull"}};
  f.alert->starts_at = f.scheduler.Now();
  f.Run(kMinute);
  f.StartRelease();
  f.Run(kMinute);
  CHECK(f.Of("quiet", false).verdict == Reading::Verdict::kFailing);
  CHECK(f.Of("quiet", true).why ==
        "no matching alert since the release began (DiskFull was firing before)");
  CHECK_FALSE(f.Seen().health.critical_failing);
  f.alert->labels = {{"alertname", "OrdersDropped"}};
  f.alert->starts_at = f.scheduler.Now();
  f.Run(kMinute);
  CHECK(f.Of("quiet", true).why.starts_with("alert OrdersDropped is firing since "));
  f.trouble = "the Watchdog is missing";
  f.Run(5 * kMinute);
  CHECK(f.Of("quiet", true).verdict == Reading::Verdict::kUnknown);
  CHECK(f.Seen().signals.size() == 1);
}

// The whole agent in a simulated cluster: pods that answer as their revision does.
TEST_CASE("health takes a bad version back in a rehearsal and lets a good one through") {
  const char* guard = R"(
apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: checkout, namespace: shop}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: checkout}
  strategy:
    canary:
      stableService: checkout
      routing: [{istio: {virtualService: checkout, routes: [primary], destinationRule: {name: checkout}}}]
      steps:
        - setWeight: 10
        - health: {minScore: 0.9, for: 1m}
        - setWeight: 50
        - pause: {duration: 1m}
  health:
    checks:
      - {name: pods, critical: true, pods: {maxRestarts: 1}}
      - {name: ready, critical: true, minSuccessRate: 0.8, http: {port: http, path: /ready}}
      - name: walk
        journey:
          variables: {base: 'http://${service}.${namespace}'}
          steps: [{name: home, url: '${base}/'}, {name: cart, url: '${base}/cart'}]
)";
  struct Row {
    const char* name;
    const char* behaviour;
    const char* pods;  // from 150 s on
    const char* want;
    const char* reason;
  };
  const Row rows[] = {
      {"good", "{errorRatio: 0}", "", "promoted", ""},
      {"errors", "{errorRatio: 0.6}", "", "rolled_back", "critical health check ready: "},
      {"crashes after a while", "{errorRatio: 0}", "crashloop", "rolled_back", ""},
  };
  for (const Row& row : rows) {
    Diagnostics problems;
    spec::Library library;
    spec::LoadText("guard.yaml", guard, library, problems);
    REQUIRE_FALSE(problems.has_errors());
    auto resolved = spec::Resolve(library.guards.at(0), library, problems);
    REQUIRE(resolved.has_value());
    std::string text = StrCat("name: ", row.name,
                              "\nservice: {replicas: 4, requestsPerSecond: 50}\nstable: v1\n"
                              "revisions:\n  - {name: v1, behaviour: {errorRatio: 0}}\n"
                              "  - {name: v2, behaviour: ",
                              row.behaviour, "}\nevents:\n  - {at: 1m, release: v2}\n");
    if (*row.pods != 0)
      text += StrCat("  - {at: 150s, pod: {revision: v2, fault: ", row.pods, "}}\n");
    text += StrCat("duration: 1h\nexpect: ", row.want, "\n");
    proof::Scenario scenario = proof::ParseScenario("scenario.yaml", text, problems);
    for (const auto& problem : problems.Sorted()) INFO(problem.message);
    REQUIRE_FALSE(problems.has_errors());
    auto play = proof::PlayScenario(*resolved, library, scenario, 3);
    REQUIRE(play.ok());
    INFO(row.name << "\n" << proof::TimelineText(*play));
    CHECK(std::string(proof::ToString(play->outcome)) == row.want);
    CHECK(play->reason.find(row.reason) != std::string::npos);
  }
}

}  // namespace
}  // namespace rollguard::app
