// SPDX-License-Identifier: Apache-2.0
// From what happens to a guard to what people are told; every end of a release is told once.
#include "agent/app/notifier.h"

#include <set>

#include "agent/base/text.h"
#include "agent/sim/scheduler.h"
#include "tests/app/sim_rig.h"
#include "tests/support/catch.h"

namespace rollguard::app {
namespace {

class Told final : public Notifier {
 public:
  void Send(const Notice& notice) override { notices.push_back(notice); }
  std::vector<DeadLetter> DeadLetters() const override { return {}; }
  std::vector<ChannelHealth> Channels() const override { return {}; }
  Status Retry(const std::string&) override { return {}; }
  Status Discard(const std::string&) override { return {}; }
  std::string Text() const {
    std::string text;
    for (const Notice& n : notices)
      text += StrCat(text.empty() ? "" : " ", n.event, "/", n.release);
    return text;
  }
  std::vector<Notice> notices;
};

struct Fixture {
  Fixture() {
    guard.metadata.name = "checkout";
    guard.metadata.ns = "shop";
    guard.metadata.uid = "u1";
    guard.target = {"apps/v1", "StatefulSet", "checkout-db"};
  }
  void Decide(const std::string& id, const std::string& release) {
    release::Decision decision;
    decision.id = id;
    decision.release = release;
    decision.revision = "rev";
    decision.phase = "Progressing";
    decision.weight = 20;
    decision.reason = "HighErrorRate: 4%";
    decision.actor = "ann";
    decision.signals.emplace_back().name = "HighErrorRate";
    listener.Decided(guard, decision);
  }
  void Tell(const std::string& event, const std::string& decision) {
    listener.Told(guard, {event, spec::RuleSeverity::kCritical, "text of " + event, decision});
  }
  void End(const std::string& release, const std::string& outcome, const std::string& reason = "") {
    release::GuardState before, after;
    before.release.emplace().id = release;
    after.last = release::LastOutcome{release, "rev", outcome, reason, scheduler.Now()};
    listener.Changed(guard, before, after, {});
  }
  void Run() { scheduler.RunFor(std::chrono::minutes(1)); }

