// SPDX-License-Identifier: Apache-2.0
// Alertmanager asked, over a fake of its API: what webhooks lost is caught up, what is silenced
// does nothing, what is gone has ended, and a missing Watchdog is said.
#include "agent/app/alert_poller.h"

#include <chrono>
#include <set>

#include "agent/app/read_back.h"
#include "agent/base/text.h"
#include "tests/app/sim_rig.h"
#include "tests/support/catch.h"

namespace rollguard::app {
namespace {

using namespace std::chrono_literals;
using release::Phase;
using release::Verdict;
using rollguard::testing::CanaryYaml;
using rollguard::testing::SimRig;

// Two members, each with the alerts it knows.
class FakePair : public HttpClient {
 public:
  explicit FakePair(sim::Scheduler& scheduler) : scheduler_(scheduler) {}

  HttpId Send(HttpRequest request, HttpDone done) override {
    urls.push_back(request.url);
    headers = request.headers;
    size_t member = request.url.starts_with("http://am-0") ? 0 : 1;
    HttpId id = ++last_;
    timers_[id] = scheduler_.After(5ms, [this, id, member, done = std::move(done)] {
      timers_.erase(id);
      if (down.contains(member)) {
        done(Error(ErrorCode::kUnavailable, "GET http://am: connection refused"));
        return;
      }
      HttpResponse response;
      response.status = status;
      response.body = garbage.empty() ? Body(member) : garbage;
      done(std::move(response));
    });
    return id;
  }
  HttpId Stream(HttpRequest, HttpStream) override { return 0; }
  void Cancel(HttpId id) override {
    auto found = timers_.extract(id);
    if (!found.empty()) scheduler_.CancelTimer(found.mapped());
  }

  struct Known {
    alerts::Alert alert;
    std::string state = "active";
  };
  std::vector<Known> known[2];
  std::set<size_t> down;
  std::string garbage;
  int status = 200;
  std::vector<std::string> urls;
  HttpHeaders headers;

 private:
  std::string Body(size_t member) const {
    Json list = Json::Arr();
    for (const Known& one : known[member]) {
      Json alert = alerts::ToJson(one.alert);
      alert.Set("endsAt", "2099-01-01T00:00:00Z");
      alert.Set("updatedAt", FormatRfc3339(scheduler_.Now()));
      alert.Set("receivers", Json::Arr());
      Json by = Json::Arr();
      alert.Set("status",
                Json::Obj({{"state", one.state}, {"silencedBy", by}, {"inhibitedBy", by}}));
      list.Push(std::move(alert));
    }
    return list.Dump();
  }

  sim::Scheduler& scheduler_;
  std::map<HttpId, TimerId> timers_;
  HttpId last_ = 0;
};

struct Scene {
  SimRig rig;
  FakePair pair;
  std::unique_ptr<AlertPoller> poller;

  Scene() : rig({CanaryYaml("checkout")}), pair(rig.scheduler()) { StartPoller(); }

  void StartPoller() {
    AlertPollerOptions options;
    for (const char* name : {"am-0", "am-1"}) {
      spec::AlertmanagerConfig config;
      config.name = name;
      config.endpoint.url = StrCat("http://", name, ":9093/");
      config.endpoint.auth.bearer_token_file = "/token";
      config.interval = 30s;
      spec::Matcher matcher{"alertname", spec::Matcher::Op::kEqual, "Watchdog"};
      config.watchdog = spec::WatchdogConfig{{matcher}, 5min};
      options.members.push_back(std::move(config));
    }
    options.read_secret = [](const std::string& path) {
      CHECK(path == "/token");
      return Expected<std::string>(std::string("s3cret"));
    };
    poller = std::make_unique<AlertPoller>(pair, rig.scheduler(), rig.scheduler(),
                                           rig.agent->alerts(), &rig.history, std::move(options));
    poller->Start();
  }