  sim::Scheduler scheduler;
  Told told;
  spec::Guard guard;
  NotifyListener listener{told, scheduler, scheduler, "prod-eu"};
};

TEST_CASE("a notice carries what its decision knew") {
  Fixture f;
  f.Decide("d1", "r1");
  f.Tell("rolledBack", "d1");
  REQUIRE(f.told.notices.size() == 1);
  const Notice n = f.told.notices[0];
  CHECK(n.cluster == "prod-eu");
  CHECK(StrCat(n.ns, "/", n.guard, " ", n.workload_kind, " ", n.workload) ==
        "shop/checkout StatefulSet checkout-db");
  CHECK(n.text == "text of rolledBack");
  CHECK(n.release == "r1");
  CHECK(n.weight == 20);
  CHECK(n.actor == "ann");
  CHECK(n.signals == std::vector<std::string>{"HighErrorRate"});
  // Carried out a second time after a failure it is the same notice.
  f.Tell("rolledBack", "d1");
  CHECK(f.told.notices[1].id == n.id);
  f.Decide("d2", "r1");
  f.Tell("rolledBack", "d2");
  CHECK(f.told.notices[2].id != n.id);
}

TEST_CASE("the guard says which channels it wants besides the agent's routes") {
  Fixture f;
  f.guard.notifications = {
      {"team", {}}, {"chatter", {"started", "advanced"}}, {"team", {"started"}}};
  f.Tell("promoted", "");
  f.Tell("started", "");
  f.Tell("drift", "");
  CHECK(f.told.notices[0].channels == std::vector<std::string>{"team"});
  CHECK(f.told.notices[1].channels == std::vector<std::string>{"chatter", "team"});
  CHECK(f.told.notices[2].channels.empty());
}

TEST_CASE("an end that the engine tells is told once, before or after the state says so") {
  Fixture f;
  f.Decide("d1", "r1");
  f.End("r1", "promoted");
  f.Tell("promoted", "d1");
  f.Run();
  f.Decide("d2", "r2");
  f.Tell("rolledBack", "d2");
  f.End("r2", "rolledBack", "HighErrorRate");
  f.Run();
  CHECK(f.told.Text() == "promoted/r1 rolledBack/r2");
}

TEST_CASE("an end that the engine does not tell is told all the same") {
  Fixture f;
  f.End("r1", "superseded");
  f.Run();
  f.End("r2", "failed", "the Service cannot be patched");
  f.Run();
  CHECK(f.told.Text() == "superseded/r1 rollbackFailed/r2");
  CHECK(f.told.notices[0].text == "revision rev gives way to a newer revision");
  CHECK(f.told.notices[1].text == "the Service cannot be patched");
  CHECK(f.told.notices[1].severity == spec::RuleSeverity::kCritical);
  // Looks without an end say nothing.
  release::GuardState running;
  running.release.emplace().id = "r3";
  f.listener.Changed(f.guard, running, running, {});
  f.Run();
  CHECK(f.told.notices.size() == 2);
}

TEST_CASE("a guard that goes takes no untold end with it") {
  Fixture f;
  f.End("r1", "rejected");
  f.listener.Removed("shop/checkout");
  CHECK(f.told.Text() == "rejected/r1");
  f.Run();
  CHECK(f.told.notices.size() == 1);
}

TEST_CASE("the events channel writes on the workload, with a reason of its own") {
  sim::World world;
  auto cluster = world.Connect();
  spec::ChannelConfig config;
  config.name = "events";
  config.kind = spec::EventsChannel{};
  config.text = "{{ $text }} ({{ $revision }})";
  auto channel = MakeEventChannel(*cluster, config, "rollguard-0");
  Notice notice;
  notice.event = "rolledBack";
  notice.severity = spec::RuleSeverity::kCritical;
  notice.text = "rolling back";
  notice.ns = "default";
  notice.workload = "checkout";
  notice.revision = "x7";
  notice.at = world.scheduler().Now();
  int sent = 0;
  auto count = [&](const Status& status) {
    INFO((status ? std::string() : status.error().message));
    CHECK(status.ok());
    ++sent;
  };
  channel->Deliver(notice, count);
  channel->Deliver(notice, count);
  world.scheduler().RunFor(std::chrono::seconds(10));
  CHECK(sent == 2);
  auto events = world.api().List("events.k8s.io", "events", "default");
  REQUIRE(events.size() == 1);  // the same notice twice is one Event
  CHECK(events[0]->At("reason").Str() == "RolledBack");
  CHECK(events[0]->At("type").Str() == "Warning");
  CHECK(events[0]->At("note").Str() == "rolling back (x7)");
  CHECK(events[0]->At("regarding", "kind").Str() == "Deployment");
  CHECK(events[0]->At("regarding", "name").Str() == "checkout");
}

TEST_CASE("channels are made from the configuration") {
  sim::World world;
  auto cluster = world.Connect();
  spec::AgentConfig config;
  spec::ChannelConfig slack, events;
  slack.name = "slack";
  slack.kind = spec::SlackChannel{"/run/slack", ""};
  events.name = "events";
  events.kind = spec::EventsChannel{};
  config.notifications.channels = {slack, events};
  auto channels = MakeChannels(config, {}, *cluster, "rollguard-0");
  REQUIRE(channels.size() == 2);
  CHECK(channels[0].kind == "slack");
  CHECK(channels[1].kind == "events");
  CHECK(channels[1].channel != nullptr);
}

// The rig's agent tells the rig, and the rig the listener.
class TellingRig : public testing::SimRig {
 public:
  TellingRig() : SimRig({testing::CanaryYaml("checkout")}) {}
  void Decided(const spec::Guard& guard, const release::Decision& decision) override {
    SimRig::Decided(guard, decision);
    listener.Decided(guard, decision);
  }
  void Changed(const spec::Guard& guard, const release::GuardState& before,
               const release::GuardState& after, const release::Observation& seen) override {
    listener.Changed(guard, before, after, seen);
  }
  void Told(const spec::Guard& guard, const release::Notify& notice) override {
    SimRig::Told(guard, notice);
    listener.Told(guard, notice);
  }
  app::Told people;
  NotifyListener listener{people, scheduler(), scheduler(), "sim"};
};

// The whole agent in a simulated cluster: whatever happens to releases, each end is told once.
TEST_CASE("every end of every release is told, whatever happened") {
  struct Row {
    const char* name;
    const char* behaviour;
    bool newer;  // another revision comes in the middle
    const char* want;
  };
  const Row rows[] = {
      {"good", R"({"errorRatio": 0})", false, "promoted"},
      {"bad pods", R"({"imagePullFails": true})", false, "rolledBack"},
      {"overtaken", R"({"errorRatio": 0})", true, "superseded"},
  };
  for (const Row& row : rows) {
    TellingRig rig;
    rig.Behave("checkout", "v2", row.behaviour);
    rig.Release("checkout", "v2");
    REQUIRE(rig.RunUntil([&] { return rig.Guard("checkout").state.release.has_value(); },
                         std::chrono::minutes(10)));
    if (row.newer) {
      REQUIRE(rig.RunToTraffic("checkout", 20, std::chrono::minutes(10)));
      rig.Release("checkout", "v3");
      rig.scheduler().RunFor(std::chrono::minutes(2));
    }
    rig.RunToEnd("checkout", std::chrono::hours(2));
    rig.scheduler().RunFor(std::chrono::hours(1));
    const Told& told = rig.people;
    std::multiset<std::string> ends;
    std::string first;
    for (const Notice& notice : told.notices) {
      for (const char* event : {"promoted", "rolledBack", "rollbackFailed", "superseded"}) {
        if (notice.event != event) continue;
        ends.insert(notice.release);
        if (first.empty()) first = notice.event;
      }
    }
    INFO(row.name << ": " << told.Text());
    CHECK(first == row.want);
    for (const std::string& release : ends) CHECK(ends.count(release) == 1);
    CHECK(ends.size() == (row.newer ? 2 : 1));
  }
}

}  // namespace
}  // namespace rollguard::app