  void Both(const alerts::Alert& alert, const std::string& state = "active") {
    pair.known[0].push_back({alert, state});
    pair.known[1].push_back({alert, state});
  }
  void Release() {
    rig.Release("checkout", "v2");
    REQUIRE(rig.RunToTraffic("checkout", 20, 5min));
  }
};

}  // namespace

TEST_CASE("an alert whose webhook was lost takes the release back all the same", "[app]") {
  Scene s;
  s.Release();
  s.Both(s.rig.Firing("TooManyErrors", "checkout", s.rig.scheduler().Now()));
  REQUIRE(s.rig.RunToPhase("checkout", Phase::kRollingBack, 40s));
  CHECK(s.rig.Count(Verdict::kRollBack) == 1);
  auto stored = s.rig.history.Find({.kind = "alert", .limit = 10});
  REQUIRE(stored->size() == 1);
  CHECK(stored->at(0).record.actor == "alertmanager (asked)");
  CHECK(s.pair.urls[0] ==
        "http://am-0:9093/api/v2/alerts?active=true&silenced=true&inhibited=true");
  bool proves = false;
  for (const auto& [name, value] : s.pair.headers)
    proves = proves || (name == "Authorization" && value == "Bearer s3cret");
  CHECK(proves);
  s.rig.CheckReplays();
}

TEST_CASE("what is silenced, inhibited or not yet looked at does nothing", "[app]") {
  for (const char* state : {"suppressed", "unprocessed"}) {
    INFO(state);
    Scene s;
    s.Release();
    s.Both(s.rig.Firing("TooManyErrors", "checkout", s.rig.scheduler().Now()), state);
    REQUIRE(s.rig.RunToEnd("checkout", 30min));
    CHECK(s.rig.Count(Verdict::kRollBack) == 0);
    CHECK(s.rig.Guard("checkout").state.last->outcome == "promoted");
  }
}

TEST_CASE("a silence that one member knows of counts for the pair", "[app]") {
  Scene s;
  s.Release();
  alerts::Alert alert = s.rig.Firing("TooManyErrors", "checkout", s.rig.scheduler().Now());
  s.pair.known[0].push_back({alert, "suppressed"});
  s.pair.known[1].push_back({alert, "active"});
  REQUIRE(s.rig.RunToEnd("checkout", 30min));
  CHECK(s.rig.Count(Verdict::kRollBack) == 0);
}

TEST_CASE("one member of the pair is enough", "[app]") {
  Scene s;
  s.pair.down = {0};
  s.Release();
  s.pair.known[1].push_back(
      {s.rig.Firing("TooManyErrors", "checkout", s.rig.scheduler().Now()), "active"});
  REQUIRE(s.rig.RunToPhase("checkout", Phase::kRollingBack, 40s));
  auto members = s.poller->Members();
  CHECK(members[0].problem.find("connection refused") != std::string::npos);
  CHECK(members[1].problem.empty());
  CHECK(members[1].firing == 1);
}

TEST_CASE("an alert that is gone has ended, but not because a member started anew", "[app]") {
  Scene s;
  alerts::Alert alert = s.rig.Firing("Old", "checkout", s.rig.scheduler().Now());
  s.Both(alert);
  s.rig.scheduler().RunFor(1min);
  CHECK(s.rig.agent->alerts().firing() == 1);
  s.pair.known[0].clear();
  s.pair.known[1].clear();
  s.rig.scheduler().RunFor(90s);  // both have just started: they know nothing yet
  CHECK(s.rig.agent->alerts().firing() == 1);
  s.Both(alert);
  s.rig.scheduler().RunFor(5min);
  CHECK(s.rig.agent->alerts().firing() == 1);
  s.pair.known[0].clear();
  s.pair.known[1].clear();
  s.rig.scheduler().RunFor(4min);
  CHECK(s.rig.agent->alerts().firing() == 0);
}

TEST_CASE("answers that are none change nothing and are told", "[app]") {
  struct Row {
    const char* name;
    int status;
    const char* body;
    const char* want;
  };
  const Row rows[] = {
      {"HTML", 200, "<html>", "no list of alerts"},
      {"an object", 200, "{}", "no list of alerts"},
      {"an alert without labels", 200, R"([{"status":{"state":"active"}}])", "no list of alerts"},
      {"an error", 503, "starting", "answered 503: starting"},
  };
  Scene s;
  alerts::Alert alert = s.rig.Firing("Old", "checkout", s.rig.scheduler().Now());
  s.Both(alert);
  s.rig.scheduler().RunFor(1min);
  for (const Row& row : rows) {
    INFO(row.name);
    s.pair.garbage = row.body;
    s.pair.status = row.status;
    s.rig.scheduler().RunFor(1min);
    CHECK(s.poller->Members()[0].problem.find(row.want) != std::string::npos);
    CHECK(s.rig.agent->alerts().firing() == 1);
  }
}

TEST_CASE("a missing Watchdog is blindness, one that shines is not", "[app]") {
  Scene s;
  alerts::Alert watchdog = s.rig.Firing("Watchdog", "none", s.rig.scheduler().Now());
  s.pair.known[1].push_back({watchdog, "suppressed"});
  s.rig.scheduler().RunFor(20min);
  CHECK(s.poller->Blind().empty());
  s.pair.known[1].clear();
  s.rig.scheduler().RunFor(4min);
  CHECK(s.poller->Blind().empty());
  s.rig.scheduler().RunFor(2min);
  CHECK(s.poller->Blind().find("the Watchdog alert has not been seen since") == 0);
  s.pair.known[0].push_back({watchdog, "active"});
  s.rig.scheduler().RunFor(1min);
  CHECK(s.poller->Blind().empty());
  s.pair.down = {0, 1};
  s.rig.scheduler().RunFor(6min);
  CHECK(s.poller->Blind().find("connection refused") != std::string::npos);
}

TEST_CASE("an alert that began while the agent was down is found and acted on once", "[app]") {
  Scene s;
  s.Release();
  s.poller.reset();
  s.rig.KillAgent();
  s.rig.scheduler().RunFor(10s);
  s.Both(s.rig.Firing("TooManyErrors", "checkout", s.rig.scheduler().Now()));
  s.rig.scheduler().RunFor(20s);
  s.rig.StartAgent();
  s.StartPoller();
  REQUIRE(s.rig.RunToPhase("checkout", Phase::kRollingBack, 40s));
  s.rig.scheduler().RunFor(1h);
  CHECK(s.rig.Count(Verdict::kRollBack) == 1);
  s.rig.CheckReplays();
}

// Taken in and durable, then the agent dies before it could act; or right after it began to.
TEST_CASE("an alert taken in before a crash is acted on exactly once", "[app]") {
  for (Duration lived : {Duration(0), Duration(1), Duration(30), Duration(300), Duration(3000)}) {
    INFO("killed after " << lived.count() << " ms");
    SimRig rig({CanaryYaml("checkout")});
    rig.Release("checkout", "v2");
    REQUIRE(rig.RunToTraffic("checkout", 20, 5min));
    alerts::Alert alert = rig.Firing("TooManyErrors", "checkout", rig.scheduler().Now());
    rig.history.Append({.kind = "alert",
                        .id = alert.EventKey(),
                        .at = rig.scheduler().Now(),
                        .actor = "alertmanager",
                        .body = alerts::ToJson(alert)});
    if (lived.count() > 0) {
      rig.agent->alerts().Receive({alert});
      rig.scheduler().RunFor(lived);
    }
    rig.KillAgent();
    rig.scheduler().RunFor(5s);
    auto back = ReadBackFrom(rig.history, rig.scheduler().Now());
    REQUIRE(back.ok());
    CHECK(back->alerts.size() == 1);
    rig.StartAgent();
    rig.agent->recorder().Restore(back->running);
    rig.agent->alerts().Receive(back->alerts);
    REQUIRE(rig.RunUntil(
        [&] {
          auto state = rig.Guard("checkout").state;
          return state.release && state.release->trigger.has_value();
        },
        1min));
    // Alertmanager sends it again, as it does.
    CHECK(rig.agent->alerts().Receive({alert})[0].disposition == alerts::Disposition::kDuplicate);
    rig.scheduler().RunFor(1h);
    auto rows = rig.history.Releases({.limit = 10});
    REQUIRE(rows->size() == 1);
    CHECK(rows->at(0).outcome == "rolled_back");
    size_t rollbacks = 0;
    auto decisions = rig.history.Find({.kind = "decision", .limit = 100});
    for (const StoredRecord& one : *decisions)
      rollbacks += one.record.body.At("verdict").Str() == "rollback" ? 1 : 0;
    CHECK(rollbacks == 1);
    rig.CheckReplays();
  }
}

TEST_CASE("when the first suspect was not the cause the next one is taken", "[app]") {
  SimRig rig({CanaryYaml("cart", "  dependsOn: [payment]\n", "    verify: {for: 2m}\n"),
              CanaryYaml("payment", "", "    verify: {for: 2m}\n")});
  rig.Release("payment", "v2");
  rig.scheduler().RunFor(2s);
  rig.Release("cart", "v2");
  REQUIRE(rig.RunToTraffic("cart", 20, 5min));
  REQUIRE(rig.RunToTraffic("payment", 20, 5min));
  // It names no workload: the guards' matchers speak, and both releases are suspects.
  alerts::Alert alert;
  alert.labels = {{"alertname", "CheckoutDown"}, {"namespace", "shop"}, {"severity", "critical"}};
  alert.fingerprint = alerts::FingerprintOf(alert.labels);
  alert.starts_at = rig.scheduler().Now();
  auto receipt = rig.agent->alerts().Receive({alert})[0];
  REQUIRE(receipt.matches.size() == 2);
  CHECK(receipt.matches[0].guard == "shop/payment");  // cart calls it
  CHECK(receipt.matches[0].disposition == alerts::Disposition::kTrigger);
  CHECK(receipt.matches[0].suspicion.dependency == 1);
  CHECK(receipt.matches[1].disposition == alerts::Disposition::kSuspect);
  Json shown = ToJson(receipt);
  CHECK(shown.At("matches").At(size_t{0}).At("suspicion", "dependency").DoubleOr(0) == 1);
  CHECK(shown.At("matches").At(size_t{0}).At("reason").Str().find("dependency 1") !=
        std::string::npos);
  rig.scheduler().RunFor(30s);
  CHECK(rig.Count(Verdict::kRollBack, "payment") == 1);
  CHECK(rig.Count(Verdict::kRollBack, "cart") == 0);
  REQUIRE(rig.RunToEnd("payment", 20min));
  if (rig.Guard("cart").state.release) {
    CHECK(rig.RunUntil([&] { return rig.Count(Verdict::kRollBack, "cart") == 1; }, 1min));
  }
  rig.CheckReplays();
}

}  // namespace rollguard::app
